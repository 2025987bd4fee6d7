// SPDX-License-Identifier: Apache-2.0
// Sums exit sites up. See sites.h.
#include "report/sites.h"

#include "core/json.h"
#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SITES 1000 // different ones of a case; what comes after them only counts in its cause's ticks

static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? fmax(item->valuedouble, 0) : 0;
}

static char *name_of(const cJSON *word) {
    const char *line = json_text(word, "line");
    const char *module = json_text(word, "module");
    const char *site = json_text(word, "site");
    const char *slash = strrchr(module, '/');
    if (!site[0])
        site = json_text(word, "address");
    return mem_printf("%s%s%s%s%s%s", site[0] ? site : "an address without a name", line[0] ? " (" : "", line,
                      line[0] ? ")" : "", module[0] ? " in " : "", slash ? slash + 1 : module);
}

static void add_site(struct sites *sites, enum cause cause, const cJSON *word) {
    char *name = name_of(word);
    size_t at = 0;
    while (at < sites->count && (sites->items[at].cause != cause || strcmp(sites->items[at].name, name) != 0))
        at++;
    if (at < sites->count) {
        sites->items[at].ticks += number_of(word, "ticks");
        free(name);
        return;
    }
    if (sites->count == MOST_SITES) {
        free(name);
        return;
    }
    struct site site = {.name = name, .cause = cause, .ticks = number_of(word, "ticks")};
    ARRAY_PUSH(sites->items, sites->count, sites->capacity, site);
}

void sites_add(struct sites *sites, const struct journal_sample *s) {
    if (!s->valid)
        return;
    for (size_t i = 0; i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(o->detail, "sites");
        const cJSON *word;
        if (!cJSON_IsArray(list))
            continue;
        sites->ticks[o->cause] += number_of(o->detail, "ticks");
        cJSON_ArrayForEach(word, list) add_site(sites, o->cause, word);
    }
}

static int in_order(const void *a, const void *b) {
    const struct site *x = a;
    const struct site *y = b;
    if (x->cause != y->cause)
        return x->cause < y->cause ? -1 : 1;
    return x->ticks > y->ticks ? -1 : x->ticks < y->ticks;
}

void sites_sort(struct sites *sites) {
    if (sites->count > 1)
        qsort(sites->items, sites->count, sizeof *sites->items, in_order);
}

void sites_free(struct sites *sites) {
    for (size_t i = 0; i < sites->count; i++)
        free(sites->items[i].name);
    free(sites->items);
    *sites = (struct sites){.items = NULL};
}

double sites_pct(const struct sites *sites, const struct site *site) {
    const double all = fmax(sites->ticks[site->cause], site->ticks); // ticks later than an exit are left out of the sum
    return all > 0 ? 100 * site->ticks / all : 0;
}

char *sites_sentence(const struct sites *sites, enum cause cause) {
    enum { MOST = 3 };
    struct str text = {0};
    int told = 0;
    if (sites->ticks[cause] < SITES_ENOUGH)
        return NULL;
    for (size_t i = 0; i < sites->count && told < MOST; i++) {
        const struct site *site = &sites->items[i];
        if (site->cause != cause)
            continue;
        if (told++ == 0)
            str_printf(&text, "%s: ", cause_info(cause)->id);
        else
            str_add(&text, ", ");
        str_printf(&text, "%.0f %% at %s", sites_pct(sites, site), site->name);
    }
    char *sentence = told ? mem_strdup(str_text(&text)) : NULL;
    str_free(&text);
    return sentence;
}
