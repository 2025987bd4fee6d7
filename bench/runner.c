// SPDX-License-Identifier: Apache-2.0
// Runs a suite. See runner.h. One sample is one process (worker.c); which one is next is decided from what the journal
// holds already, so that a resumed run needs no state of its own.
#include "bench/runner.h"

#include "bench/calibrate.h"
#include "bench/place.h"
#include "bench/progress.h"
#include "bench/quiet.h"
#include "bench/worker.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/parse.h"

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

#define CALIBRATION_S     1.5   // enough for a standard error of a few percent for each trap
#define QUIET_LIMIT       0.05  // busy share
#define UNTIL_MIN_SAMPLES 6     // fewer give no interval by ranks
#define UNTIL_MAX_SAMPLES 10000 // a bound for a suite without --budget
#define ATTRIBUTION_SHARE 5     // one attribution sample for so many timing samples,
#define ATTRIBUTION_MIN   2     // but enough to see their spread

// A case and how far it is.
struct progress_of_case {
    const struct suite_case *suite_case;
    struct bench_context context;
    cpu_set_t cpus;
    struct bench_fom fom;
    bool has_fom;
    bool skipped;
    char why[512]; // skipped
    unsigned planned[MODE_COUNT];
    unsigned done[MODE_COUNT];
    unsigned invalid;
    double spent_s; // wall time of all its samples, set-up included
    unsigned spent_samples;
    double *costs; // of valid timing samples, for --until
    size_t cost_count;
    size_t cost_capacity;
};

