// SPDX-License-Identifier: Apache-2.0
// Reads journals line by line, strictly. See journal.h.
#include "core/journal.h"

#include "core/json_quick.h"
#include "core/memory.h"
#include "core/names.h"
#include "core/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const sample_mode_names[MODE_COUNT] = {"timing", "attribution"};

enum { CHUNK = 1 << 16 };

struct journal_reader {
    FILE *file;
    char *path;
    char *chunk; // what was read ahead of the line: [at, end) is still to come
    size_t at;
    size_t end;
    struct str text; // the line
    size_t line;
    struct json_quick *quick;
    cJSON *tree;             // the line where `quick` declined it, else NULL
    const cJSON *json;       // the line either way
    struct observations obs; // of the current record; their details are parts of `json`
    size_t unknown_lines;
    bool truncated;
    bool has_header;
    struct names cases; // seen so far: a sample must name one of them
};

struct journal_reader *journal_read(const char *path, struct error *err) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file) {
        const int error = errno;
        error_set(err, EXIT_CODE_INPUT, "reading the journal %s", path);
        error_why(err, "%s", strerror(error));
        if (error == ENOENT)
            error_remedy(err, "check the name; `metalgap run -o FILE` makes journals");
        return NULL;
    }
    return journal_read_stream(file, path);
}

struct journal_reader *journal_read_stream(FILE *file, const char *name) {
    struct journal_reader *r = mem_alloc(sizeof *r);
    r->file = file;
    r->path = mem_strdup(name);
    r->chunk = mem_alloc(CHUNK);
    r->quick = json_quick_new();
    return r;
}

static void forget_record(struct journal_reader *r) {
    cJSON_Delete(r->tree);
    r->tree = NULL;
    r->json = NULL;
    r->obs.count = r->obs.untold_count = 0;
}

void journal_end_reading(struct journal_reader *r) {
    if (!r)
        return;
    forget_record(r);
    if (r->file != stdin)
        fclose(r->file);
    names_free(&r->cases);
    free(r->obs.items);
    free(r->obs.untold); // their reasons are the lines'
    json_quick_free(r->quick);
    str_free(&r->text);
    free(r->chunk);
    free(r->path);
    free(r);
}

bool journal_was_truncated(const struct journal_reader *r) {
    return r->truncated;
}

size_t journal_unknown_lines(const struct journal_reader *r) {
    return r->unknown_lines;
}

static int refuse(const cJSON *node, struct error *err, const char *what, const char *why) {
    error_set(err, EXIT_CODE_INPUT, "%s", what);
    if (err)
        err->node = node;
    return error_why(err, "%s", why);
}

