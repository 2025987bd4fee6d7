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

void launch_add(struct words *words, const struct bench_context *context, uint64_t ranks, bool oversubscribe) {
    char *wait[MPI_WAIT_WORDS];
    for (const char *const *word = context->launch; word && *word; word++)
        words_add(words, mem_strdup(*word));
    if (!context->launch)
        add_mpirun(words, context, ranks, oversubscribe);
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

// An option of a launcher that says how many ranks there are, where, or what is done with their output: of no use to
// agents. Without its dashes; mpirun takes one or two.
struct placement {
    const char *name;
    bool has_value; // in the next word, unless behind '=' or, for a single letter, right behind it
};

static const struct placement of_mpirun[] = {
    {"np", true},
    {"n", true},
    {"c", true},
    {"N", true},
    {"npernode", true},
    {"npersocket", true},
    {"ppr", true},
    {"map-by", true},
    {"rank-by", true},
    {"bind-to", true},
    {"cpu-set", true},
    {"cpu-list", true},
    {"slot-list", true},
    {"cpus-per-proc", true},
    {"cpus-per-rank", true},
    {"pernode", false},
    {"bynode", false},
    {"byslot", false},
    {"bind-to-core", false},
    {"bind-to-socket", false},
    {"report-bindings", false},
    {"display-map", false},
    {"display-allocation", false},
    {"tag-output", false},
    {"output-filename", true},
    {"timeout", true},
    {NULL, false},
};

static const struct placement of_srun[] = {
    {"n", true},
    {"ntasks", true},
    {"ntasks-per-node", true},
    {"N", true},
    {"nodes", true},
    {"ntasks-per-core", true},
    {"ntasks-per-socket", true},
    {"c", true},
    {"cpus-per-task", true},
    {"m", true},
    {"distribution", true},
    {"cpu-bind", true},
    {"mem-bind", true},
    {"mpi", true},
    {"B", true},
    {"extra-node-info", true},
    {"hint", true},
    {"l", false},
    {"label", false},
    {"K", false},
    {"kill-on-bad-exit", false},
    {"multi-prog", false},
    {"exact", false},
    {"exclusive", false},
    {"o", true},
    {"output", true},
    {"e", true},
    {"error", true},
    {"i", true},
    {"input", true},
    {"t", true},
    {"time", true},
    {"overlap", false},
    {NULL, false},
};

// Options of srun that salloc does not have.
static const struct placement of_steps[] = {
    {"mpi", true},
    {"cpu-bind", true},
    {"mem-bind", true},
    {"label", false},
    {"l", false},
    {"K", false},
    {"kill-on-bad-exit", false},
    {"multi-prog", false},
    {"exact", false},
    {"overlap", false},
    {"o", true},
    {"output", true},
    {"e", true},
    {"error", true},
    {"i", true},
    {"input", true},
    {"u", false},
    {"unbuffered", false},
    {"W", true},
    {"wait", true},
    {"export", true},
    {"r", true},
    {"relative", true},
    {"propagate", false},
    {"task-prolog", true},
    {"task-epilog", true},
    {NULL, false},
};

static int ask_mpirun(struct words *words, const char *variable, struct error *err);
static int ask_srun(struct words *words, const char *variable, struct error *err);

static const struct launcher {
    const char *name;
    const struct placement *placements;
    bool values_attached;                                                     // "-n4" is "-n 4"
    int (*ask)(struct words *words, const char *variable, struct error *err); // adds what asks for one a node
} launchers[] = {
    {"mpirun", of_mpirun, false, ask_mpirun},
    {"mpiexec", of_mpirun, false, ask_mpirun},
    {"orterun", of_mpirun, false, ask_mpirun},
    {"srun", of_srun, true, ask_srun},
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

// How many words an option of the table takes at this place; 0: it is none.
static int placement_words(const struct placement *placements, bool values_attached, const char *word) {
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    bool letter = name == word + 1;
    if (name == word || !*name)
        return 0;
    for (const struct placement *p = placements; p->name; p++) {
        size_t own = strlen(p->name);
        if (length == own && strncmp(name, p->name, own) == 0 && (own > 1 || letter))
            return p->has_value && !name[length] ? 2 : 1;
        if (values_attached && letter && own == 1 && p->has_value && *name == *p->name)
            return 1;
    }
    return 0;
}

int launch_add_agents(struct words *words, const char *const *launch, const char *variable, struct error *err) {
    const struct launcher *launcher = NULL;
    for (; *launch; launch++) {
        int dropped = launcher ? placement_words(launcher->placements, launcher->values_attached, *launch) : 0;
        if (dropped == 2 && launch[1])
            launch++;
        if (dropped)
            continue;
        words_add(words, mem_strdup(*launch));
        if (launcher)
            continue;
        launcher = launcher_of(*launch);
        if (launcher && launcher->ask(words, variable, err))
            return -1;
    }
    return 0;
}

void launch_into_allocation(const char *const *launch, char *const *argv) {
    struct words words = {0};
    if (!launch || !launch_known(launch) || strcmp(launch_known(launch), "srun") != 0 || getenv("SLURM_JOB_ID"))
        return;
    words_add(&words, mem_strdup("salloc"));
    while (!launcher_of(*launch))
        launch++;
    for (launch++; *launch; launch++) {
        int dropped = placement_words(of_steps, true, *launch);
        if (dropped == 2 && launch[1])
            launch++;
        if (!dropped)
            words_add(&words, mem_strdup(*launch));
    }
    words_add_program(&words);
    for (; *argv; argv++)
        words_add(&words, mem_strdup(*argv));
    words_add(&words, NULL);
    fflush(NULL);
    execvp(words.items[0], words.items);
    words_free(&words); // the run goes on without agents, and says why
}
