// SPDX-License-Identifier: Apache-2.0
// Runs a suite. See runner.h. One sample is one process (worker.c); which one is next is decided from what the journal
// holds already, so that a resumed run needs no state of its own.
#include "bench/runner.h"

#include "bench/calibrate.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/quiet.h"
#include "bench/worker.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CALIBRATION_S 1.5  // enough for a standard error of a few percent for each trap
#define QUIET_LIMIT   0.05 // busy share

struct run {
    const struct run_options *options;
    struct plan plan;
    struct collector_set *collectors;
    struct calibration calibration;
    struct journal_writer *journal;
    struct progress *progress;
    uint64_t started_ns;
    struct run_summary *summary;
};

// --- stopping -----------------------------------------------------------------------------------------------------

// The one thing a signal handler can reach. A second signal is not needed: samples are ended at once.
static volatile int stop_signal;

static void on_signal(int number) {
    stop_signal = number;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    stop_signal = 0;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); // a closed output is an error of write(), with a message
}

// --- the header ---------------------------------------------------------------------------------------------------

static void add_identity(cJSON *header) {
    unsigned char bytes[8] = {0};
    char id[2 * sizeof bytes + 1] = "";
    char started[32];
    time_t now = time(NULL);
    struct tm utc;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        uint64_t ns = clock_now_ns();
        memcpy(bytes, &ns, sizeof bytes);
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    gmtime_r(&now, &utc);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON_AddStringToObject(header, "id", id);
    cJSON_AddStringToObject(header, "started", started);
}

static int write_header(struct run *run, struct error *err) {
    const struct suite *suite = run->options->suite;
    cJSON *header = cJSON_CreateObject();
    cJSON_AddStringToObject(header, "t", "header");
    cJSON_AddStringToObject(header, "schema", JOURNAL_SCHEMA);
    add_identity(header);
    const cJSON *item;
    cJSON_ArrayForEach(item, run->options->header)
        cJSON_AddItemToObject(header, item->string, cJSON_Duplicate(item, 1));
    cJSON *object = cJSON_AddObjectToObject(header, "suite");
    json_add_string(object, "name", suite->name);
    json_add_string(object, "sha256", suite->sha256);
    json_add_string(object, "size", bench_size_names[suite->size]);
    cJSON_AddItemToObject(object, "text", cJSON_Duplicate(suite->text, 1));
    cJSON_AddItemToObject(header, "collectors", collector_set_to_json(run->collectors));
    cJSON_AddItemToObject(header, "calibration", calibration_to_json(&run->calibration));
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
    return journal_write_case(run->journal, &line, err);
}

static int write_skipped(struct run *run, const struct planned_case *c, struct error *err) {
    char *text = mem_printf("case %s was skipped: %s", c->suite_case->name, c->why);
    progress_line(run->progress, "%s: skipped: %s", c->suite_case->name, c->why);
    int result = journal_write_note(run->journal, true, text, err);
    free(text);
    return result;
}

static int write_cases(struct run *run, struct error *err) {
    for (size_t i = 0; i < run->plan.count; i++) {
        struct planned_case *c = &run->plan.cases[i];
        run->summary->skipped += c->skipped;
        run->summary->missing |= c->skipped && run->options->only;
        if (c->skipped ? write_skipped(run, c, err) : write_case(run, c, err))
            return -1;
    }
    return 0;
}

// --- resuming -----------------------------------------------------------------------------------------------------

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
    if (calibration && calibration_from_json(calibration, &run->calibration, err))
        return -1;
    if (strcmp(sha256, suite->sha256) == 0 && strcmp(size, bench_size_names[suite->size]) == 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "resuming the journal %s", run->options->journal);
    error_why(err, "it was made with another suite, or another --size");
    return error_remedy(err, "repeat the same command line, or start a new journal");
}

static void count_sample(struct run *run, const struct journal_sample *s) {
    struct planned_case *c = plan_find(&run->plan, s->case_name);
    if (!c)
        return;
    plan_count(c, s->mode, s->valid, s->fom, s->wall_s);
}

