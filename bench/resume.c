// SPDX-License-Identifier: Apache-2.0
// Continues a journal: checks that it is of the same run, and counts what is there. See run.h.
#include "bench/run.h"

#include <string.h>
#include <sys/stat.h>

static int check_same_suite(struct run *run, const cJSON *header, struct error *err) {
    const struct suite *suite = run->options->suite;
    const cJSON *object = NULL;
    const char *sha256 = "";
    const char *size = "";
    const cJSON *calibration = NULL;
    if (json_get_object(header, "suite", JSON_REQUIRED, &object, err) < 0 ||
        json_get_string(object, "sha256", JSON_REQUIRED, &sha256, err) < 0 ||
        json_get_string(object, "size", JSON_OPTIONAL, &size, err) < 0 ||
        json_get_object(header, "calibration", JSON_OPTIONAL, &calibration, err) < 0)
        return -1;
    if (calibration && calibration_from_json(calibration, &run->session->calibration, err))
        return -1;
    if (strcmp(sha256, suite->sha256) == 0 && strcmp(size, bench_size_names[suite->size]) == 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "resuming the journal %s", run->options->journal);
    error_why(err, "it was made with another suite, or another --size");
    return error_remedy(err, "repeat the same command line, or start a new journal");
}

static void count_sample(struct run *run, const struct journal_sample *s) {
    struct planned_case *c = plan_find(&run->plan, s->case_name);
    if (!c || s->seq < c->done[s->mode]) // one observation is counted once, however many ranks wrote a line
        return;
    plan_count(c, s->mode, s->valid, s->fom, s->wall_s);
}

int resume_read(struct run *run, struct error *err) {
    struct stat st;
    if (stat(run->options->journal, &st) || st.st_size == 0)
        return 0;
    struct journal_reader *reader = journal_read(run->options->journal, err);
    if (!reader)
        return -1;
    struct journal_record record;
    int got;
    int headers = 0;
    while ((got = journal_next(reader, &record, err)) > 0) {
        if (record.type == JOURNAL_HEADER) {
            headers++;
            got = check_same_suite(run, record.json, err);
        } else if (record.type == JOURNAL_SAMPLE) {
            count_sample(run, &record.sample);
        }
        if (got < 0)
            break;
    }
    journal_end_reading(reader);
    return got < 0 ? -1 : headers;
}
