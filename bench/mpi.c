// SPDX-License-Identifier: Apache-2.0
// The bench "mpi": launches our MPI programs (bench/mpi/, output format: bench/mpi/common.h) with mpirun, or with the
// words of --launch, and reads the line they print. metalgap itself does not use libmpi.
#include "bench/command.h"
#include "bench/launch.h"

#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum program { PINGPONG, ALLREDUCE, ALLTOALL, BARRIER, HALO, PROGRAM_COUNT };
static const char *const program_names[PROGRAM_COUNT] = {"pingpong", "allreduce", "alltoall", "barrier", "halo"};

struct options {
    enum program program;
    uint64_t ranks;
    uint64_t bytes;
    double seconds;
    bool bandwidth; // pingpong: report GB/s instead of us
    bool oversubscribe;
};

static const struct bench_param params[] = {
    {"program",
     {"pingpong"},
     "pingpong (two ranks, one message to and fro) | allreduce (sum over all ranks) | alltoall (a block from each to "
     "each) | barrier | halo (faces to six neighbours in a periodic grid)"},
    {"bytes", {"8"}, "message size, bytes"},
    {"report", {"latency"}, "latency (us) | bandwidth (GB/s; pingpong only)"},
    {"ranks", {"auto"}, "number of ranks; auto: 2 for pingpong, one a core for the others"},
    {"seconds", {"0.2", "0.5", "2"}, "about how long to measure, seconds"},
    {"oversubscribe", {"no"}, "no | yes: allow more ranks than cores, and don't bind them"},
    {NULL, {NULL}, NULL},
};

static int refuse(const struct bench_context *context, const char *name, const char *why, struct error *err) {
    error_set(err, EXIT_CODE_INPUT, "the parameter \"%s\" of the bench mpi cannot be used", name);
    bench_param_blame(context, name, err);
    return error_why(err, "%s", why);
}

// The place of a text parameter in a list of words, or -1 with `err`.
static int choice(const struct bench_context *context, const char *name, const char *const *words, int count,
                  struct error *err) {
    const char *text = bench_param_text(context, name);
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    struct str known = {0};
    for (int i = 0; i < count; i++)
        str_printf(&known, "%s%s", i ? ", " : "known are ", words[i]);
    refuse(context, name, str_text(&known), err);
    str_free(&known);
    return -1;
}

static int read_ranks(const struct bench_context *context, struct options *o, struct error *err) {
    unsigned cores = launch_cores(context->cpus);
    o->ranks = o->program == PINGPONG ? 2 : context->threads < cores ? context->threads : cores;
    if (strcmp(bench_param_text(context, "ranks"), "auto") != 0 &&
        bench_param_u64(context, "ranks", &o->ranks, err) < 0)
        return -1;
    if (o->program == PINGPONG && o->ranks != 2)
        return refuse(context, "ranks", "pingpong has two", err);
    return o->ranks >= 1 && o->ranks <= 1000000 ? 0 : refuse(context, "ranks", "there must be at least one", err);
}

static int read_options(const struct bench_context *context, struct options *o, struct error *err) {
    static const char *const reports[] = {"latency", "bandwidth"};
    static const char *const answers[] = {"no", "yes"};
    int program = choice(context, "program", program_names, PROGRAM_COUNT, err);
    int report = program < 0 ? -1 : choice(context, "report", reports, 2, err);
    int oversubscribe = report < 0 ? -1 : choice(context, "oversubscribe", answers, 2, err);
    if (oversubscribe < 0)
        return -1;
    o->program = (enum program)program;
    o->bandwidth = report == 1;
    o->oversubscribe = oversubscribe == 1;
    if (bench_param_u64(context, "bytes", &o->bytes, err) < 0 ||
        bench_param_double(context, "seconds", &o->seconds, err) < 0 || read_ranks(context, o, err) < 0)
        return -1;
    if (o->bandwidth && o->program != PINGPONG)
        return refuse(context, "report", "only pingpong has a bandwidth", err);
    if (o->bytes < 1 || o->bytes > 1U << 30)
        return refuse(context, "bytes", "it must be between 1 and 1G", err);
    return o->seconds > 0 && o->seconds <= 3600 ? 0 : refuse(context, "seconds", "above 0, at most 3600", err);
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    struct options o;
    if (read_options(context, &o, err) < 0)
        return -1;
    *out = o.bandwidth ? (struct bench_fom){"bandwidth", "GB/s", FOM_HIGHER}
                       : (struct bench_fom){"latency", "us", FOM_LOWER};
    return 0;
}

static char *program_path(const struct bench_context *context, enum program program) {
    return mem_printf("%s/%s", context->exec_dir, program_names[program]);
}

