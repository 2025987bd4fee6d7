// SPDX-License-Identifier: Apache-2.0
// Reads options; see options.h.
#include "cli/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// How many options an abbreviation could stand for.
static int meanings(const struct option *options, const char *word) {
    size_t length = strcspn(word, "=");
    int count = 0;
    for (; options->name; options++)
        count += strncmp(options->name, word, length) == 0;
    return count;
}

static int refuse(char **argv, const struct option *options, int option, struct error *err) {
    const char *word = argv[optind - 1];
    const bool is_long = strncmp(word, "--", 2) == 0;
    error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap %s`", argv[0]);
    error_remedy(err, "metalgap %s --help", argv[0]);
    if (option == ':' && is_long)
        error_why(err, "%s needs a value", word);
    else if (option == ':')
        error_why(err, "-%c needs a value", optopt);
    else if (is_long && optopt)
        error_why(err, "%.*s takes no value", (int)strcspn(word, "="), word);
    else if (is_long && meanings(options, word + 2) > 1)
        error_why(err, "%s could be several options", word);
    else if (is_long)
        error_why(err, "there is no option %s", word);
    else
        error_why(err, "there is no option -%c", optopt);
    return '?';
}

int next_option(int argc, char **argv, const char *letters, const struct option *options, struct error *err) {
    char quiet[32];
    snprintf(quiet, sizeof quiet, ":%s", letters); // the colon: no messages of its own, a missing value is ':'
    int option = getopt_long(argc, argv, quiet, options, NULL);
    return option == '?' || option == ':' ? refuse(argv, options, option, err) : option;
}
