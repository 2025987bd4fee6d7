// SPDX-License-Identifier: Apache-2.0
// The drawn machine: which way each resource goes, from the guest to the hardware; and what was not measured there.
// May include: core, report.
#include "report/chart.h"
#include "report/escape.h"
#include "report/html.h"
#include "report/pinning.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 30, MAX_DEVICES = 24 };

// How a path of this kind is drawn.
static const struct path_kind {
    const char *path;
    bool software; // crosses software outside the guest
    const char *words;
} PATH_KINDS[] = {
    {"emulated", true, "emulated"},           {"paravirtual", true, "paravirtual"}, {"offload", false, "offloaded"},
    {"passthrough", false, "passed through"}, {"hardware", false, "in hardware"},   {"native", false, "native"},
    {"unknown", false, "path not known"},
};

static const struct path_kind *find_kind(const char *path) {
    for (size_t i = 0; i < ARRAY_LEN(PATH_KINDS); i++)
        if (strcmp(PATH_KINDS[i].path, path) == 0)
            return &PATH_KINDS[i];
    return &PATH_KINDS[ARRAY_LEN(PATH_KINDS) - 1];
}

static void draw_path(struct str *out, const cJSON *path, double y) {
    char text[96];
    const char *device = json_text(path, "device");
    const char *via = json_text(path, "via");
    const struct path_kind *kind = find_kind(json_text(path, "path"));
    snprintf(text, sizeof text, "%.14s%s%.14s", json_text(path, "resource"), *device ? " " : "", device);
    chart_text(out, 12, y + 4, "start", "", text);
    if (strcmp(kind->path, "unknown") == 0) {
        chart_text(out, 300, y + 4, "middle", "tick", kind->words);
        return;
    }
    if (!kind->software) {
        chart_line(out, 168, y, 452, y, "wire-direct");
        snprintf(text, sizeof text, "%s%s%.20s", kind->words, *via ? ": " : "", via);
        chart_text(out, 310, y - 5, "middle", "tick", text);
    } else {
        chart_line(out, 168, y, 224, y, "wire");
        chart_line(out, 396, y, 452, y, "wire");
        chart_rect(out, 224, y - 11, 172, 22, "soft-hop", json_text(path, "reason"));
        snprintf(text, sizeof text, "%s%s%.20s", kind->words, *via ? ": " : "", via);
        chart_text(out, 310, y + 4, "middle", "", text);
    }
}

static size_t count_paths(const cJSON *paths) {
    int size = cJSON_GetArraySize(paths);
    return size > MAX_DEVICES ? MAX_DEVICES : (size_t)size;
}

static int topology_count(const struct dataset *set, const char *key) {
    const cJSON *topology = cJSON_GetObjectItemCaseSensitive(set->header, "topology");
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(topology, key);
    return cJSON_IsNumber(item) && item->valuedouble >= 1 && item->valuedouble < 1e6 ? (int)item->valuedouble : 0;
}

static void topology_words(const struct dataset *set, char *out, size_t size) {
    static const struct {
        const char *key;
        const char *one;
        const char *several;
    } PARTS[] = {{"packages", "package", "packages"},
                 {"numa", "NUMA node", "NUMA nodes"},
                 {"cores", "core", "cores"},
                 {"cpus", "CPU", "CPUs"},
                 {"smt", "thread a core", "threads a core"}};
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        int count = topology_count(set, PARTS[i].key);
        size_t used = strlen(out);
        if (count > 0)
            snprintf(out + used, size - used, "%s%d %s", used ? ", " : "", count,
                     count > 1 ? PARTS[i].several : PARTS[i].one);
    }
}

enum { MOST_SQUARES = 64, CPU_COLUMNS_END = 158 };

// How many of a whole each part has; 0 where the parts are not alike.
static int each(int whole, int parts) {
    return parts > 0 && whole % parts == 0 ? whole / parts : 0;
}

// The number that the i-th CPU, counted core by core, has in the system; -1 where the journal does not tell.
static int cpu_number(const struct dataset *set, int i) {
    const cJSON *topology = cJSON_GetObjectItemCaseSensitive(set->header, "topology");
    const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(topology, "cpu_numbers"), i);
    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < CPU_SETSIZE ? (int)item->valuedouble
                                                                                             : -1;
}