static const char *unavailable(const struct bench_context *context) {
    struct options o;
    if (read_options(context, &o, NULL) < 0)
        return NULL; // fom() has told what is wrong
    if (!context->launch && !command_exists("mpirun"))
        return "mpirun is not in PATH: apt-get install openmpi-bin, or give --launch";
    char *path = program_path(context, o.program);
    bool there = access(path, X_OK) == 0;
    free(path);
    if (!there)
        return "the MPI programs were not built: apt-get install libopenmpi-dev, then make";
    if (!context->launch && !o.oversubscribe && o.ranks > launch_cores(context->cpus))
        return "it has more ranks than there are cores: set \"oversubscribe\" to \"yes\" if that is meant";
    return NULL;
}

static struct words argument_vector(const struct bench_context *context, const struct options *o) {
    struct words argv = {0};
    launch_add(&argv, context, o->ranks, o->oversubscribe);
    words_add(&argv, program_path(context, o->program));
    words_add(&argv, mem_strdup("--bytes"));
    words_add(&argv, mem_printf("%llu", (unsigned long long)o->bytes));
    words_add(&argv, mem_strdup("--seconds"));
    words_add(&argv, mem_printf("%.9g", o->seconds));
    words_add(&argv, NULL);
    return argv;
}

// Keeps the line that the program prints.
static void look(void *closure, const char *text) {
    char **line = closure;
    if (strncmp(text, "{\"metalgap_mpi\":1,", 18) != 0)
        return;
    free(*line);
    *line = mem_strdup(text);
}

static void describe_ranks(const cJSON *ranks, char *out, size_t size) {
    const cJSON *rank;
    size_t used = 0;
    cJSON_ArrayForEach(rank, ranks) {
        const char *node = NULL;
        double number = 0;
        double cpu = 0;
        json_get_string(rank, "node", JSON_OPTIONAL, &node, NULL);
        json_get_double(rank, "rank", JSON_OPTIONAL, &number, NULL);
        json_get_double(rank, "cpu", JSON_OPTIONAL, &cpu, NULL);
        int length = snprintf(out + used, size - used, "%srank %.0f on %s cpu %.0f", used ? ", " : "", number,
                              node ? node : "?", cpu);
        if (length < 0 || used + (size_t)length >= size) {
            snprintf(out + used, size - used, "%s", used + 5 < size ? " ..." : "");
            return;
        }
        used += (size_t)length;
    }
}

static int read_result(const cJSON *line, const struct options *o, struct bench_result *result, struct error *err) {
    const char *why = NULL;
    const cJSON *steps = NULL;
    const cJSON *ranks = NULL;
    const cJSON *step;
    bool valid = false;
    if (json_get_double(line, "fom", JSON_REQUIRED, &result->fom, err) < 0 ||
        json_get_double(line, "wall_s", JSON_REQUIRED, &result->wall_s, err) < 0 ||
        json_get_bool(line, "valid", JSON_REQUIRED, &valid, err) < 0 ||
        json_get_string(line, "why", JSON_OPTIONAL, &why, err) < 0 ||
        json_get_array(line, "steps_s", JSON_REQUIRED, &steps, err) < 0 ||
        json_get_array(line, "ranks", JSON_REQUIRED, &ranks, err) < 0)
        return -1;
    if (o->bandwidth)
        result->fom = (double)o->bytes / result->fom * 1e-3; // bytes per us to GB/s
    cJSON_ArrayForEach(step, steps) {
        if (cJSON_IsNumber(step) && result->step_count < BENCH_MAX_STEPS)
            result->steps_s[result->step_count++] = step->valuedouble;
    }
    describe_ranks(ranks, result->info, sizeof result->info);
    result->valid = valid;
    if (!valid)
        snprintf(result->why, sizeof result->why, "%s", why ? why : "the program says so");
    return 0;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct options o;
    struct command_outcome outcome;
    char *line = NULL;
    if (read_options(context, &o, err) < 0)
        return -1;
    struct words argv = argument_vector(context, &o);
    struct command command = {.argv = (const char *const *)argv.items,
                              .environment = launch_environment(),
                              .timeout_s = 60 + 20 * o.seconds,
                              .launcher = true,
                              .line = look,
                              .closure = &line};
    int status = command_run(&command, &outcome, err);
    words_free(&argv);
    result->fom = NAN;
    result->wall_s = outcome.wall_s;
    result->roi_s = outcome.wall_s; // what collectors see: the start of the ranks is in it
    if (status == 0 && command_succeeded(&outcome, result->why, sizeof result->why)) {
        struct json_origin origin = {"output of the MPI program", 1};
        cJSON *parsed = line ? json_parse(line, strlen(line), origin, err) : NULL;
        if (parsed)
            status = read_result(parsed, &o, result, err);
        else if (line)
            status = -1;
        else
            snprintf(result->why, sizeof result->why, "it printed no result");
        cJSON_Delete(parsed);
    }
    free(line);
    return status;
}

const struct bench_ops bench_mpi = {
    .abi = BENCH_ABI,
    .name = "mpi",
    .summary = "MPI between ranks: pingpong, allreduce, alltoall, barrier, halo exchange (Open MPI)",
    .launches = true,
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .run = run,
};
