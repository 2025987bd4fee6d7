// SPDX-License-Identifier: Apache-2.0
// The folder of an application: its files, prepared once and copied for each sample. See app.h.
#include "bench/app.h"

#include "core/memory.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_error(struct error *err, const char *doing, const char *path) {
    int why = errno;
    error_set(err, EXIT_CODE_LACKS, "%s %s", doing, path);
    error_why(err, "%s", strerror(why));
    return error_remedy(err, "set XDG_CACHE_HOME to a folder that can be written to");
}

// --- what the input is
// ------------------------------------------------------------------------------------------------

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

// A file that is copied is known by its path, size and time of last change: decks can be gigabytes.
static void hash_copied(SHA2_CTX *hash, const char *path) {
    char *const paths[] = {(char *)path, NULL};
    FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        if (entry->fts_info != FTS_F)
            continue;
        char *line = mem_printf("%s %lld %lld.%09ld\n", entry->fts_path, (long long)entry->fts_statp->st_size,
                                (long long)entry->fts_statp->st_mtim.tv_sec, entry->fts_statp->st_mtim.tv_nsec);
        SHA256Update(hash, (const uint8_t *)line, strlen(line));
        free(line);
    }
    if (tree)
        fts_close(tree);
}

static void hash_input(const struct app *app, char out[65]) {
    static const char *const keys[] = {"files", "prepare", "environment"};
    const cJSON *file;
    SHA2_CTX hash;
    SHA256Init(&hash);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const cJSON *part = cJSON_GetObjectItemCaseSensitive(app->doc, keys[i]);
        char *text = part ? json_print_line(part) : mem_strdup("");
        SHA256Update(&hash, (const uint8_t *)text, strlen(text) + 1);
        free(text);
    }
    cJSON_ArrayForEach(file, cJSON_GetObjectItemCaseSensitive(app->doc, "files")) {
        const char *copied = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(file, "copy"));
        if (copied)
            hash_copied(&hash, copied);
    }
    SHA256End(&hash, out);
}

// --- commands
// ---------------------------------------------------------------------------------------------------------

void app_environment(const struct app *app, struct words *out) {
    const cJSON *item;
    for (const char *const *e = launch_environment(); e && *e; e++)
        words_add(out, mem_strdup(*e));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(app->doc, "environment"))
        words_add(out, mem_printf("%s=%s", item->string, item->valuestring));
    words_add(out, NULL);
}

static int run_to_end(const char *const *argv, const struct words *environment, struct error *err) {
    struct command command = {.argv = argv,
                              .environment = environment ? (const char *const *)environment->items : NULL};
    struct command_outcome outcome;
    char why[512];
    if (command_run(&command, &outcome, err) < 0)
        return -1;
    if (command_succeeded(&outcome, why, sizeof why))
        return 0;
    struct str text = {0};
    for (const char *const *word = argv; *word; word++)
        str_printf(&text, "%s%s", text.length ? " " : "", *word);
    error_set(err, EXIT_CODE_LACKS, "preparing the application: %s", str_text(&text));
    str_free(&text);
    return error_why(err, "%s", why);
}

static int remove_tree(const char *path, struct error *err) {
    const char *const argv[] = {"rm", "-rf", "--", path, NULL};
    return run_to_end(argv, NULL, err);
}

static int copy_tree(const char *from, const char *to, struct error *err) {
    const char *const argv[] = {"cp", "-rL", "--preserve=mode,timestamps", "--", from, to, NULL};
    return run_to_end(argv, NULL, err);
}

// --- making the folder
// ------------------------------------------------------------------------------------------------

// Makes a folder and those above it.
static int make_folders(const char *path, struct error *err) {
    char *copy = mem_strdup(path);
    int result = 0;
    for (char *slash = strchr(copy + 1, '/'); !result; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            result = system_error(err, "making the folder", copy);
        if (!slash)
            break;
        *slash = '/';
    }
    free(copy);
    return result;
}

static int make_folder_of(const char *file, struct error *err) {
    char *folder = mem_strdup(file);
    *strrchr(folder, '/') = '\0';
    int result = make_folders(folder, err);
    free(folder);
    return result;
}

static int write_lines(const char *path, const cJSON *lines, struct error *err) {
    const cJSON *line;
    FILE *f = fopen(path, "we");
    if (!f)
        return system_error(err, "writing", path);
    cJSON_ArrayForEach(line, lines) fprintf(f, "%s\n", line->valuestring);
    bool failed = ferror(f) != 0;
    return fclose(f) || failed ? system_error(err, "writing", path) : 0;
}