static void cpu_words(const struct dataset *set, int i, int threads, int in_package, int bound, char *out,
                      size_t size) {
    int number = cpu_number(set, i);
    int used = number >= 0 ? snprintf(out, size, "CPU %d", number) : snprintf(out, size, "a CPU");
    if (threads > 0 && in_package > 0)
        used += snprintf(out + used, size - (size_t)used, ": package %d, core %d of it, thread %d", i / in_package,
                         i % in_package / threads, i % threads);
    if (bound >= 0)
        snprintf(out + used, size - (size_t)used, "; %s", bound ? "the job was bound to it" : "not used by the job");
}

// The CPUs of all cases together. False where no case tells its own, or nothing tells which square is which.
static bool bound_cpus(const struct dataset *set, cpu_set_t *out) {
    struct pinnings list = pinnings_find(set);
    bool known = list.count > 0 && cpu_number(set, 0) >= 0;
    CPU_ZERO(out);
    for (size_t i = 0; i < list.count; i++) {
        cpu_set_t own = pinning_cpus(&list.group[i]);
        CPU_OR(out, out, &own);
    }
    pinnings_free(&list);
    return known;
}

// The CPUs as squares under the guest's name: threads of a core touch, packages stand apart, and those that no case was
// bound to are hollow. How many there are, in words, where they are too many to draw.
static void draw_cpus(struct str *out, const struct dataset *set, double y) {
    char text[120];
    cpu_set_t bound;
    bool told = bound_cpus(set, &bound);
    int cpus = topology_count(set, "cpus");
    int threads = each(cpus, topology_count(set, "cores"));
    int in_package = each(cpus, topology_count(set, "packages"));
    if (cpus > MOST_SQUARES) {
        snprintf(text, sizeof text, "%d CPUs", cpus);
        chart_text(out, 12, y + 8, "start", "tick", text);
        return;
    }
    double size = cpus > 16 ? 3 : 7;
    double x = 12;
    for (int i = 0; i < cpus; i++) {
        bool new_core = threads > 0 && i % threads == 0;
        bool new_package = in_package > 0 && i % in_package == 0;
        x += i == 0 ? 0 : new_package ? size : new_core ? 0.3 * size : 0.1 * size;
        if (x + size > CPU_COLUMNS_END) {
            x = 12;
            y += 1.4 * size;
        }
        int number = cpu_number(set, i);
        int used = !told ? -1 : number >= 0 && CPU_ISSET(number, &bound);
        cpu_words(set, i, threads, in_package, used, text, sizeof text);
        chart_rect(out, x, y, size, size, used == 0 ? "cpu-idle" : "bar-subj", text);
        x += size;
    }
}

// "CPUs 0-1: stream.triad, gups", a line for each choice of CPUs.
static void pinning_lines(struct str *out, const struct dataset *set) {
    enum { MOST_LINES = 8, MOST_NAMES = 12 };
    struct pinnings list = pinnings_find(set);
    for (size_t i = 0; i < list.count && i < MOST_LINES; i++) {
        const struct pinning *group = &list.group[i];
        str_add(out, i ? "<br>CPUs " : "<p>The job was bound to CPUs ");
        escape_html(out, group->cpus, 60);
        for (size_t k = 0; list.count > 1 && k < group->count && k < MOST_NAMES; k++) {
            str_add(out, k ? ", " : ": ");
            escape_html(out, group->cases[k], 60);
        }
        if (list.count > 1 && group->count > MOST_NAMES)
            str_printf(out, " and %zu more", group->count - MOST_NAMES);
    }
    if (list.count > MOST_LINES)
        str_printf(out, "<br>and %zu more choices of CPUs", list.count - MOST_LINES);
    str_add(out, list.count ? ".</p>\n" : "");
    pinnings_free(&list);
}

static void paths_table(struct str *out, const cJSON *paths) {
    static const char *const KEYS[] = {"resource", "device", "path", "via", "driver", "reason"};
    const cJSON *path;
    str_add(out,
            "<details><summary>The same as a table</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
            "aria-label=\"paths\"><table><tr><th>resource<th>device<th>path<th>via<th>driver<th>because</tr>\n");
    cJSON_ArrayForEach(path, paths) {
        str_add(out, "<tr>");
        for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
            str_add(out, i + 1 == ARRAY_LEN(KEYS) ? "<td class=\"text\">" : "<td>");
            escape_html(out, json_text(path, KEYS[i]), 300);
        }
        str_add(out, "</tr>\n");
    }
    str_add(out, "</table></div></details>\n");
}

