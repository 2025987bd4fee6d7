// SPDX-License-Identifier: Apache-2.0
// Launching on several cores. See launch.h.
#include "bench/launch.h"

#include "bench/mpi_wait.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void words_add(struct words *words, char *owned) {
    ARRAY_PUSH(words->items, words->count, words->capacity, owned);
}

void words_free(struct words *words) {
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

void words_add_program(struct words *words) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    words_add(words, length > 0 ? mem_printf("%.*s", (int)length, path) : mem_strdup("metalgap"));
}

unsigned launch_cores(const cpu_set_t *cpus) {
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

// "0,1,4": Open MPI does not look at the affinity it inherits when it binds ranks.
static char *cpu_list(const cpu_set_t *cpus) {
    struct str list = {0};
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus))
            str_printf(&list, "%s%d", list.length ? "," : "", cpu);
    return list.text;
}

static void add_mpirun(struct words *words, const struct bench_context *context, uint64_t ranks, bool oversubscribe) {
    words_add(words, mem_strdup("mpirun"));
    words_add(words, mem_strdup("-np"));
    words_add(words, mem_printf("%llu", (unsigned long long)ranks));
    words_add(words, mem_strdup("--bind-to"));
    words_add(words, mem_strdup(oversubscribe ? "none" : "core"));
    if (oversubscribe) {
        words_add(words, mem_strdup("--oversubscribe"));
    } else if (CPU_COUNT(context->cpus) < sysconf(_SC_NPROCESSORS_ONLN)) {
        words_add(words, mem_strdup("--cpu-set"));
        words_add(words, cpu_list(context->cpus));
    }
}

void launch_add_environment(struct words *words, const cJSON *environment) {
    const cJSON *item;
    if (!environment || !environment->child)
        return;
    words_add(words, mem_strdup("env"));
    cJSON_ArrayForEach(item, environment) {
        words_add(words, mem_printf("%s=%s", item->string, cJSON_GetStringValue(item)));
    }
}

void launch_add(struct words *words, const struct bench_context *context, uint64_t ranks, bool oversubscribe) {
    char *wait[MPI_WAIT_WORDS];
    for (const char *const *word = context->launch; word && *word; word++)
        words_add(words, mem_strdup(*word));
    if (!context->launch)
        add_mpirun(words, context, ranks, oversubscribe);
    else
        launch_add_environment(words, context->environment);
    if (!context->wait_file)
        return;
    mpi_wait_words(context->exec_dir, context->wait_file, wait);
    for (size_t i = 0; i < MPI_WAIT_WORDS; i++)
        words_add(words, wait[i]);
}