static const cJSON *member(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

// --- one parser per type of line ----------------------------------------------------------------------------------

// A later minor version ("metalgap.run/1.2") only adds keys and types of lines, which are passed over.
static bool is_known_schema(const char *schema) {
    const size_t length = strlen(JOURNAL_SCHEMA);
    if (strncmp(schema, JOURNAL_SCHEMA, length) != 0)
        return false;
    return !schema[length] || (schema[length] == '.' && schema[length + 1] &&
                               strspn(schema + length + 1, "0123456789") == strlen(schema + length + 1));
}

static int parse_header(struct journal_reader *r, struct journal_record *out, struct error *err) {
    (void)out;
    const char *schema = NULL;
    if (json_get_string(r->json, "schema", JSON_REQUIRED, &schema, err) < 0)
        return -1;
    if (r->has_header)
        return refuse(r->json, err, "reading a journal", "there is a second header; two runs in one file?");
    if (!is_known_schema(schema)) {
        refuse(member(r->json, "schema"), err, "reading a journal", "");
        error_why(err, "the schema is \"%s\"; this version reads " JOURNAL_SCHEMA, schema);
        return strncmp(schema, "metalgap.run/", 13) == 0 ? error_remedy(err, "use a newer metalgap") : -1;
    }
    r->has_header = true;
    return 0;
}

static int parse_better(const cJSON *fom, enum fom_better *out, struct error *err) {
    const char *better = NULL;
    if (json_get_string(fom, "better", JSON_REQUIRED, &better, err) < 0)
        return -1;
    if (strcmp(better, "higher") != 0 && strcmp(better, "lower") != 0)
        return refuse(member(fom, "better"), err, "reading the key \"better\"", "expected \"higher\" or \"lower\"");
    *out = strcmp(better, "higher") == 0 ? FOM_HIGHER : FOM_LOWER;
    return 0;
}

static int parse_case(struct journal_reader *r, struct journal_record *out, struct error *err) {
    struct journal_case *c = &out->c;
    const cJSON *fom = NULL;
    if (json_get_string(r->json, "case", JSON_REQUIRED, &c->name, err) < 0 ||
        json_get_string(r->json, "bench", JSON_OPTIONAL, &c->bench, err) < 0 ||
        json_get_object(r->json, "params", JSON_OPTIONAL, &c->params, err) < 0 ||
        json_get_double(r->json, "cpus", JSON_OPTIONAL, &c->cpus, err) < 0 ||
        json_get_string(r->json, "cpu_list", JSON_OPTIONAL, &c->cpu_list, err) < 0)
        return -1;
    int has_fom = json_get_object(r->json, "fom", JSON_OPTIONAL, &fom, err);
    if (has_fom < 0)
        return -1;
    if (has_fom &&
        (json_get_string(fom, "name", JSON_REQUIRED, &c->fom_name, err) < 0 ||
         json_get_string(fom, "unit", JSON_OPTIONAL, &c->fom_unit, err) < 0 || parse_better(fom, &c->better, err) < 0))
        return -1;
    names_add(&r->cases, c->name);
    return 0;
}

static int parse_observations(struct journal_reader *r, struct journal_record *out, struct error *err) {
    const cJSON *list = NULL;
    if (json_get_array(r->json, "obs", JSON_OPTIONAL, &list, err) < 0)
        return -1;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        struct observation o;
        int got = observation_from_json(item, &o, err);
        if (got < 0)
            return -1;
        if (got)
            observations_add(&r->obs, o);
        else
            out->unknown_causes++;
    }
    return 0;
}

static int parse_untold(struct journal_reader *r, struct journal_record *out, struct error *err) {
    const cJSON *list = NULL;
    if (json_get_array(r->json, "unknown", JSON_OPTIONAL, &list, err) < 0)
        return -1;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        struct untold what;
        int got = untold_from_json(item, &what, err);
        if (got < 0)
            return -1;
        if (got)
            ARRAY_PUSH(r->obs.untold, r->obs.untold_count, r->obs.untold_capacity, what);
        else
            out->unknown_causes++;
    }
    return 0;
}

static int parse_mode(const cJSON *line, enum sample_mode *out, struct error *err) {
    const char *mode = NULL;
    if (json_get_string(line, "mode", JSON_REQUIRED, &mode, err) < 0)
        return -1;
    for (int i = 0; i < MODE_COUNT; i++) {
        if (strcmp(mode, sample_mode_names[i]) == 0) {
            *out = (enum sample_mode)i;
            return 0;
        }
    }
    return refuse(member(line, "mode"), err, "reading the key \"mode\"", "expected \"timing\" or \"attribution\"");
}

static int parse_optional_index(const cJSON *line, const char *key, int64_t *out, struct error *err) {
    uint64_t value = 0;
    int found = json_get_u64(line, key, JSON_OPTIONAL, &value, err);
    *out = found > 0 ? (int64_t)value : -1;
    return found;
}