// A folder is copied onto the one that is there already.
static int place_copy(const char *from, const char *to, struct error *err) {
    struct stat st;
    bool folder = stat(from, &st) == 0 && S_ISDIR(st.st_mode);
    char *source = folder ? mem_printf("%s/.", from) : mem_strdup(from);
    int result = folder ? make_folders(to, err) : 0;
    if (!result)
        result = copy_tree(source, to, err);
    free(source);
    return result;
}

static int place_file(const char *folder, const cJSON *file, struct error *err) {
    const char *copied = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(file, "copy"));
    char *path = mem_printf("%s/%s", folder, file->string);
    int result = make_folder_of(path, err);
    if (!result)
        result = copied ? place_copy(copied, path, err) : write_lines(path, file, err);
    free(path);
    return result;
}

static int prepare(const struct app *app, const char *folder, struct error *err) {
    const cJSON *argv;
    const cJSON *word;
    struct words environment = {0};
    int result = 0;
    if (chdir(folder) < 0) // this process is the sample's own
        return system_error(err, "going to", folder);
    app_environment(app, &environment);
    cJSON_ArrayForEach(argv, cJSON_GetObjectItemCaseSensitive(app->doc, "prepare")) {
        struct words words = {0};
        cJSON_ArrayForEach(word, argv) words_add(&words, mem_strdup(word->valuestring));
        words_add(&words, NULL);
        result = run_to_end((const char *const *)words.items, &environment, err);
        words_free(&words);
        if (result)
            break;
    }
    words_free(&environment);
    return result;
}

// Makes deck/, all of it or nothing: it gets its name when it is complete.
static int make_deck(const struct app *app, const char *folder, const char *deck, struct error *err) {
    const cJSON *file;
    char *fresh = mem_printf("%s/deck.new", folder);
    int result = remove_tree(fresh, err) || make_folders(fresh, err) ? -1 : 0;
    cJSON_ArrayForEach(file, cJSON_GetObjectItemCaseSensitive(app->doc, "files")) {
        if (!result)
            result = place_file(fresh, file, err);
    }
    if (!result)
        result = prepare(app, fresh, err);
    if (!result && rename(fresh, deck) < 0)
        result = system_error(err, "naming", deck);
    free(fresh);
    return result;
}

static int lock(struct app_deck *deck, struct error *err) {
    char *path = mem_printf("%s/lock", deck->folder);
    deck->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    int result = deck->lock < 0 ? system_error(err, "opening", path) : 0;
    if (!result && flock(deck->lock, LOCK_EX | LOCK_NB) < 0) {
        error_set(err, EXIT_CODE_LACKS, "locking %s", path);
        error_why(err, "another run uses the same input at this moment");
        result = error_remedy(err, "wait for its end: two at once would also disturb each other's figures");
    }
    free(path);
    return result;
}

static char *cache_folder(void) {
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    return cache && *cache == '/' ? mem_printf("%s/metalgap/apps", cache)
                                  : mem_printf("%s/.cache/metalgap/apps", home ? home : "/root");
}

int app_deck_open(const struct app *app, struct app_deck *out, struct error *err) {
    *out = (struct app_deck){.lock = -1};
    hash_input(app, out->hash);
    char *cache = cache_folder();
    out->folder = mem_printf("%s/%s", cache, out->hash);
    free(cache);
    if (make_folders(out->folder, err) || lock(out, err))
        return -1;
    char *deck = mem_printf("%s/deck", out->folder);
    char *run = mem_printf("%s/run", out->folder);
    int result = access(deck, F_OK) == 0 ? 0 : make_deck(app, out->folder, deck, err);
    if (!result)
        result = remove_tree(run, err) || copy_tree(deck, run, err) ? -1 : 0;
    if (!result && chdir(run) < 0)
        result = system_error(err, "going to", run);
    free(deck);
    free(run);
    return result;
}

void app_deck_finish(const struct app_deck *deck, bool failed) {
    char *run = mem_printf("%s/run", deck->folder);
    char *kept = mem_printf("%s/failed", deck->folder);
    if (failed)
        remove_tree(kept, NULL);
    if (!failed || rename(run, kept) < 0)
        remove_tree(run, NULL);
    free(run);
    free(kept);
}

void app_deck_close(struct app_deck *deck) {
    if (deck->lock >= 0)
        close(deck->lock);
    free(deck->folder);
    *deck = (struct app_deck){.lock = -1};
}