struct run {
    const struct run_options *options;
    struct progress_of_case *cases;
    size_t count;
    cpu_set_t all_cpus;
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

// --- planning -----------------------------------------------------------------------------------------------------

static bool in_list(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

// Every name in --only must be a case: a misspelt one must not silently run nothing.
static int check_only(const struct run_options *o, struct error *err) {
    for (const char *at = o->only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t length = strcspn(at, ",");
        size_t i = 0;
        while (i < o->suite->count &&
               (strlen(o->suite->cases[i].name) != length || strncmp(o->suite->cases[i].name, at, length) != 0))
            i++;
        if (i < o->suite->count)
            continue;
        error_set(err, EXIT_CODE_USAGE, "--only %s", o->only);
        error_why(err, "the suite %s has no case \"%.*s\"", o->suite->name, (int)length, at);
        return error_remedy(err, "see its cases with --dry-run");
    }
    return 0;
}

static int place_case(const struct run_options *o, struct progress_of_case *c, struct error *err) {
    cpu_set_t own;
    const cpu_set_t *only = o->cpus;
    if (c->suite_case->cpus) {
        if (parse_cpus("cpus", c->suite_case->cpus, &own, err))
            return -1;
        only = &own;
    }
    return place_choose(only, c->suite_case->threads, &c->cpus, err);
}

// Decides whether the case can run, and where.
static int prepare_case(const struct run_options *o, struct progress_of_case *c, struct error *err) {
    struct error why;
    if (place_case(o, c, &why)) {
        if (why.code == EXIT_CODE_USAGE && !c->suite_case->cpus) { // --cpus is wrong for every case
            *err = why;
            return -1;
        }
        c->skipped = true;
        error_line(&why, c->why, sizeof c->why);
        return 0;
    }
    c->context = (struct bench_context){
        .params = c->suite_case->params,
        .size = o->suite->size,
        .cpus = &c->cpus,
        .threads = (unsigned)CPU_COUNT(&c->cpus),
        .data_dir = o->data_dir,
        .exec_dir = o->exec_dir,
        .launch = o->launch,
    };
    int has_fom = c->suite_case->ops->fom(&c->context, &c->fom, err);
    if (has_fom < 0)
        return -1;
    c->has_fom = has_fom == 0;
    const char *unavailable = c->suite_case->ops->unavailable ? c->suite_case->ops->unavailable(&c->context) : NULL;
    if (unavailable) {
        c->skipped = true;
        snprintf(c->why, sizeof c->why, "%s", unavailable);
    }
    return 0;
}

static int prepare_cases(struct run *run, struct error *err) {
    const struct run_options *o = run->options;
    if (check_only(o, err) || place_choose(o->cpus, 0, &run->all_cpus, err))
        return -1;
    run->cases = mem_alloc(o->suite->count * sizeof *run->cases);
    for (size_t i = 0; i < o->suite->count; i++) {
        if (o->only && !in_list(o->only, o->suite->cases[i].name))
            continue;
        struct progress_of_case *c = &run->cases[run->count++];
        c->suite_case = &o->suite->cases[i];
        if (prepare_case(o, c, err))
            return -1;
        unsigned reps = o->reps ? o->reps : c->suite_case->reps ? c->suite_case->reps : o->suite->reps;
        c->planned[MODE_TIMING] = c->skipped ? 0 : reps;
    }
    return 0;
}

// Attribution samples are of use only if a collector works that stays off in timing samples.
static void plan_attribution(struct run *run) {
    if (!collector_set_wants_attribution(run->collectors))
        return;
    for (size_t i = 0; i < run->count; i++) {
        struct progress_of_case *c = &run->cases[i];
        unsigned wanted = c->planned[MODE_TIMING] / ATTRIBUTION_SHARE;
        c->planned[MODE_ATTRIBUTION] = c->skipped ? 0 : wanted > ATTRIBUTION_MIN ? wanted : ATTRIBUTION_MIN;
    }
}

static double share_done(unsigned done, unsigned planned) {
    return planned ? (double)done / planned : 1;
}

static unsigned total(const unsigned counts[MODE_COUNT]) {
    return counts[MODE_TIMING] + counts[MODE_ATTRIBUTION];
}

// Interleaved: the case that is least far. In sequence: the first that is not complete. NULL: all are complete.
static struct progress_of_case *next_case(struct run *run) {
    struct progress_of_case *best = NULL;
    double least = 1;
    for (size_t i = 0; i < run->count; i++) {
        struct progress_of_case *c = &run->cases[i];
        double share = share_done(total(c->done), total(c->planned));
        if (share >= least)
            continue;
        best = c;
        least = share;
        if (!run->options->suite->interleaved)
            break;
    }
    return best;
}

// The mode that is less far, so that attribution samples are spread over the run.
static enum sample_mode next_mode(const struct progress_of_case *c) {
    double timing = share_done(c->done[MODE_TIMING], c->planned[MODE_TIMING]);
    double attribution = share_done(c->done[MODE_ATTRIBUTION], c->planned[MODE_ATTRIBUTION]);
    return timing <= attribution && timing < 1 ? MODE_TIMING : MODE_ATTRIBUTION;
}

static double estimate_left_s(const struct run *run) {
    double left = 0;
    for (size_t i = 0; i < run->count; i++) {
        const struct progress_of_case *c = &run->cases[i];
        unsigned missing = total(c->planned) - total(c->done);
        if (missing && !c->spent_samples)
            return NAN;
        if (missing)
            left += missing * c->spent_s / c->spent_samples;
    }
    return left;
}

// --- --until ------------------------------------------------------------------------------------------------------

static double cost_of(const struct progress_of_case *c, double fom, double wall_s) {
    if (!c->has_fom || isnan(fom))
        return wall_s;
    return c->fom.better == FOM_LOWER ? fom : 1 / fom;
}

static void keep_cost(struct progress_of_case *c, double fom, double wall_s) {
    double cost = cost_of(c, fom, wall_s);
    if (cost > 0 && isfinite(cost))
        ARRAY_PUSH(c->costs, c->cost_count, c->cost_capacity, cost);
}

static void plan_more(struct run *run, struct progress_of_case *c) {
    const struct run_options *o = run->options;
    if (isnan(o->until_pct) || c->done[MODE_TIMING] < c->planned[MODE_TIMING] ||
        c->planned[MODE_TIMING] >= UNTIL_MAX_SAMPLES)
        return;
    if (c->cost_count < UNTIL_MIN_SAMPLES || !o->narrow_enough(c->costs, c->cost_count, o->until_pct))
        c->planned[MODE_TIMING]++;
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

static int write_case(struct run *run, const struct progress_of_case *c, struct error *err) {
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

static int write_skipped(struct run *run, const struct progress_of_case *c, struct error *err) {
    char *text = mem_printf("case %s was skipped: %s", c->suite_case->name, c->why);
    progress_line(run->progress, "%s: skipped: %s", c->suite_case->name, c->why);
    int result = journal_write_note(run->journal, true, text, err);
    free(text);
    return result;
}

static int write_cases(struct run *run, struct error *err) {
    for (size_t i = 0; i < run->count; i++) {
        struct progress_of_case *c = &run->cases[i];
        run->summary->skipped += c->skipped;
        run->summary->missing |= c->skipped && run->options->only;
        if (c->skipped ? write_skipped(run, c, err) : write_case(run, c, err))
            return -1;
    }
    return 0;
}

// --- resuming -----------------------------------------------------------------------------------------------------

static struct progress_of_case *find_case(struct run *run, const char *name) {
    for (size_t i = 0; i < run->count; i++) {
        if (strcmp(run->cases[i].suite_case->name, name) == 0)
            return &run->cases[i];
    }
    return NULL;
}

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
    struct progress_of_case *c = find_case(run, s->case_name);
    if (!c)
        return;
    if (s->seq >= c->done[s->mode])
        c->done[s->mode] = (unsigned)s->seq + 1;
    c->invalid += !s->valid;
    if (s->valid && s->mode == MODE_TIMING)
        keep_cost(c, s->fom, s->wall_s);
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
    size_t there = 0;
    for (size_t i = 0; i < run->count; i++)
        there += total(run->cases[i].done);
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

static int write_notes(struct run *run, const struct progress_of_case *c, const cJSON *notes, struct error *err) {
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

static int record_sample(struct run *run, struct progress_of_case *c, enum sample_mode mode,
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
    c->done[mode]++;
    c->invalid += !s.valid;
    run->summary->samples++;
    run->summary->invalid += !s.valid;
    if (s.valid && mode == MODE_TIMING)
        keep_cost(c, s.fom, s.wall_s);
    return failed ? -1 : 0;
}

static void observe(struct run *run, struct progress_of_case *c, enum sample_mode mode, struct worker *worker,
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

static int run_sample(struct run *run, struct progress_of_case *c, enum sample_mode mode, struct error *err) {
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
        progress_line(run->progress, "%s: sample %u is not valid: %s", c->suite_case->name, total(c->done) - 1,
                      outcome.why);
    worker_end(worker);
    c->spent_s += (double)(clock_now_ns() - begin) * 1e-9;
    c->spent_samples++;
    observations_free(&obs);
    cJSON_Delete(found.circumstances);
    cJSON_Delete(found.notes);
    return result;
}

static void say_complete(struct run *run, const struct progress_of_case *c) {
    if (total(c->done) < total(c->planned))
        return;
    char invalid[48] = "";
    if (c->invalid)
        snprintf(invalid, sizeof invalid, ", %u of them not valid", c->invalid);
    progress_line(run->progress, "%s: %u timing and %u attribution samples%s", c->suite_case->name,
                  c->done[MODE_TIMING], c->done[MODE_ATTRIBUTION], invalid);
}

static int run_samples(struct run *run, struct error *err) {
    for (;;) {
        struct progress_of_case *c = next_case(run);
        double spent_s = (double)(clock_now_ns() - run->started_ns) * 1e-9;
        if (!c || stop_signal)
            return 0;
        if (spent_s >= run->options->budget_s) {
            run->summary->stopped = true;
            progress_line(run->progress, "the time budget is used up");
            return journal_write_note(run->journal, true, "the time budget was used up before all samples were there",
                                      err);
        }
        size_t done = 0;
        size_t planned = 0;
        for (size_t i = 0; i < run->count; i++) {
            done += total(run->cases[i].done);
            planned += total(run->cases[i].planned);
        }
        enum sample_mode mode = next_mode(c);
        progress_sample(run->progress, c->suite_case->name, sample_mode_names[mode], done, planned,
                        estimate_left_s(run));
        if (run_sample(run, c, mode, err))
            return -1;
        plan_more(run, c);
        say_complete(run, c);
    }
}

// --- the whole ----------------------------------------------------------------------------------------------------

static int wait_for_quiet(struct run *run, struct error *err) {
    if (run->options->quiet_wait_s <= 0)
        return 0;
    progress_say(run->progress, "waiting for a quiet machine");
    double busy = quiet_wait(&run->all_cpus, QUIET_LIMIT, run->options->quiet_wait_s, &stop_signal);
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
    return calibrate(&run->all_cpus, CALIBRATION_S, &run->calibration, err);
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
    plan_attribution(run);
    if (there)
        return write_resumed(run, err);
    return write_header(run, err) || write_cases(run, err) || wait_for_quiet(run, err) ? -1 : 0;
}

static void release(struct run *run) {
    collector_set_close(run->collectors);
    journal_close(run->journal);
    progress_free(run->progress);
    for (size_t i = 0; i < run->count; i++)
        free(run->cases[i].costs);
    free(run->cases);
}

int run_suite(const struct run_options *options, struct run_summary *out, struct error *err) {
    struct run run = {.options = options, .summary = out, .started_ns = clock_now_ns()};
    *out = (struct run_summary){0};
    if (prepare_cases(&run, err)) {
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

// --- --dry-run ----------------------------------------------------------------------------------------------------

static void print_plan_text(const struct run *run) {
    printf("%-24s %-10s %7s %5s  %s\n", "case", "bench", "samples", "cpus", "parameters");
    for (size_t i = 0; i < run->count; i++) {
        const struct progress_of_case *c = &run->cases[i];
        char *params = json_print_line(c->suite_case->params);
        printf("%-24s %-10s %7u %5d  %s\n", c->suite_case->name, c->suite_case->ops->name, c->planned[MODE_TIMING],
               CPU_COUNT(&c->cpus), c->skipped ? c->why : params);
        free(params);
    }
}

static void print_plan_json(const struct run *run) {
    cJSON *root = cJSON_CreateObject();
    json_add_string(root, "suite", run->options->suite->name);
    cJSON *list = cJSON_AddArrayToObject(root, "cases");
    for (size_t i = 0; i < run->count; i++) {
        const struct progress_of_case *c = &run->cases[i];
        cJSON *object = cJSON_CreateObject();
        json_add_string(object, "case", c->suite_case->name);
        json_add_string(object, "bench", c->suite_case->ops->name);
        json_add_u64(object, "timing_samples", c->planned[MODE_TIMING]);
        json_add_u64(object, "cpus", (uint64_t)CPU_COUNT(&c->cpus));
        cJSON_AddItemToObject(object, "params", cJSON_Duplicate(c->suite_case->params, 1));
        json_add_string(object, "skipped", c->skipped ? c->why : NULL);
        cJSON_AddItemToArray(list, object);
    }
    char *text = json_print_line(root);
    puts(text);
    free(text);
    cJSON_Delete(root);
}

int run_plan(const struct run_options *options, bool json, struct error *err) {
    struct run run = {.options = options};
    int result = prepare_cases(&run, err);
    if (!result && json)
        print_plan_json(&run);
    else if (!result)
        print_plan_text(&run);
    release(&run);
    return result;
}
