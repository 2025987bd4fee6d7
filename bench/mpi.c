// SPDX-License-Identifier: Apache-2.0
// The bench "mpi": launches our MPI programs (bench/mpi/, output format: bench/mpi/common.h) with mpirun, or with the
// words of --launch, and reads the line they print. metalgap itself does not use libmpi.
#include "bench/command.h"

#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum program { PINGPONG, ALLREDUCE, PROGRAM_COUNT };
static const char *const program_names[PROGRAM_COUNT] = {"pingpong", "allreduce"};

struct options {
    enum program program;
    uint64_t ranks;
    uint64_t bytes;
    double seconds;
    bool bandwidth; // pingpong: report GB/s instead of us
    bool oversubscribe;
};

static const struct bench_param params[] = {
    {"program", {"pingpong"}, "pingpong (two ranks, one message to and fro) | allreduce (sum over all ranks)"},
    {"bytes", {"8"}, "message size, bytes"},
    {"report", {"latency"}, "latency (us) | bandwidth (GB/s; pingpong only)"},
    {"ranks", {"auto"}, "number of ranks; auto: 2 for pingpong, one a core for allreduce"},
    {"seconds", {"0.2", "0.5", "2"}, "about how long to measure, seconds"},
    {"oversubscribe", {"no"}, "no | yes: allow more ranks than cores, and don't bind them"},
    {NULL, {NULL}, NULL},
};

static int refuse(const char *name, const char *why, struct error *err) {
    error_set(err, EXIT_CODE_INPUT, "the parameter \"%s\" of the bench mpi cannot be used", name);
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
    refuse(name, str_text(&known), err);
    str_free(&known);
    return -1;
}

// Cores that the CPUs of a set belong to: mpirun gives one rank to each, not one to each hardware thread.
static unsigned core_count(const cpu_set_t *cpus) {
    cpu_set_t cores; // each by its first hardware thread
    CPU_ZERO(&cores);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, cpus))
            continue;
        int first = cpu;
        char *path = mem_printf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        FILE *f = fopen(path, "re");
        if (f) {
            if (fscanf(f, "%d", &first) != 1 || first < 0 || first >= CPU_SETSIZE)
                first = cpu;
            fclose(f);
        }
        free(path);
        CPU_SET(first, &cores);
    }
    return (unsigned)CPU_COUNT(&cores);
}

static int read_ranks(const struct bench_context *context, struct options *o, struct error *err) {
    unsigned cores = core_count(context->cpus);
    o->ranks = o->program == PINGPONG ? 2 : context->threads < cores ? context->threads : cores;
    if (strcmp(bench_param_text(context, "ranks"), "auto") != 0 &&
        bench_param_u64(context, "ranks", &o->ranks, err) < 0)
        return -1;
    if (o->program == PINGPONG && o->ranks != 2)
        return refuse("ranks", "pingpong has two", err);
    return o->ranks >= 1 && o->ranks <= 1000000 ? 0 : refuse("ranks", "there must be at least one", err);
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
        return refuse("report", "only pingpong has a bandwidth", err);
    if (o->bytes < 1 || o->bytes > 1U << 30)
        return refuse("bytes", "it must be between 1 and 1G", err);
    return o->seconds > 0 && o->seconds <= 3600 ? 0 : refuse("seconds", "above 0, at most 3600", err);
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
    if (!context->launch && !o.oversubscribe && o.ranks > core_count(context->cpus))
        return "it has more ranks than there are cores: set \"oversubscribe\" to \"yes\" if that is meant";
    return NULL;
}

// "0,1,4": Open MPI does not look at the affinity it inherits when it binds ranks.
static char *cpu_list(const cpu_set_t *cpus) {
    struct str list = {0};
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus))
            str_printf(&list, "%s%d", list.length ? "," : "", cpu);
    return list.text;
}

// An argument vector that owns its words.
struct words {
    char **items;
    size_t count;
    size_t capacity;
};

static void add(struct words *words, char *owned) {
    ARRAY_PUSH(words->items, words->count, words->capacity, owned);
}

static void free_words(struct words *words) {
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
}

static struct words argument_vector(const struct bench_context *context, const struct options *o) {
    struct words argv = {0};
    for (const char *const *word = context->launch; word && *word; word++)
        add(&argv, mem_strdup(*word));
    if (!context->launch) {
        add(&argv, mem_strdup("mpirun"));
        add(&argv, mem_strdup("-np"));
        add(&argv, mem_printf("%llu", (unsigned long long)o->ranks));
        add(&argv, mem_strdup("--bind-to"));
        add(&argv, mem_strdup(o->oversubscribe ? "none" : "core"));
        if (o->oversubscribe)
            add(&argv, mem_strdup("--oversubscribe"));
        else if (CPU_COUNT(context->cpus) < sysconf(_SC_NPROCESSORS_ONLN)) {
            add(&argv, mem_strdup("--cpu-set"));
            add(&argv, cpu_list(context->cpus));
        }
    }
    add(&argv, program_path(context, o->program));
    add(&argv, mem_strdup("--bytes"));
    add(&argv, mem_printf("%llu", (unsigned long long)o->bytes));
    add(&argv, mem_strdup("--seconds"));
    add(&argv, mem_printf("%.9g", o->seconds));
    add(&argv, NULL);
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
    static const char *const environment[] = {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", NULL};
    struct options o;
    struct command_outcome outcome;
    char *line = NULL;
    if (read_options(context, &o, err) < 0)
        return -1;
    struct words argv = argument_vector(context, &o);
    struct command command = {.argv = (const char *const *)argv.items,
                              .environment = geteuid() == 0 ? environment : NULL,
                              .timeout_s = 60 + 20 * o.seconds,
                              .line = look,
                              .closure = &line};
    int status = command_run(&command, &outcome, err);
    free_words(&argv);
    result->fom = NAN;
    result->wall_s = outcome.wall_s;
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
    .summary = "MPI between ranks: pingpong and allreduce (Open MPI)",
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .run = run,
};
