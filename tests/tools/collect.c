// SPDX-License-Identifier: Apache-2.0
// Runs a command as one sample under a set of collectors and prints what they found as JSON: the collectors without the
// runner. Usage: collect SELECTION timing|attribution COMMAND [ARG...]
// CALIBRATE=SECONDS in the environment: unit costs are measured before, as a run does.
// TICK_BUDGET=SHARE: of the time (0 to 1), for ticks of collectors that sample.
#include "bench/calibrate.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "detect/detect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(const struct timeval *t) {
    return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

// Starts the command; it waits until `go` is closed.
static pid_t start(char **argv, int *go) {
    int gate[2];
    if (pipe2(gate, O_CLOEXEC))
        return -1;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(gate[1]);
        if (read(gate[0], &byte, 1) == 0)
            execvp(argv[0], argv);
        _exit(127);
    }
    close(gate[0]);
    *go = gate[1];
    return child;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: collect SELECTION timing|attribution COMMAND [ARG...]\n");
        return 2;
    }
    struct error err;
    static struct calibration calibration;
    cJSON *platform = detect_live_json(false);
    struct collect_options options = {.platform = platform};
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    const char *calibrate_s = getenv("CALIBRATE");
    if (calibrate_s && calibrate(&cpus, strtod(calibrate_s, NULL), &calibration, &err) == 0)
        options.calibration = &calibration;
    const char *tick_budget = getenv("TICK_BUDGET");
    if (tick_budget)
        options.tick_budget = strtod(tick_budget, NULL);
    struct collector_set *set = collector_set_open(argv[1], &options, &err);
    if (!set) {
        error_print(&err);
        return err.code;
    }
    int go = -1;
    int status;
    struct rusage used;
    pid_t job = start(argv + 3, &go);
    if (job < 0) {
        perror("collect: starting the command");
        return 5;
    }
    struct sample_window window = {
        .job = job,
        .cpus = &cpus,
        .mode = strcmp(argv[2], "attribution") == 0 ? MODE_ATTRIBUTION : MODE_TIMING,
        .start_ns = clock_now_ns(),
    };
    struct observations obs = {0};
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "collectors", collector_set_to_json(set));
    struct collector_output out = {
        .obs = &obs,
        .circumstances = cJSON_AddObjectToObject(root, "circumstances"),
        .notes = cJSON_AddArrayToObject(root, "notes"),
    };
    collector_set_begin(set, &window);
    close(go);
    wait4(job, &status, 0, &used);
    window.end_ns = clock_now_ns();
    window.roi_s = (double)(window.end_ns - window.start_ns) * 1e-9;
    window.cpu_s = seconds(&used.ru_utime) + seconds(&used.ru_stime);
    collector_set_end(set, &window, &out);
    collector_set_close(set);
    cJSON *list = cJSON_AddArrayToObject(root, "obs");
    for (size_t i = 0; i < obs.count; i++)
        cJSON_AddItemToArray(list, observation_to_json(&obs.items[i]));
    observations_free(&obs);
    json_add_double(root, "wall_s", window.roi_s);
    char *line = json_print_line(root);
    puts(line);
    free(line);
    cJSON_Delete(root);
    cJSON_Delete(platform);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
