// SPDX-License-Identifier: Apache-2.0
// `metalgap detect`: the command line of detect/. May include: detect, core.
#include "cli/command.h"
#include "cli/options.h"
#include "core/json.h"
#include "detect/detect.h"
#include "detect/view.h"

#include <stdio.h>
#include <stdlib.h>

static void print_help(void) {
    puts(
        "Usage: metalgap detect [OPTION]...\n"
        "Says what this machine is: hypervisor or bare metal, host OS below or not,\n"
        "cloud, container, and which way the requests of each resource go. Needs no root,\n"
        "starts no process, uses no network.\n"
        "\n"
        "      --json         print the platform object (schema metalgap.platform/1)\n"
        "      --explain      say in plain words what the verdict means here, and why\n"
        "      --is WHAT      print nothing, exit with 0 if the machine is WHAT, else 1.\n"
        "                     WHAT: a hypervisor, VMM, cloud, container manager, role,\n"
        "                     mode, architecture, or one of vm, bare-metal, host,\n"
        "                     container, lpar, type1, type2, nested, confidential,\n"
        "                     offload, passthrough, unknown\n"
        "      --root DIR     read recorded evidence below DIR instead of this machine\n"
        "      --capture DIR  write the evidence into the new folder DIR, without serial\n"
        "                     numbers, UUIDs, addresses and host names (see --root)\n"
        "  -h, --help         show this help\n"
        "\n"
        "Exit codes: 0 done, 1 --is: it is not, 2 usage, 3 a folder cannot be read\n"
        "or written\n"
        "\n"
        "Examples:\n"
        "  metalgap detect\n"
        "  metalgap detect --json | jq -r '.paths[] | [.resource, .device, .path] | @tsv'\n"
        "  metalgap detect --is nested && echo 'expect dear VM exits'\n"
        "  metalgap detect --capture evidence && tar -czf evidence.tar.gz evidence");
}

struct request {
    struct detect_options detect;
    const char *is, *capture, *form;
    bool json, explain, signatures;
};

// -1: go on, else the exit code.
static int parse(int argc, char **argv, struct request *out) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},          {"explain", no_argument, NULL, 'e'},
        {"is", required_argument, NULL, 'i'},      {"root", required_argument, NULL, 'r'},
        {"capture", required_argument, NULL, 'c'}, {"list-signatures", optional_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    struct error err;
    int c;
    while ((c = next_option(argc, argv, "h", options, &err)) != -1) {
        switch (c) {
        case 'j':
            out->json = true;
            break;
        case 'e':
            out->explain = true;
            break;
        case 'i':
            out->is = optarg;
            break;
        case 'r':
            out->detect.root = optarg;
            break;
        case 'c':
            out->capture = optarg;
            break;
        case 'l':
            out->signatures = true;
            out->form = optarg;
            break;
        case 'h':
            print_help();
            return EXIT_CODE_DONE;
        default:
            error_print(&err);
            return err.code;
        }
    }
    if (optind < argc || (out->capture && out->detect.root)) {
        fprintf(stderr, "metalgap: detect: %s\n  try: metalgap detect --help\n",
                optind < argc ? "it takes no arguments without an option"
                              : "--capture reads this machine, so it excludes --root");
        return EXIT_CODE_USAGE;
    }
    return -1;
}

static void print_text(void (*view)(const struct platform *, struct str *), const struct platform *p) {
    struct str text = {0};
    view(p, &text);
    fputs(str_text(&text), stdout);
    str_free(&text);
}

static void print_json(const struct platform *p) {
    cJSON *json = platform_to_json(p);
    char *text = cJSON_Print(json);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
}

static int answer(const struct platform *p, const char *what) {
    int yes = platform_is(p, what);
    if (yes >= 0)
        return yes ? EXIT_CODE_DONE : EXIT_CODE_NO;
    fprintf(stderr,
            "metalgap: detect --is %s: no hypervisor, cloud or kind has this name\n"
            "  try: metalgap detect --help for the words, metalgap detect --json for those of this machine\n",
            what);
    return EXIT_CODE_USAGE;
}

static int show(const struct request *request, const struct platform *p) {
    if (request->is)
        return answer(p, request->is);
    if (request->json)
        print_json(p);
    else
        print_text(request->explain ? platform_explain : platform_view, p);
    return EXIT_CODE_DONE;
}

static int print_signatures(const char *form) {
    struct str text = {0};
    int failed = signatures_view(form, &text);
    if (failed)
        fprintf(
            stderr,
            "metalgap: detect --list-signatures=%s: there is no such form\n  try: summary, overview, man, or none\n",
            form);
    else
        fputs(str_text(&text), stdout);
    str_free(&text);
    return failed ? EXIT_CODE_USAGE : EXIT_CODE_DONE;
}

int cmd_detect(int argc, char **argv) {
    struct request request = {.detect.timing = true};
    int code = parse(argc, argv, &request);
    if (code >= 0)
        return code;
    if (request.signatures)
        return print_signatures(request.form);
    struct platform platform;
    struct error err = {0};
    int failed = request.capture ? detect_capture(request.capture, request.detect.timing, &platform, &err)
                                 : detect_platform(&request.detect, &platform, &err);
    if (failed) {
        error_print(&err);
        return (int)err.code;
    }
    code = show(&request, &platform);
    platform_free(&platform);
    return code;
}