static int parse_sample(struct journal_reader *r, struct journal_record *out, struct error *err) {
    struct journal_sample *s = &out->sample;
    const cJSON *line = r->json;
    s->fom = NAN;
    s->roi_s = NAN;
    if (json_get_string(line, "case", JSON_REQUIRED, &s->case_name, err) < 0 ||
        json_get_u64(line, "seq", JSON_REQUIRED, &s->seq, err) < 0 || parse_mode(line, &s->mode, err) < 0 ||
        json_get_double(line, "wall_s", JSON_REQUIRED, &s->wall_s, err) < 0 ||
        json_get_bool(line, "valid", JSON_REQUIRED, &s->valid, err) < 0 ||
        parse_optional_index(line, "block", &s->block, err) < 0 ||
        parse_optional_index(line, "rank", &s->rank, err) < 0 ||
        json_get_string(line, "pass", JSON_OPTIONAL, &s->pass, err) < 0 ||
        json_get_string(line, "node", JSON_OPTIONAL, &s->node, err) < 0 ||
        json_get_string(line, "why", JSON_OPTIONAL, &s->why, err) < 0 ||
        json_get_ticks(line, "start_ns", JSON_OPTIONAL, &s->start_ns, err) < 0 ||
        json_get_ticks(line, "start_tsc", JSON_OPTIONAL, &s->start_tsc, err) < 0 ||
        json_get_ticks(line, "end_tsc", JSON_OPTIONAL, &s->end_tsc, err) < 0 ||
        json_get_double(line, "fom", JSON_OPTIONAL, &s->fom, err) < 0 ||
        json_get_double(line, "roi_s", JSON_OPTIONAL, &s->roi_s, err) < 0 ||
        json_get_array(line, "steps_s", JSON_OPTIONAL, &s->steps_s, err) < 0 ||
        json_get_object(line, "circumstances", JSON_OPTIONAL, &s->circumstances, err) < 0 ||
        parse_observations(r, out, err) < 0 || parse_untold(r, out, err) < 0)
        return -1;
    if (s->wall_s < 0)
        return refuse(member(line, "wall_s"), err, "reading the key \"wall_s\"", "it is negative");
    if (!isnan(s->roi_s) && s->roi_s <= 0)
        return refuse(member(line, "roi_s"), err, "reading the key \"roi_s\"", "it is not positive");
    if (names_find(&r->cases, s->case_name) == NAMES_NONE)
        return refuse(member(line, "case"), err, "reading a sample",
                      "no line of type \"case\" before it has this name");
    if (isnan(s->roi_s))
        s->roi_s = s->wall_s;
    s->obs = r->obs;
    return 0;
}

static int parse_window(struct journal_reader *r, struct journal_record *out, struct error *err) {
    if (parse_observations(r, out, err) < 0)
        return -1;
    out->window_obs = r->obs;
    return 0;
}

static int parse_note(struct journal_reader *r, struct journal_record *out, struct error *err) {
    (void)out;
    const char *text;
    return json_get_string(r->json, "text", JSON_REQUIRED, &text, err) < 0 ? -1 : 0;
}

static int parse_calibration(struct journal_reader *r, struct journal_record *out, struct error *err) {
    (void)out;
    struct calibration read;
    return calibration_from_json(r->json, &read, err);
}

static int parse_end(struct journal_reader *r, struct journal_record *out, struct error *err) {
    (void)out;
    const char *status;
    return json_get_string(r->json, "status", JSON_REQUIRED, &status, err) < 0 ? -1 : 0;
}

static int parse_node(struct journal_reader *r, struct journal_record *out, struct error *err) {
    (void)out;
    const char *node;
    return json_get_string(r->json, "node", JSON_REQUIRED, &node, err) < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    int (*parse)(struct journal_reader *r, struct journal_record *out, struct error *err);
} types[JOURNAL_TYPE_COUNT] = {
    [JOURNAL_HEADER] = {"header", parse_header},
    [JOURNAL_CASE] = {"case", parse_case},
    [JOURNAL_SAMPLE] = {"sample", parse_sample},
    [JOURNAL_NODE] = {"node", parse_node},
    [JOURNAL_WINDOW] = {"window", parse_window},
    [JOURNAL_NOTE] = {"note", parse_note},
    [JOURNAL_CALIBRATION] = {"calibration", parse_calibration},
    [JOURNAL_END] = {"end", parse_end},
};