// What the journal has already. 1: it has a header; 0: there is nothing yet; -1: it cannot be continued.
static int read_back(struct run *run, struct error *err) {
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

static int write_resumed(struct run *run, struct error *err) {
    size_t there = plan_done(&run->plan);
    progress_line(run->progress, "resuming: %zu samples are there already", there);
    char *text = mem_printf("the run was resumed with %zu samples", there);
    int result = journal_write_note(run->journal, false, text, err);
    free(text);
    return result;
}

// --- samples ------------------------------------------------------------------------------------------------------

static void add_result(const struct bench_result *result, struct journal_sample *s, cJSON **steps) {
    s->wall_s = result->wall_s;
    s->roi_s = result->roi_s > 0 ? result->roi_s : result->wall_s;
    s->fom = result->fom;
    if (result->step_count == 0)
        return;
    *steps = cJSON_CreateDoubleArray(result->steps_s, (int)result->step_count);
    s->steps_s = *steps;
}

static int write_notes(struct run *run, const struct planned_case *c, const cJSON *notes, struct error *err) {
    const cJSON *note;
    cJSON_ArrayForEach(note, notes) {
        char *text = mem_printf("%s: %s", c->suite_case->name, cJSON_IsString(note) ? note->valuestring : "?");
        int failed = journal_write_note(run->journal, true, text, err);
        free(text);
        if (failed)
            return -1;
    }
    return 0;
}

static int record_sample(struct run *run, struct planned_case *c, enum sample_mode mode,
                         const struct worker_outcome *outcome, struct collector_output *found, struct error *err) {
    cJSON *steps = NULL;
    struct journal_sample s = {
        .case_name = c->suite_case->name,
        .seq = c->done[mode],
        .block = -1,
        .rank = -1,
        .mode = mode,
        .start_ns = outcome->start_ns,
        .start_tsc = outcome->start_tsc,
        .end_tsc = outcome->end_tsc,
        .fom = NAN,
        .wall_s = (double)(outcome->end_ns - outcome->start_ns) * 1e-9,
        .valid = outcome->done && outcome->result->valid,
        .circumstances = found->circumstances,
        .obs = *found->obs,
    };
    s.roi_s = s.wall_s;
    if (outcome->done)
        add_result(outcome->result, &s, &steps);
    if (outcome->result && outcome->result->info[0])
        json_add_string(found->circumstances, "info", outcome->result->info);
    if (!s.valid)
        s.why = outcome->why[0] ? outcome->why : "the result was not verified";
    int failed = write_notes(run, c, found->notes, err) || journal_write_sample(run->journal, &s, err);
    cJSON_Delete(steps);
    plan_count(c, mode, s.valid, s.fom, s.wall_s);
    run->summary->samples++;
    run->summary->invalid += !s.valid;
    return failed ? -1 : 0;
}

static void observe(struct run *run, struct planned_case *c, enum sample_mode mode, struct worker *worker,
                    struct worker_outcome *outcome, struct collector_output *found) {
    struct sample_window window = {.job = worker_pid(worker), .cpus = &c->cpus, .mode = mode};
    window.start_ns = clock_now_ns();
    collector_set_begin(run->collectors, &window);
    worker_go(worker, c->suite_case->timeout_s, &stop_signal, outcome);
    window.end_ns = clock_now_ns();
    window.cpu_s = outcome->cpu_s;
    window.roi_s = outcome->done && outcome->result->roi_s > 0 ? outcome->result->roi_s
                                                               : (double)(window.end_ns - window.start_ns) * 1e-9;
    collector_set_end(run->collectors, &window, found);
    worker_finish(worker, &stop_signal, outcome);
}

static int run_sample(struct run *run, struct planned_case *c, enum sample_mode mode, struct error *err) {
    struct observations obs = {0};
    struct collector_output found = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    struct worker_outcome outcome = {.start_ns = clock_now_ns()};
    struct error why;
    uint64_t begin = outcome.start_ns;
    struct worker *worker = worker_start(c->suite_case->ops, &c->context, c->suite_case->timeout_s, &stop_signal, &why);
    if (worker) {
        observe(run, c, mode, worker, &outcome, &found);
    } else {
        outcome.end_ns = clock_now_ns();
        error_line(&why, outcome.why, sizeof outcome.why);
    }
    // A sample that the user stopped is not a result: a resumed run makes it again.
    int result = stop_signal ? 0 : record_sample(run, c, mode, &outcome, &found, err);
    if (outcome.why[0] && !stop_signal)
        progress_line(run->progress, "%s: sample %u is not valid: %s", c->suite_case->name, plan_total(c->done) - 1,
                      outcome.why);
    worker_end(worker);
    c->spent_s += (double)(clock_now_ns() - begin) * 1e-9;
    c->spent_samples++;
    observations_free(&obs);
    cJSON_Delete(found.circumstances);
    cJSON_Delete(found.notes);
    return result;
}

static void say_complete(struct run *run, const struct planned_case *c) {
    if (plan_total(c->done) < plan_total(c->planned))
        return;
    char invalid[48] = "";
    if (c->invalid)
        snprintf(invalid, sizeof invalid, ", %u of them not valid", c->invalid);
    progress_line(run->progress, "%s: %u timing and %u attribution samples%s", c->suite_case->name,
                  c->done[MODE_TIMING], c->done[MODE_ATTRIBUTION], invalid);
}

static int run_samples(struct run *run, struct error *err) {
    for (;;) {
        struct planned_case *c = plan_next(&run->plan);
        double spent_s = (double)(clock_now_ns() - run->started_ns) * 1e-9;
        if (!c || stop_signal)
            return 0;
        if (spent_s >= run->options->budget_s) {
            run->summary->stopped = true;
            progress_line(run->progress, "the time budget is used up");
            return journal_write_note(run->journal, true, "the time budget was used up before all samples were there",
                                      err);
        }
        enum sample_mode mode = plan_next_mode(c);
        progress_sample(run->progress, c->suite_case->name, sample_mode_names[mode], plan_done(&run->plan),
                        plan_planned(&run->plan), plan_left_s(&run->plan));
        if (run_sample(run, c, mode, err))
            return -1;
        plan_more(&run->plan, c);
        say_complete(run, c);
    }
}

// --- the whole ----------------------------------------------------------------------------------------------------

static int wait_for_quiet(struct run *run, struct error *err) {
    if (run->options->quiet_wait_s <= 0)
        return 0;
    progress_say(run->progress, "waiting for a quiet machine");
    double busy = quiet_wait(&run->plan.all_cpus, QUIET_LIMIT, run->options->quiet_wait_s, &stop_signal);
    if (busy <= QUIET_LIMIT)
        return 0;
    char *text =
        mem_printf("the machine was not quiet after %.0f s of waiting: its CPUs were %.0f %% busy before the run",
                   run->options->quiet_wait_s, busy * 100);
    progress_line(run->progress, "note: %s", text);
    int result = journal_write_note(run->journal, true, text, err);
    free(text);
    return result;
}

// Unit costs are for collectors; without any there is nothing to calibrate for.
static int calibrate_subject(struct run *run, struct error *err) {
    if (strcmp(run->options->collectors, "none") == 0)
        return 0;
    progress_say(run->progress, "measuring what VM exits cost here");
    return calibrate(&run->plan.all_cpus, CALIBRATION_S, &run->calibration, err);
}

static int start(struct run *run, struct error *err) {
    const struct run_options *o = run->options;
    int there = o->resume ? read_back(run, err) : 0;
    if (there < 0)
        return -1;
    run->journal = journal_open(o->journal, o->resume, err);
    if (!run->journal || (!there && calibrate_subject(run, err)))
        return -1;
    struct collect_options collect = {.calibration = &run->calibration};
    run->collectors = collector_set_open(o->collectors, &collect, err);
    if (!run->collectors)
        return -1;
    // Attribution samples are of use only if a collector works that stays off in timing samples.
    if (collector_set_wants_attribution(run->collectors))
        plan_attribution(&run->plan);
    if (there)
        return write_resumed(run, err);
    return write_header(run, err) || write_cases(run, err) || wait_for_quiet(run, err) ? -1 : 0;
}

static void release(struct run *run) {
    collector_set_close(run->collectors);
    journal_close(run->journal);
    progress_free(run->progress);
    plan_free(&run->plan);
}

// A command that the user typed and that is not there: nothing else is left to run.
static int check_by_name(const struct run *run, struct error *err) {
    const struct planned_case *c = &run->plan.cases[0];
    if (!run->options->by_name || !c->skipped)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "running %s", c->suite_case->name);
    return error_why(err, "%s", c->why);
}

int run_suite(const struct run_options *options, struct run_summary *out, struct error *err) {
    struct run run = {.options = options, .summary = out, .started_ns = clock_now_ns()};
    *out = (struct run_summary){0};
    if (plan_make(options, &run.plan, err) || check_by_name(&run, err)) {
        release(&run);
        return -1;
    }
    run.progress = progress_new();
    catch_signals();
    int result = start(&run, err);
    if (!result)
        result = run_samples(&run, err);
    out->signal = stop_signal;
    out->stopped |= stop_signal != 0;
    out->wall_s = (double)(clock_now_ns() - run.started_ns) * 1e-9;
    if (!result)
        result = journal_write_end(run.journal, !out->stopped, out->samples, out->wall_s, err);
    release(&run);
    return result;
}

int run_plan(const struct run_options *options, bool json, struct error *err) {
    struct plan plan;
    int result = plan_make(options, &plan, err);
    if (!result)
        plan_print(&plan, json);
    plan_free(&plan);
    return result;
}
