// SPDX-License-Identifier: Apache-2.0
// `metalgap doctor`: what can be measured on this machine, and how to enable the rest.
#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/wrap.h"
#include "collectors/capabilities.h"
#include "collectors/collector.h"
#include "collectors/host_source.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/str.h"
#include "detect/detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_WIDTH = 15, STATE_WIDTH = 11, TEXT_COLUMN = 2 + NAME_WIDTH + 1 + STATE_WIDTH + 1 };

static const char usage[] =
    "Usage: metalgap doctor [--json]\n"
    "\n"
    "What can be measured on this machine, and how to enable the rest. Each line is\n"
    "found out by doing it: programs are loaded and attached, counters are checked\n"
    "against a known loop. Nothing stays behind.\n"
    "\n"
    "  --json       the same as JSON (metalgap.doctor/1)\n"
    "  -h, --help   this text\n"
    "\n"
    "Exit code 0 whatever works; a missing source never fails a run.\n"
    "\n"
    "Examples:\n"
    "  metalgap doctor\n"
    "  sudo metalgap doctor            # what more there is for root\n"
    "  metalgap doctor --json | jq -r '.capabilities[] | select(.works | not).name'\n";

// --- the facts ----------------------------------------------------------------------------------------------------

static cJSON *collector_states(struct error *err) {
    cJSON *platform = detect_live_json(false);
    const struct collect_options options = {.platform = platform};
    struct collector_set *set = collector_set_open("all", &options, err);
    cJSON *list = set ? collector_set_to_json(set) : NULL;
    collector_set_close(set);
    cJSON_Delete(platform);
    return list;
}

// What could be recorded if this machine were asked as a host.
static cJSON *host_states(void) {
    const struct host_source *source;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; (source = host_source_by_index(i)) != NULL; i++) {
        struct collector_status status = {.state = COLLECTOR_ACTIVE};
        void *open = source->open(HOST_ALL, &status);
        if (open)
            source->close(open);
        cJSON_AddItemToArray(list, host_state_to_json(source, &status));
    }
    return list;
}

// --- text ---------------------------------------------------------------------------------------------------------

static void print_row(const char *name, const char *state, const char *text) {
    int at = printf("  %-*s %-*s ", NAME_WIDTH, name, STATE_WIDTH, state);
    print_wrapped(text, TEXT_COLUMN, at);
}

// A further line: "why: ..." or "try: ..."; nothing for an empty text.
static void print_detail(const char *label, const char *text) {
    if (!text || !text[0])
        return;
    int at = printf("%*s%s: ", terminal_text_columns() < 2 * TEXT_COLUMN ? 4 : TEXT_COLUMN, "", label);
    print_wrapped(text, at, at);
}

static void print_collectors(const cJSON *states) {
    const cJSON *row;
    printf("\nCollectors, as `metalgap run` would start them now:\n");
    cJSON_ArrayForEach(row, states) {
        const char *name = json_text(row, "name");
        const char *summary = "";
        for (size_t i = 0; collector_registry[i]; i++) {
            if (strcmp(collector_registry[i]->name, name) == 0)
                summary = collector_registry[i]->summary;
        }
        print_row(name, json_text(row, "state"), summary);
        print_detail("why", json_text(row, "reason"));
        print_detail("try", json_text(row, "hint"));
    }
}

static void print_hosts(const cJSON *states) {
    const cJSON *row;
    int i = 0;
    printf("\nAs a host of guests (`metalgap run --role host`):\n");
    cJSON_ArrayForEach(row, states) {
        print_row(json_text(row, "name"), json_text(row, "state"), host_source_by_index((size_t)i++)->about);
        print_detail("why", json_text(row, "reason"));
        print_detail("try", json_text(row, "hint"));
    }
}

static void print_capabilities(const struct capability *list) {
    printf("Sources, each tried just now:\n");
    for (size_t i = 0; i < capability_count; i++) {
        const struct capability *c = &list[i];
        print_row(c->name, c->works ? "works" : "no", c->enables);
        if (!c->works)
            print_detail("why", c->reason);
        print_detail("try", c->remedy);
    }
}

// For an ordinary user: what root would add, as far as can be told without being root.
static void print_footer(const struct capability *list) {
    struct str text = {0};
    for (size_t i = 0; i < capability_count; i++) {
        if (strncmp(list[i].remedy, "run as root", strlen("run as root")) == 0)
            str_printf(&text, "%s %s", text.length ? "," : "", list[i].name);
    }
    if (geteuid() != 0 && text.length) {
        putchar('\n');
        print_wrapped("This is an ordinary user's view. Root may also have:", 0, 0);
        print_wrapped(str_text(&text) + 1, 2, printf("  "));
    }
    str_free(&text);
}

static int print_text(const struct capability *list, const cJSON *states, const cJSON *hosts) {
    print_capabilities(list);
    print_collectors(states);
    print_hosts(hosts);
    print_footer(list);
    return EXIT_CODE_DONE;
}

static int print_json(const struct capability *list, cJSON *states, cJSON *hosts) {
    cJSON *root = cJSON_CreateObject();
    json_add_string(root, "schema", "metalgap.doctor/1");
    cJSON *rows = cJSON_AddArrayToObject(root, "capabilities");
    for (size_t i = 0; i < capability_count; i++)
        cJSON_AddItemToArray(rows, capability_to_json(&list[i]));
    cJSON_AddItemReferenceToObject(root, "collectors", states);
    cJSON_AddItemReferenceToObject(root, "hosts", hosts);
    char *line = json_print_line(root);
    puts(line);
    free(line);
    cJSON_Delete(root);
    return EXIT_CODE_DONE;
}

int cmd_doctor(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct error err;
    bool json = false;
    for (int c; (c = next_option(argc, argv, "h", options, &err)) != -1;) {
        switch (c) {
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_CODE_DONE;
        default:
            error_print(&err);
            return err.code;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "metalgap: doctor takes no \"%s\"\n  try: metalgap doctor --help\n", argv[optind]);
        return EXIT_CODE_USAGE;
    }
    cJSON *states = collector_states(&err);
    if (!states) {
        error_print(&err);
        return err.code;
    }
    struct capability *list = mem_alloc(capability_count * sizeof *list);
    for (size_t i = 0; i < capability_count; i++)
        capability_try(i, &list[i]);
    cJSON *hosts = host_states();
    int code = json ? print_json(list, states, hosts) : print_text(list, states, hosts);
    free(list);
    cJSON_Delete(states);
    cJSON_Delete(hosts);
    return code;
}
