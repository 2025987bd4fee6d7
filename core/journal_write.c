// SPDX-License-Identifier: Apache-2.0
// Writes journals: whole lines, synced. See journal.h.
#include "core/journal.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct journal_writer {
    int fd;
    bool owns_fd; // not for standard output
    bool created; // by us: removed again if nothing came of it
    bool regular; // a regular file: can be synced and cut
    off_t size;   // end of the last whole line, for regular files
    char *path;
};

static int io_error(const struct journal_writer *w, const char *doing, struct error *err) {
    error_set(err, EXIT_CODE_LACKS, "%s the journal %s", doing, w->path);
    error_why(err, "%s", strerror(errno));
    return error_remedy(err, "check the path, its permissions and the free space on that disk");
}

// Finds where the last whole line ends. A last line without newline that is valid JSON gets its newline.
static int mend_tail(struct journal_writer *w, struct error *err) {
    size_t length = 0;
    char *text = json_read_file(w->path, SIZE_MAX / 2, &length, err);
    if (!text)
        return -1;
    size_t keep = length;
    while (keep > 0 && text[keep - 1] != '\n')
        keep--;
    cJSON *last = keep < length ? json_parse(text + keep, length - keep, (struct json_origin){w->path, 1}, NULL) : NULL;
    free(text);
    w->size = (off_t)(last ? length : keep);
    int failed = ftruncate(w->fd, w->size);
    if (!failed && last) {
        failed = write(w->fd, "\n", 1) != 1;
        w->size++;
    }
    cJSON_Delete(last);
    return failed ? io_error(w, "mending", err) : 0;
}

// True if the run was killed while it wrote the header: no whole line, and what is there begins as a header does.
static bool is_cut_header(const char *path) {
    static const char start[] = "{\"t\":\"header\"";
    size_t length = 0;
    char *text = json_read_file(path, JOURNAL_LINE_MAX, &length, NULL);
    if (!text)
        return false;
    size_t common = length < sizeof start - 1 ? length : sizeof start - 1;
    bool cut = memcmp(text, start, common) == 0 && !memchr(text, '\n', length);
    cJSON *whole = cut ? json_parse(text, length, (struct json_origin){path, 1}, NULL) : NULL;
    cJSON_Delete(whole);
    free(text);
    return cut && !whole;
}

// A file that is resumed must be a journal up to its last line, else we would append to something else.
static int check_is_journal(const char *path, struct error *err) {
    struct journal_reader *reader = journal_read(path, err);
    if (!reader)
        return -1;
    struct journal_record record;
    int got;
    while ((got = journal_next(reader, &record, err)) > 0)
        ;
    journal_end_reading(reader);
    return got;
}

static int prepare_file(struct journal_writer *w, bool resume, struct error *err) {
    struct stat st;
    if (fstat(w->fd, &st))
        return io_error(w, "looking at", err);
    w->regular = S_ISREG(st.st_mode);
    if (!w->regular || st.st_size == 0)
        return 0;
    if (!resume) {
        error_set(err, EXIT_CODE_INPUT, "writing the journal %s", w->path);
        error_why(err, "the file exists already");
        return error_remedy(err, "name another file, remove it, or continue it with --resume");
    }
    if (is_cut_header(w->path))
        return ftruncate(w->fd, 0) ? io_error(w, "mending", err) : 0;
    return check_is_journal(w->path, err) || mend_tail(w, err) ? -1 : 0;
}

static int open_file(struct journal_writer *w) {
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC;
    int fd = open(w->path, flags | O_CREAT | O_EXCL, 0644);
    w->created = fd >= 0;
    return fd < 0 && errno == EEXIST ? open(w->path, flags) : fd;
}

struct journal_writer *journal_open(const char *path, bool resume, struct error *err) {
    struct journal_writer *w = mem_alloc(sizeof *w);
    w->path = mem_strdup(path);
    w->owns_fd = strcmp(path, "-") != 0;
    w->fd = w->owns_fd ? open_file(w) : STDOUT_FILENO;
    int failed = w->fd < 0 ? io_error(w, "opening", err) : w->owns_fd ? prepare_file(w, resume, err) : 0;
    if (!failed)
        return w;
    journal_close(w);
    return NULL;
}

void journal_close(struct journal_writer *w) {
    if (!w)
        return;
    if (w->owns_fd && w->fd >= 0)
        close(w->fd);
    if (w->created && w->size == 0)
        unlink(w->path);
    free(w->path);
    free(w);
}