const char *const *launch_environment(void) {
    static const char *const of_root[] = {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", NULL};
    return geteuid() == 0 ? of_root : NULL;
}

// --- one process a node
// ------------------------------------------------------------------------------------------------

// Why an option of a launcher is left out of other words.
enum {
    RANKS = 1, // how many ranks there are, where, or what is done with their output: of no use to agents
    STEP = 2   // salloc does not have it
};

// An option of a launcher, without its dashes; mpirun takes one or two.
struct placement {
    const char *name;
    bool has_value; // in the next word, unless behind '=' or, for a single letter, right behind it
    unsigned says;
};

static const struct placement of_mpirun[] = {
    {"np", true, RANKS},
    {"n", true, RANKS},
    {"c", true, RANKS},
    {"N", true, RANKS},
    {"npernode", true, RANKS},
    {"npersocket", true, RANKS},
    {"ppr", true, RANKS},
    {"map-by", true, RANKS},
    {"rank-by", true, RANKS},
    {"bind-to", true, RANKS},
    {"cpu-set", true, RANKS},
    {"cpu-list", true, RANKS},
    {"slot-list", true, RANKS},
    {"cpus-per-proc", true, RANKS},
    {"cpus-per-rank", true, RANKS},
    {"pernode", false, RANKS},
    {"bynode", false, RANKS},
    {"byslot", false, RANKS},
    {"bind-to-core", false, RANKS},
    {"bind-to-socket", false, RANKS},
    {"report-bindings", false, RANKS},
    {"display-map", false, RANKS},
    {"display-allocation", false, RANKS},
    {"tag-output", false, RANKS},
    {"output-filename", true, RANKS},
    {"timeout", true, RANKS},
    {NULL, false, 0},
};

static const struct placement of_srun[] = {
    {"n", true, RANKS},
    {"ntasks", true, RANKS},
    {"ntasks-per-node", true, RANKS},
    {"N", true, RANKS},
    {"nodes", true, RANKS},
    {"ntasks-per-core", true, RANKS},
    {"ntasks-per-socket", true, RANKS},
    {"c", true, RANKS},
    {"cpus-per-task", true, RANKS},
    {"m", true, RANKS},
    {"distribution", true, RANKS},
    {"cpu-bind", true, RANKS | STEP},
    {"mem-bind", true, RANKS | STEP},
    {"mpi", true, RANKS | STEP},
    {"B", true, RANKS},
    {"extra-node-info", true, RANKS},
    {"hint", true, RANKS},
    {"l", false, RANKS | STEP},
    {"label", false, RANKS | STEP},
    {"K", false, RANKS | STEP},
    {"kill-on-bad-exit", false, RANKS | STEP},
    {"multi-prog", false, RANKS | STEP},
    {"exact", false, RANKS | STEP},
    {"exclusive", false, RANKS},
    {"o", true, RANKS | STEP},
    {"output", true, RANKS | STEP},
    {"e", true, RANKS | STEP},
    {"error", true, RANKS | STEP},
    {"i", true, RANKS | STEP},
    {"input", true, RANKS | STEP},
    {"t", true, RANKS},
    {"time", true, RANKS},
    {"overlap", false, RANKS | STEP},
    {"u", false, STEP},
    {"unbuffered", false, STEP},
    {"W", true, STEP},
    {"wait", true, STEP},
    {"export", true, STEP},
    {"r", true, STEP},
    {"relative", true, STEP},
    {"propagate", false, STEP},
    {"task-prolog", true, STEP},
    {"task-epilog", true, STEP},
    {NULL, false, 0},
};

static int ask_mpirun(struct words *words, const char *variable, struct error *err);
static int ask_srun(struct words *words, const char *variable, struct error *err);

static const struct launcher {
    const char *name;
    const struct placement *placements;
    bool values_attached; // "-n4" is "-n 4", and letters have one dash only
    int (*ask)(struct words *words, const char *variable, struct error *err); // adds what asks for one a node
    const char *ranks[4]; // options that say how many ranks there are
} launchers[] = {
    {"mpirun", of_mpirun, false, ask_mpirun, {"np", "n", "c", NULL}},
    {"mpiexec", of_mpirun, false, ask_mpirun, {"np", "n", "c", NULL}},
    {"orterun", of_mpirun, false, ask_mpirun, {"np", "n", "c", NULL}},
    {"srun", of_srun, true, ask_srun, {"n", "ntasks", NULL}},
};

static int ask_mpirun(struct words *words, const char *variable, struct error *err) {
    static const char *const asked[] = {"--map-by", "ppr:1:node", "--bind-to", "none", "-x"};
    (void)err;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        words_add(words, mem_strdup(asked[i]));
    words_add(words, mem_strdup(variable));
    return 0;
}

// Slurm passes the environment on by itself. Without --overlap the agents would keep their CPUs from the ranks.
static int ask_srun(struct words *words, const char *variable, struct error *err) {
    static const char *const asked[] = {"--ntasks-per-node=1", "--overlap", "--mpi=none", "--cpu-bind=none"};
    const char *nodes = getenv("SLURM_JOB_NUM_NODES");
    (void)variable;
    if (!nodes) {
        error_set(err, EXIT_CODE_LACKS, "starting agents through srun");
        error_why(err, "this is not inside an allocation, so that each srun would get nodes of its own");
        return error_remedy(err, "salloc with the same options, then metalgap run inside");
    }
    words_add(words, mem_strdup("-N"));
    words_add(words, mem_strdup(nodes));
    words_add(words, mem_strdup("-n"));
    words_add(words, mem_strdup(nodes));
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        words_add(words, mem_strdup(asked[i]));
    return 0;
}

static const struct launcher *launcher_of(const char *word) {
    const char *slash = strrchr(word, '/');
    for (size_t i = 0; i < ARRAY_LEN(launchers); i++)
        if (strcmp(slash ? slash + 1 : word, launchers[i].name) == 0)
            return &launchers[i];
    return NULL;
}

const char *launch_known(const char *const *launch) {
    const struct launcher *found = NULL;
    for (; launch && *launch && !found; launch++)
        found = launcher_of(*launch);
    return found ? found->name : NULL;
}

// The value of an option if it stands at this place, in the word itself or in the next; NULL: it does not.
static const char *value_at(const char *const *place, const char *option, bool attached) {
    const char *name = *place + strspn(*place, "-");
    size_t length = strcspn(name, "=");
    size_t own = strlen(option);
    bool letter = name == *place + 1;
    if (name == *place)
        return NULL;
    if (length == own && strncmp(name, option, own) == 0 && (own > 1 || letter || !attached))
        return name[length] ? name + length + 1 : place[1];
    return attached && letter && own == 1 && *name == *option ? name + 1 : NULL;
}

// The number that the last of these options says; 0: none of them stands there, or it is no plain number.
static uint64_t number_in(const char *const *words, const char *const *options, bool attached) {
    uint64_t number = 0;
    for (; *words; words++) {
        for (const char *const *option = options; *option; option++) {
            const char *value = value_at(words, *option, attached);
            char *end = NULL;
            number = value ? strtoull(value, &end, 10) : number;
            if (end && (end == value || *end))
                number = 0;
        }
    }
    return number;
}

// srun without a number of tasks: as many as the nodes and the tasks on each say, else as the allocation was made for.
static uint64_t slurm_ranks(const char *const *words) {
    static const char *const nodes[] = {"N", "nodes", NULL};
    static const char *const tasks[] = {"ntasks-per-node", NULL};
    const char *allocated = getenv("SLURM_NTASKS");
    uint64_t count = number_in(words, nodes, true);
    uint64_t each = number_in(words, tasks, true);
    if (count)
        return count * (each ? each : 1);
    return allocated ? strtoull(allocated, NULL, 10) : 0;
}

uint64_t launch_ranks(const char *const *launch) {
    const struct launcher *launcher = NULL;
    for (; *launch && !launcher; launch++)
        launcher = launcher_of(*launch);
    uint64_t ranks = launcher ? number_in(launch, launcher->ranks, launcher->values_attached) : 0;
    return launcher && !ranks && launcher->ask == ask_srun ? slurm_ranks(launch) : ranks;
}

// How many words an option that says one of these takes at this place; 0: it is none.
static int placement_words(const struct launcher *launcher, unsigned says, const char *word) {
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    bool letter = name == word + 1;
    if (name == word || !*name)
        return 0;
    for (const struct placement *p = launcher->placements; p->name; p++) {
        size_t own = strlen(p->name);
        if (!(p->says & says))
            continue;
        if (length == own && strncmp(name, p->name, own) == 0 && (own > 1 || letter || !launcher->values_attached))
            return p->has_value && !name[length] ? 2 : 1;
        if (launcher->values_attached && letter && own == 1 && p->has_value && *name == *p->name)
            return 1;
    }
    return 0;
}

static void add_others(struct words *words, const char *const *launch, const struct launcher *launcher, unsigned says) {
    for (; *launch; launch++) {
        int dropped = placement_words(launcher, says, *launch);
        if (dropped == 2 && launch[1])
            launch++;
        if (!dropped)
            words_add(words, mem_strdup(*launch));
    }
}

int launch_add_agents(struct words *words, const char *const *launch, const char *variable, struct error *err) {
    const struct launcher *launcher = NULL;
    for (; *launch && !launcher; launch++) {
        words_add(words, mem_strdup(*launch));
        launcher = launcher_of(*launch);
    }
    if (!launcher)
        return 0;
    if (launcher->ask(words, variable, err))
        return -1;
    add_others(words, launch, launcher, RANKS);
    return 0;
}

void launch_into_allocation(const char *const *launch, char *const *argv) {
    struct words words = {0};
    if (!launch || !launch_known(launch) || strcmp(launch_known(launch), "srun") != 0 || getenv("SLURM_JOB_ID"))
        return;
    while (!launcher_of(*launch))
        launch++;
    words_add(&words, mem_strdup("salloc"));
    add_others(&words, launch + 1, launcher_of(*launch), STEP);
    words_add_program(&words);
    for (; *argv; argv++)
        words_add(&words, mem_strdup(*argv));
    words_add(&words, NULL);
    fflush(NULL);
    execvp(words.items[0], words.items);
    words_free(&words); // the run goes on without agents, and says why
}
