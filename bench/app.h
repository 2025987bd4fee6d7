// SPDX-License-Identifier: Apache-2.0
// Applications: a JSON description (metalgap.app/1, docs/suites.md) of how an external program is prepared, run and
// read. app.c, app_values.c and app_rules.c read a description, app_watch.c what the program writes, app_deck.c makes
// its folder.
// May include: bench/command.h, bench/launch.h, core.
#pragma once

#include "bench/command.h"
#include "bench/launch.h"

#define APP_SCHEMA "metalgap.app/1"

enum app_rule_kind { RULE_FOM, RULE_STEP, RULE_VALID, RULE_FACT };
enum app_take { TAKE_LAST, TAKE_FIRST, TAKE_MAX, TAKE_MIN, TAKE_MEAN, TAKE_COUNT };

// A pattern, what it is for, and what it has met so far. The texts point into the description.
struct app_rule {
    enum app_rule_kind kind;
    const char *text;   // the pattern
    const char *name;   // of a fact; of a validity rule: what it means if it is broken
    regex_t regex;      // compiled
    size_t figure;      // of a figure of merit: which of app->figures
    enum app_take take; // which of the numbers is the figure of merit
    uint64_t skip;      // this many first numbers don't count
    int64_t count;      // validity: so many lines must match; -1: at least one
    double below;       // validity: the absolute value of each number must be below; infinite: any

    uint64_t lines;   // that matched
    uint64_t numbers; // in those, after the skipped ones
    double first, last, min, max, sum;
    bool above;       // a number was not below
    uint64_t last_ns; // when the last line came
    char fact[96];
};

struct app {
    cJSON *root;   // as written
    cJSON *doc;    // with ${...} filled in, except ${dir} and ${launcher}
    cJSON *values; // what ${...} stands for: an object of strings
    uint64_t ranks;
    uint64_t min_ranks; // with fewer it refuses to run
    bool ranks_guessed; // as many as cores, though --launch starts another number perhaps
    bool oversubscribe;
    char *lacks;                             // an environment variable that it needs and that is not set; NULL: none
    const cJSON *figures[BENCH_MAX_FIGURES]; // descriptions of the figures of merit that are wanted
    size_t figure_count;                     // 0: wall time is compared
    struct app_rule *rules;
    size_t count;
    size_t capacity;
};

// Reads and checks the description that the parameters of the bench "application" name. 0 or -1 (code 3, with file,
// line and column); app_free() releases *out in both cases.
int app_load(const struct bench_context *context, struct app *out, struct error *err);
void app_free(struct app *app);

// A text with its ${name}s filled in from an object of strings; unknown names stay. free() it.
char *app_fill(const char *text, const cJSON *values);

// --- app_watch.c ----------------------------------------------------------------------------------------------------

// One line that the program wrote, and when (0: not known, since it was read from a file afterwards). Steps go to
// `result`.
void app_line(struct app *app, const char *line, uint64_t now_ns, struct bench_result *result);

// After the last line: the figures of merit, the facts, and whether all that must be there is. Leaves a result alone
// that is not valid already. Of several figures one that is missing leaves the others valid.
void app_conclude(const struct app *app, struct bench_result *result);

// --- app_deck.c -----------------------------------------------------------------------------------------------------

// The folder of a prepared input: $XDG_CACHE_HOME (or ~/.cache)/metalgap/apps/HASH, with deck/, and run/ of one sample.
struct app_deck {
    char hash[65]; // of the files, of how they are prepared, and of what was copied
    char *folder;
    int lock; // so that two runs don't share one
};

// Makes or finds the prepared input, and makes a fresh copy of it, run/. 0 or -1; app_deck_close() in both cases.
int app_deck_open(const struct app *app, struct app_deck *out, struct error *err);

// Removes run/, or keeps it as failed/.
void app_deck_finish(const struct app_deck *deck, bool failed);
void app_deck_close(struct app_deck *deck);

// The environment of the application's commands: "NAME=value", NULL-terminated.
void app_environment(const struct app *app, struct words *out);
