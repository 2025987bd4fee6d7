// SPDX-License-Identifier: Apache-2.0
// Says equal sentences once; see the header. May include: core.
#include "report/said.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdlib.h>

enum { NAME = 60, NAMES = 40 }; // bytes of a name, and names before a number takes their place

void said_add(struct said *said, const char *who, const char *text) {
    size_t at = names_add(&said->texts, text);
    if (at == said->count) {
        struct said_about about = {.times = 0};
        ARRAY_PUSH(said->about, said->count, said->capacity, about);
    }
    said->about[at].times++;
    if (who)
        names_add(&said->about[at].who, who);
}

char *said_sentence(const struct said *said, size_t i) {
    const struct said_about *about = &said->about[i];
    struct str text = {0};
    for (size_t k = 0; k < about->who.count && k < NAMES; k++)
        str_printf(&text, "%s%.*s", k ? ", " : "", NAME, about->who.name[k]);
    if (about->who.count > NAMES)
        str_printf(&text, " and %zu more", about->who.count - NAMES);
    str_printf(&text, "%s%s", about->who.count ? ": " : "", said->texts.name[i]);
    size_t once = about->who.count ? about->who.count : 1;
    if (about->times > once)
        str_printf(&text, " (%zu times)", about->times);
    return text.text;
}

void said_free(struct said *said) {
    for (size_t i = 0; i < said->count; i++)
        names_free(&said->about[i].who);
    names_free(&said->texts);
    free(said->about);
    *said = (struct said){0};
}
