// SPDX-License-Identifier: Apache-2.0
// metalgap agent: not for people. `metalgap run --launch` has launchers start it on the nodes of a job (docs/nodes.md):
// "agent serve" once a node, "agent exec RUN SAMPLE MODE PASS -- PROGRAM [ARG...]" for each rank.
#include "bench/agent.h"
#include "cli/command.h"
#include "cli/run_header.h"
#include "core/parse.h"
#include "core/paths.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: metalgap agent serve [--collectors LIST] [--tick-budget PCT]\n"
    "                            [--label NAME] [--role ROLE]\n"
    "       metalgap agent exec RUN SAMPLE MODE PASS -- PROGRAM [ARG...]\n"
    "\n"
    "Started by `metalgap run --launch` on the nodes of a job, not by people:\n"
    "docs/nodes.md tells how.\n"
    "\n"
    "Example, as it is started for one rank:\n"
    "  metalgap agent exec 0123456789abcdef 7 timing - -- ./solver input.dat\n";

static int wrong_usage(struct error *err) {
    error_set(err, EXIT_CODE_USAGE, "reading the words behind `metalgap agent`");
    return error_remedy(err, "it is for `metalgap run --launch`: metalgap agent --help");
}

static int serve(int argc, char **argv, struct error *err) {
    static const struct option options[] = {
        {"collectors", required_argument, NULL, 'c'},
        {"label", required_argument, NULL, 'l'},
        {"role", required_argument, NULL, 'r'},
        {"tick-budget", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    const char *label = NULL;
    const char *role = NULL;
    struct agent_options o = {.collectors = "all"};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            o.collectors = optarg;
        else if (option == 'l')
            label = optarg;
        else if (option == 'r')
            role = optarg;
        else if (option != 't' || parse_percent("--tick-budget", optarg, &o.tick_budget_pct, err))
            return wrong_usage(err);
    }
    cJSON *header = run_header(label, role, 0, argv);
    o.header = header;
    int result = agent_serve(&o, err);
    cJSON_Delete(header);
    return result;
}

static int guard(int argc, char **argv, struct error *err) {
    struct agent_sample sample = {0};
    struct paths paths;
    int mode = 0;
    if (argc < 7 || strcmp(argv[5], "--") != 0)
        return wrong_usage(err);
    while (mode < MODE_COUNT && strcmp(argv[3], sample_mode_names[mode]) != 0)
        mode++;
    if (mode == MODE_COUNT || parse_count("SAMPLE", argv[2], 0, UINT32_MAX, &sample.number, err))
        return wrong_usage(err);
    paths_find(&paths, NULL); // what is not there is told by what needs it
    sample.run = argv[1];
    sample.mode = (enum sample_mode)mode;
    sample.pass = argv[4];
    sample.exec_dir = paths.mpi;
    int result = agent_guard(&sample, argv + 6);
    paths_free(&paths);
    return result;
}

int cmd_agent(int argc, char **argv) {
    struct error err = {0};
    int result = -1;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_CODE_DONE;
    }
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        result = serve(argc - 1, argv + 1, &err);
    else if (argc > 1 && strcmp(argv[1], "exec") == 0)
        result = guard(argc - 1, argv + 1, &err);
    else
        wrong_usage(&err);
    if (result >= 0)
        return result;
    error_print(&err);
    return err.code;
}
