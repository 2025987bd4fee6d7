// SPDX-License-Identifier: Apache-2.0
// The table of renderers. May include: core, report.
#include "report/render.h"

#include "core/memory.h"

#include <string.h>

static const struct renderer renderers[] = {
    {"text", "txt", render_text}, {"json", "json", render_json}, {"md", "md", render_markdown},
    {"csv", "csv", render_csv},   {"html", "html", render_html}, {"openmetrics", "prom", render_openmetrics},
};

const struct renderer *renderer_by_index(size_t index) {
    return index < ARRAY_LEN(renderers) ? &renderers[index] : NULL;
}

const struct renderer *renderer_by_name(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(renderers); i++)
        if (strcmp(renderers[i].name, name) == 0)
            return &renderers[i];
    return NULL;
}
