// SPDX-License-Identifier: Apache-2.0
// The lines of a run's journal that are not samples. See run.h.
#include "bench/run.h"

#include "core/memory.h"
#include "core/parse.h"

#include <stdlib.h>

static void add_own(const struct run *run, cJSON *header, const char *key, cJSON *own) {
    cJSON_AddItemToObject(header, key, record_header_member(run, key, own));
    cJSON_Delete(own);
}

int record_header(struct run *run, struct error *err) {
    const struct suite *suite = run->options->suite;
    cJSON *header = journal_header_begin();
    const cJSON *item;
    cJSON_ArrayForEach(item, run->options->header)
        cJSON_AddItemToObject(header, item->string, record_header_member(run, item->string, item));
    cJSON *object = cJSON_AddObjectToObject(header, "suite");
    json_add_string(object, "name", suite->name);
    json_add_string(object, "sha256", suite->sha256);
    json_add_string(object, "size", bench_size_names[suite->size]);
    cJSON_AddItemToObject(object, "text", cJSON_Duplicate(suite->text, 1));
    if (cJSON_GetArraySize(suite->included))
        cJSON_AddItemToObject(object, "included", cJSON_Duplicate(suite->included, 1));
    add_own(run, header, "collectors", collector_set_to_json(run->session->collectors));
    add_own(run, header, "calibration", calibration_to_json(&run->session->calibration));
    int result = journal_write(run->journal, header, err);
    cJSON_Delete(header);
    return result;
}

static int write_case(struct run *run, const struct planned_case *c, struct error *err) {
    struct journal_case line = {
        .name = c->suite_case->name,
        .bench = c->suite_case->ops->name,
        .params = c->suite_case->params,
        .fom_name = c->has_fom ? c->fom.name : NULL,
        .fom_unit = c->has_fom ? c->fom.unit : NULL,
        .better = c->has_fom ? c->fom.better : FOM_LOWER,
        .cpus = CPU_COUNT(&c->cpus),
    };
    char *cpus = parse_cpus_text(&c->cpus);
    line.cpu_list = cpus;
    int result = journal_write_case(run->journal, &line, err);
    free(cpus);
    return result;
}

static int write_skipped(struct run *run, const struct planned_case *c, struct error *err) {
    progress_line(run->session->progress, "%s: skipped: %s", c->suite_case->name, c->why);
    return record_note(run, true, mem_printf("case %s was skipped: %s", c->suite_case->name, c->why), err);
}

int record_cases(struct run *run, struct error *err) {
    for (size_t i = 0; i < run->plan.count; i++) {
        struct planned_case *c = &run->plan.cases[i];
        run->summary->skipped += c->skipped;
        run->summary->missing |= c->skipped && run->options->only;
        if (c->skipped ? write_skipped(run, c, err) : write_case(run, c, err))
            return -1;
    }
    return 0;
}