// 1: parsed; 0: a type that this version does not know; -1: malformed.
static int parse_record(struct journal_reader *r, struct journal_record *out, struct error *err) {
    const char *type = NULL;
    if (!cJSON_IsObject(r->json))
        return refuse(r->json, err, "reading a journal", "the line is not an object");
    if (json_get_string(r->json, "t", JSON_REQUIRED, &type, err) < 0)
        return -1;
    for (int i = 0; i < JOURNAL_TYPE_COUNT; i++) {
        if (strcmp(type, types[i].name) != 0)
            continue;
        if (!r->has_header && i != JOURNAL_HEADER)
            return refuse(r->json, err, "reading a journal", "the first line is not a header");
        out->type = (enum journal_type)i;
        return types[i].parse(r, out, err) < 0 ? -1 : 1;
    }
    if (!r->has_header)
        return refuse(r->json, err, "reading a journal", "the first line is not a header");
    r->unknown_lines++;
    return 0;
}

// Makes sure that something is read ahead; false at the end of the file or where the stream failed.
static bool read_ahead(struct journal_reader *r) {
    if (r->at == r->end) {
        r->at = 0;
        r->end = fread(r->chunk, 1, CHUNK, r->file);
    }
    return r->end > 0;
}

// Reads up to and with the newline. 0, or -1 if the stream failed or the line is too long.
static int read_line(struct journal_reader *r, struct error *err) {
    bool ended = false;
    r->text.length = 0;
    while (!ended && r->text.length <= JOURNAL_LINE_MAX && read_ahead(r)) {
        const char *from = r->chunk + r->at;
        const char *newline = memchr(from, '\n', r->end - r->at);
        size_t count = newline ? (size_t)(newline - from) + 1 : r->end - r->at;
        str_add_bytes(&r->text, from, count);
        r->at += count;
        ended = newline;
    }
    bool too_long = r->text.length > JOURNAL_LINE_MAX;
    if (!too_long && (ended || !ferror(r->file)))
        return 0;
    error_set(err, EXIT_CODE_INPUT, "reading the journal %s", r->path);
    if (r->line || r->text.length) // else it is no matter of a line: a folder
        error_at(err, r->path, r->line + 1, 0);
    return too_long ? error_why(err, "the line is longer than %zu MiB", JOURNAL_LINE_MAX >> 20)
                    : error_why(err, "%s", strerror(errno));
}

// 1: a line is in r->text and r->json; 0: end of file; -1: malformed.
static int next_line(struct journal_reader *r, struct error *err) {
    if (read_line(r, err))
        return -1;
    if (r->text.length == 0)
        return 0;
    r->line++;
    bool whole = r->text.text[r->text.length - 1] == '\n';
    r->json = json_quick_parse(r->quick, r->text.text, r->text.length);
    if (!r->json)
        r->json = r->tree = json_parse(r->text.text, r->text.length, (struct json_origin){r->path, r->line}, err);
    if (r->json)
        return 1;
    if (!r->has_header)
        return error_remedy(err, "give a journal, as `metalgap run -o FILE` makes it");
    if (whole)
        return -1;
    r->truncated = true;
    return 0;
}

int journal_next(struct journal_reader *r, struct journal_record *out, struct error *err) {
    for (;;) {
        forget_record(r);
        int got = next_line(r, err);
        if (got == 0 && !r->has_header) {
            error_set(err, EXIT_CODE_INPUT, "reading the journal %s", r->path);
            error_why(err, "the file is empty");
            return error_remedy(err, "a run that was killed at its beginning leaves nothing: run it again");
        }
        if (got <= 0)
            return got;
        *out = (struct journal_record){.line = r->line, .json = r->json};
        got = parse_record(r, out, err);
        if (got < 0) {
            json_place(err, r->json, r->text.text, r->text.length, (struct json_origin){r->path, r->line});
            return -1;
        }
        if (got > 0)
            return 1;
    }
}