void html_machine(struct str *out, const struct dataset *set) {
    const cJSON *platform = cJSON_GetObjectItemCaseSensitive(set->header, "platform");
    const cJSON *paths = cJSON_GetObjectItemCaseSensitive(platform, "paths");
    size_t rows = count_paths(paths);
    bool bare = strcmp(json_text(platform, "kind"), "bare-metal") == 0;
    char words[160];
    str_add(out, "<h3>");
    escape_html(out, set->label, 120);
    str_add(out, "</h3>\n");
    topology_words(set, words, sizeof words);
    str_add(out, "<p class=\"soft\">");
    escape_html(out, *json_text(platform, "kind") ? json_text(platform, "kind") : "platform not told", 60);
    static const char *const FACTS[] = {"hypervisor", "vmm", "cloud", "instance_type", "container"};
    for (size_t i = 0; i < ARRAY_LEN(FACTS); i++)
        if (*json_text(platform, FACTS[i]) && strcmp(json_text(platform, FACTS[i]), "none") != 0) {
            str_printf(out, "; %s ", FACTS[i]);
            escape_html(out, json_text(platform, FACTS[i]), 60);
        }
    str_printf(out, "%s%s</p>\n", *words ? "; " : "", words);
    if (rows == 0) {
        str_add(out, "<p class=\"soft\">The journal does not tell which way its devices go.</p>\n");
        return;
    }
    double bottom = 44 + ROW * (double)rows;
    snprintf(words, sizeof words, "Which way each resource of %.80s goes", set->name);
    str_add(out, "<figure>");
    chart_open(out, HTML_CHART_WIDTH, bottom + 10, words);
    chart_rect(out, 1, 1, 167, bottom + 6, "box", NULL);
    chart_rect(out, 452, 1, 107, bottom + 6, "box", NULL);
    chart_text(out, 12, 18, "start", "strong", bare ? "system" : "guest");
    chart_text(out, 310, 18, "middle", "strong", bare ? "no hypervisor" : "software of the host");
    chart_text(out, 505, 18, "middle", "strong", "hardware");
    draw_cpus(out, set, 26);
    double y = 44 + ROW / 2.0;
    const cJSON *path;
    size_t drawn = 0;
    cJSON_ArrayForEach(path, paths) {
        if (drawn++ == rows)
            break;
        draw_path(out, path, y);
        y += ROW;
    }
    chart_close(out);
    str_add(out,
            "<figcaption>Boxes are software that each request crosses; dashed lines go past it. Squares are "
            "CPUs: those of a core touch, packages stand apart, hollow ones were not used.</figcaption></figure>\n");
    pinning_lines(out, set);
    paths_table(out, paths);
}

static bool active(const cJSON *collector) {
    return strcmp(json_text(collector, "state"), "active") == 0;
}

static void unmeasured_rows(struct str *out, const struct dataset *set, size_t *rows) {
    const cJSON *collector;
    cJSON_ArrayForEach(collector, cJSON_GetObjectItemCaseSensitive(set->header, "collectors")) {
        if (active(collector))
            continue;
        static const char *const KEYS[] = {"name", "state", "reason", "hint"};
        if ((*rows)++ == 0)
            str_add(out,
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"not measured\"><table><tr>"
                    "<th>on<th>source<th>state<th>why<th>what would enable it</tr>\n");
        str_add(out, "<tr><td class=\"text\">");
        escape_html(out, set->name, 120);
        for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
            str_add(out, "<td class=\"text\">");
            escape_html(out, json_text(collector, KEYS[i]), 300);
        }
        str_add(out, "</tr>\n");
    }
}

void html_unmeasured(struct str *out, const struct model *model) {
    size_t rows = 0;
    struct str table = {0};
    for (size_t i = 0; i < model->subject_count; i++)
        unmeasured_rows(&table, &model->subjects[i], &rows);
    for (size_t i = 0; i < model->baseline_count; i++)
        unmeasured_rows(&table, &model->baselines[i], &rows);
    if (rows) {
        str_add(out, "<section><h2>Not, or not fully, measured</h2>\n");
        str_add(out, str_text(&table));
        str_add(out, "</table></div></section>\n");
    }
    str_free(&table);
}
