// SPDX-License-Identifier: Apache-2.0
// Renderers: one file and one row in the table of render.c each. A renderer draws the model and computes nothing.
// May include: core, report/model.h.
#pragma once

#include "report/model.h"

#include <stdio.h>

struct renderer {
    const char *name;      // for --format
    const char *extension; // of files, without the dot; NULL if it has none of its own
    void (*render)(const struct model *model, bool colour, FILE *out);
};

// NULL if there is none of this name.
const struct renderer *renderer_by_name(const char *name);
const struct renderer *renderer_by_index(size_t index); // NULL at the end

void render_text(const struct model *model, bool colour, FILE *out);
void render_json(const struct model *model, bool colour, FILE *out);
void render_markdown(const struct model *model, bool colour, FILE *out);
void render_csv(const struct model *model, bool colour, FILE *out);
void render_openmetrics(const struct model *model, bool colour, FILE *out);
void render_html(const struct model *model, bool colour, FILE *out);

// The report as a metalgap.report/1 tree. The caller owns it.
cJSON *render_to_json(const struct model *model);
