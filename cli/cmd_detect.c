// SPDX-License-Identifier: Apache-2.0
// `metalgap detect`: the command line of detect/. May include: detect, core.
#include "cli/command.h"
#include "core/json.h"
#include "detect/detect.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void print_help(void) {
    puts(
        "Usage: metalgap detect [OPTION]...\n"
        "Says what this machine is: hypervisor or bare metal, host OS below or not, cloud, container, and which way "
        "each\n"
        "resource's requests go.\n"
        "\n"
        "      --json         print the platform object (schema metalgap.platform/1)\n"
        "      --root DIR     read recorded evidence below DIR instead of this machine\n"
        "  -h, --help         show this help\n"
        "\n"
        "Examples:\n"
        "  metalgap detect --json | jq .paths");
}

static int print_json(const struct platform *p) {
    cJSON *json = platform_to_json(p);
    char *text = cJSON_Print(json);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
    return EXIT_CODE_DONE;
}

int cmd_detect(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"root", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct detect_options opt = {.timing = true};
    int c;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h') {
            print_help();
            return EXIT_CODE_DONE;
        }
        if (c == '?')
            return EXIT_CODE_USAGE;
        if (c == 'r')
            opt.root = optarg;
    }
    struct platform platform;
    struct error err = {0};
    if (detect_platform(&opt, &platform, &err)) {
        error_print(&err);
        return (int)err.code;
    }
    int code = print_json(&platform);
    platform_free(&platform);
    return code;
}