static ssize_t write_whole(int fd, const char *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t n = write(fd, bytes + done, count - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

// Whole lines in one write, synced.
static int write_text(struct journal_writer *w, const char *text, size_t length, struct error *err) {
    ssize_t written = write_whole(w->fd, text, length);
    if (written >= 0) {
        w->size += written;
        // EINVAL, EROFS: something that cannot be synced, such as a pipe behind a regular-looking name.
        if (w->regular && fdatasync(w->fd) && errno != EINVAL && errno != EROFS)
            return io_error(w, "syncing", err);
        return 0;
    }
    io_error(w, "writing", err);
    if (w->regular && ftruncate(w->fd, w->size))
        error_remedy(err, "the last line of the journal is cut off; free space, then continue with --resume");
    return -1;
}

int journal_write(struct journal_writer *w, const cJSON *line, struct error *err) {
    char *text = json_print_line(line);
    size_t length = strlen(text);
    text[length] = '\n'; // in the place of the terminator: one buffer, one write
    int result = write_text(w, text, length + 1, err);
    free(text);
    return result;
}

int journal_write_all(struct journal_writer *w, const cJSON *lines, struct error *err) {
    struct str text = {0};
    const cJSON *line;
    cJSON_ArrayForEach(line, lines) {
        char *one = json_print_line(line);
        str_add(&text, one);
        str_add(&text, "\n");
        free(one);
    }
    int result = text.length ? write_text(w, text.text, text.length, err) : 0;
    str_free(&text);
    return result;
}

cJSON *journal_header_begin(void) {
    unsigned char bytes[8] = {0};
    char id[2 * sizeof bytes + 1] = "";
    char started[32];
    time_t now = time(NULL);
    struct tm utc;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        uint64_t ns = clock_now_ns();
        memcpy(bytes, &ns, sizeof bytes);
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    gmtime_r(&now, &utc);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cJSON *header = cJSON_CreateObject();
    cJSON_AddStringToObject(header, "t", "header");
    cJSON_AddStringToObject(header, "schema", JOURNAL_SCHEMA);
    cJSON_AddStringToObject(header, "id", id);
    cJSON_AddStringToObject(header, "started", started);
    return header;
}

static int write_and_delete(struct journal_writer *w, cJSON *line, struct error *err) {
    int result = journal_write(w, line, err);
    cJSON_Delete(line);
    return result;
}

static cJSON *new_line(const char *type) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "t", type);
    return line;
}

int journal_write_case(struct journal_writer *w, const struct journal_case *c, struct error *err) {
    cJSON *line = new_line("case");
    json_add_string(line, "case", c->name);
    json_add_string(line, "bench", c->bench);
    cJSON_AddItemToObject(line, "params", c->params ? cJSON_Duplicate(c->params, 1) : cJSON_CreateObject());
    if (c->fom_name) {
        cJSON *fom = cJSON_AddObjectToObject(line, "fom");
        json_add_string(fom, "name", c->fom_name);
        json_add_string(fom, "unit", c->fom_unit);
        json_add_string(fom, "better", c->better == FOM_HIGHER ? "higher" : "lower");
    }
    json_add_double(line, "cpus", c->cpus);
    if (c->cpu_list)
        json_add_string(line, "cpu_list", c->cpu_list);
    return write_and_delete(w, line, err);
}

static void add_copy(cJSON *line, const char *key, const cJSON *value) {
    if (value)
        cJSON_AddItemToObject(line, key, cJSON_Duplicate(value, 1));
}

static cJSON *sample_line(const struct journal_sample *s) {
    cJSON *line = new_line("sample");
    json_add_string(line, "case", s->case_name);
    json_add_u64(line, "seq", s->seq);
    if (s->block >= 0)
        json_add_u64(line, "block", (uint64_t)s->block);
    json_add_string(line, "mode", sample_mode_names[s->mode]);
    if (s->pass)
        json_add_string(line, "pass", s->pass);
    if (s->node)
        json_add_string(line, "node", s->node);
    if (s->rank >= 0)
        json_add_u64(line, "rank", (uint64_t)s->rank);
    json_add_u64(line, "start_ns", s->start_ns);
    json_add_double(line, "wall_s", s->wall_s);
    if (!isnan(s->fom))
        json_add_double(line, "fom", s->fom);
    json_add_double(line, "roi_s", s->roi_s);
    cJSON_AddBoolToObject(line, "valid", s->valid);
    if (s->why)
        json_add_string(line, "why", s->why);
    add_copy(line, "steps_s", s->steps_s);
    add_copy(line, "circumstances", s->circumstances);
    if (s->end_tsc) {
        json_add_u64(line, "start_tsc", s->start_tsc);
        json_add_u64(line, "end_tsc", s->end_tsc);
    }
    observations_to_json(&s->obs, line);
    return line;
}

int journal_write_sample(struct journal_writer *w, const struct journal_sample *s, struct error *err) {
    return journal_write_samples(w, s, 1, err);
}

int journal_write_samples(struct journal_writer *w, const struct journal_sample *samples, size_t count,
                          struct error *err) {
    cJSON *lines = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(lines, sample_line(&samples[i]));
    int result = journal_write_all(w, lines, err);
    cJSON_Delete(lines);
    return result;
}

int journal_write_note(struct journal_writer *w, bool warn, const char *text, struct error *err) {
    cJSON *line = new_line("note");
    json_add_string(line, "level", warn ? "warn" : "info");
    json_add_string(line, "text", text);
    return write_and_delete(w, line, err);
}

int journal_write_calibration(struct journal_writer *w, uint64_t at_ns, const struct calibration *calibration,
                              struct error *err) {
    cJSON *line = new_line("calibration");
    json_add_u64(line, "at_ns", at_ns);
    cJSON *costs = calibration_to_json(calibration);
    while (costs->child) {
        cJSON *item = cJSON_DetachItemViaPointer(costs, costs->child);
        cJSON_AddItemToObject(line, item->string, item);
    }
    cJSON_Delete(costs);
    return write_and_delete(w, line, err);
}

int journal_write_end(struct journal_writer *w, bool complete, uint64_t samples, double wall_s, struct error *err) {
    cJSON *line = new_line("end");
    json_add_string(line, "status", complete ? "complete" : "stopped");
    json_add_u64(line, "samples", samples);
    json_add_double(line, "wall_s", wall_s);
    return write_and_delete(w, line, err);
}
