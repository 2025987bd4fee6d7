// SPDX-License-Identifier: Apache-2.0
// Strict JSON over cJSON. See json.h.
#include "core/json.h"

#include "core/memory.h"
#include "core/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Whole numbers up to here (2^53 - 1) survive a trip through a double, and no larger one is rounded to them.
#define EXACT_MAX 9007199254740991.0

// --- places -------------------------------------------------------------------------------------------------------

static void place_offset(struct error *err, const char *text, size_t offset, struct json_origin origin) {
    size_t line = origin.line;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] != '\n')
            continue;
        line++;
        start = i + 1;
    }
    error_at(err, origin.file, line, offset - start + 1);
}

static size_t skip_string(const char *text, size_t length, size_t at) {
    for (at++; at < length && text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at + 1;
}

static size_t skip_space(const char *text, size_t length, size_t at) {
    while (at < length && strchr(" \t\r\n", text[at]))
        at++;
    return at;
}

static size_t skip_scalar(const char *text, size_t length, size_t at) {
    while (at < length && !strchr(",]} \t\r\n", text[at]))
        at++;
    return at;
}

// The offset of the `index`-th value in document order, which is also the order in which a depth-first walk meets the
// values of the parsed tree. The text is known to be valid JSON.
static size_t value_offset(const char *text, size_t length, size_t index) {
    size_t at = 0;
    while (at < length) {
        char c = text[at];
        if (strchr(" \t\r\n,:]}", c)) {
            at++;
            continue;
        }
        size_t end = at + 1;
        if (c == '"')
            end = skip_string(text, length, at);
        else if (c != '{' && c != '[')
            end = skip_scalar(text, length, at);
        size_t after = skip_space(text, length, end);
        bool is_key = c == '"' && after < length && text[after] == ':';
        if (!is_key && index-- == 0)
            return at;
        at = end;
    }
    return 0;
}

static bool count_until(const cJSON *tree, const void *node, size_t *index) {
    if (tree == node)
        return true;
    (*index)++;
    for (const cJSON *child = tree->child; child; child = child->next) {
        if (count_until(child, node, index))
            return true;
    }
    return false;
}

void json_place(struct error *err, const cJSON *root, const char *text, size_t length, struct json_origin origin) {
    size_t index = 0;
    if (!err || err->where[0] || !err->node || !count_until(root, err->node, &index))
        return;
    place_offset(err, text, value_offset(text, length, index), origin);
    err->node = NULL;
}

// --- parsing ------------------------------------------------------------------------------------------------------

size_t json_utf8_sequence(const unsigned char *s, size_t left) {
    if (s[0] < 0x80)
        return 1;
    size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : size;
}

struct entry {
    const cJSON *node;
    size_t index;
};

static int by_key_then_place(const void *a, const void *b) {
    const struct entry *x = a;
    const struct entry *y = b;
    int order = strcmp(x->node->string, y->node->string);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

// The first member of an object whose key stood before, or NULL. Sorted, so that a hostile object of 10^5 keys is no
// way to stop the program.
static const cJSON *duplicate_member(const cJSON *object) {
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2)
        return NULL;
    struct entry *members = mem_alloc(count * sizeof *members);
    size_t i = 0;
    for (const cJSON *child = object->child; child; child = child->next, i++)
        members[i] = (struct entry){child, i};
    qsort(members, count, sizeof *members, by_key_then_place);
    const struct entry *first = NULL;
    for (i = 1; i < count; i++) {
        bool twice = strcmp(members[i].node->string, members[i - 1].node->string) == 0;
        if (twice && (!first || members[i].index < first->index))
            first = &members[i];
    }
    const cJSON *node = first ? first->node : NULL;
    free(members);
    return node;
}

static const cJSON *find_duplicate(const cJSON *tree) {
    const cJSON *found = cJSON_IsObject(tree) ? duplicate_member(tree) : NULL;
    for (const cJSON *child = tree->child; child && !found; child = child->next)
        found = find_duplicate(child);
    return found;
}

// --- what cJSON takes but JSON does not -----------------------------------------------------------------------------

// Where the check stands, and why it cannot go on (NULL: it can).
struct scan {
    const char *text;
    size_t length;
    size_t at;
    const char *why;
};

static unsigned char peek(const struct scan *s) {
    return s->at < s->length ? (unsigned char)s->text[s->at] : 0;
}

// An escape sequence; `at` is behind the backslash.
static void scan_escape(struct scan *s) {
    if (!peek(s) || !strchr("\"\\/bfnrtu", peek(s))) {
        s->why = "this is not an escape sequence";
        return;
    }
    if (s->text[s->at++] != 'u')
        return;
    size_t digits = 0;
    while (digits < 4 && isxdigit(peek(s))) {
        s->at++;
        digits++;
    }
    if (digits < 4)
        s->why = "expected four hexadecimal digits";
    else if (memcmp(s->text + s->at - 4, "0000", 4) == 0)
        s->why = "a NUL character inside a string is not supported"; // it would end the C string
}

static void scan_string(struct scan *s) {
    s->at++;
    while (!s->why && s->at < s->length && s->text[s->at] != '"') {
        size_t size =
            peek(s) < 0x20 ? 0 : json_utf8_sequence((const unsigned char *)s->text + s->at, s->length - s->at);
        if (size == 0) {
            s->why = peek(s) == 0     ? "there is a NUL byte"
                     : peek(s) < 0x20 ? "there is a control character inside a string"
                                      : "the bytes are not valid UTF-8";
            return;
        }
        s->at += size;
        if (s->text[s->at - 1] == '\\')
            scan_escape(s);
    }
    if (s->at < s->length && !s->why)
        s->at++;
}

static size_t scan_digits(struct scan *s) {
    size_t start = s->at;
    while (isdigit(peek(s)))
        s->at++;
    return s->at - start;
}

static void scan_number(struct scan *s) {
    size_t start = s->at;
    if (peek(s) == '-')
        s->at++;
    size_t whole = s->at;
    bool bad = scan_digits(s) == 0 || (s->text[whole] == '0' && s->at - whole > 1);
    if (!bad && peek(s) == '.') {
        s->at++;
        bad = scan_digits(s) == 0;
    }
    if (!bad && (peek(s) == 'e' || peek(s) == 'E')) {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        bad = scan_digits(s) == 0;
    }
    if (bad) {
        s->at = start;
        s->why = "this is not a number as JSON writes them";
    }
}

// Refuses what cJSON would let pass: NUL and other control characters, invalid UTF-8, wrong escapes, numbers such as
// 01 or 1., a byte order mark. The structure is left to cJSON.
static int check_tokens(const char *text, size_t length, struct json_origin origin, struct error *err) {
    struct scan s = {.text = text, .length = length};
    while (!s.why && s.at < length) {
        unsigned char c = peek(&s);
        if (c == '"')
            scan_string(&s);
        else if (c == '-' || isdigit(c))
            scan_number(&s);
        else if (c && (isalpha(c) || strchr(" \t\r\n,:[]{}", c)))
            s.at++;
        else
            s.why = c ? "the text is not valid JSON here" : "there is a NUL byte";
    }
    if (!s.why)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "reading JSON");
    if (err)
        place_offset(err, text, s.at, origin);
    return error_why(err, "%s", s.why);
}

cJSON *json_parse(const char *text, size_t length, struct json_origin origin, struct error *err) {
    if (check_tokens(text, length, origin, err))
        return NULL;
    size_t content = length; // a text that is cut off is wrong before the white space at its end
    while (content > 0 && strchr(" \t\r\n", text[content - 1]))
        content--;
    const char *end = text;
    cJSON *tree = cJSON_ParseWithLengthOpts(text, content, &end, 0);
    size_t offset = end >= text && end <= text + content ? (size_t)(end - text) : content;
    offset = tree ? skip_space(text, content, offset) : offset;
    if (!tree || offset < content) {
        error_set(err, EXIT_CODE_INPUT, "reading JSON");
        error_why(err, tree ? "there is text behind the end of the value" : "the text is not valid JSON here");
        if (err)
            place_offset(err, text, offset, origin);
        cJSON_Delete(tree);
        return NULL;
    }
    const cJSON *duplicate = find_duplicate(tree);
    if (duplicate) {
        error_set(err, EXIT_CODE_INPUT, "reading JSON");
        error_why(err, "the key \"%s\" stands twice in one object", duplicate->string);
        if (err)
            err->node = duplicate;
        json_place(err, tree, text, length, origin);
        cJSON_Delete(tree);
        return NULL;
    }
    return tree;
}

char *json_read_file(const char *path, size_t limit, size_t *length, struct error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set(err, EXIT_CODE_INPUT, "reading %s", path);
        error_why(err, "%s", strerror(errno));
        return NULL;
    }
    struct str text = {0};
    char chunk[65536];
    ssize_t got = 0;
    while ((got = read(fd, chunk, sizeof chunk)) > 0 && text.length <= limit)
        str_add_bytes(&text, chunk, (size_t)got);
    int reason = errno;
    close(fd);
    if (got < 0 || text.length > limit) {
        error_set(err, EXIT_CODE_INPUT, "reading %s", path);
        if (got < 0)
            error_why(err, "%s", strerror(reason));
        else
            error_why(err, "the file is larger than %zu bytes", limit);
        str_free(&text);
        return NULL;
    }
    *length = text.length;
    str_add(&text, ""); // so that an empty file is an empty text and not NULL
    return text.text;
}

// --- typed reads --------------------------------------------------------------------------------------------------

static const char *type_name(const cJSON *value) {
    switch (value->type & 0xff) {
    case cJSON_False:
    case cJSON_True:
        return "a boolean";
    case cJSON_NULL:
        return "null";
    case cJSON_Number:
        return "a number";
    case cJSON_String:
        return "a string";
    case cJSON_Array:
        return "an array";
    case cJSON_Object:
        return "an object";
    default:
        return "something else";
    }
}

static int fail_at(struct error *err, const cJSON *node, const char *key) {
    error_set(err, EXIT_CODE_INPUT, "reading the key \"%s\"", key);
    if (err)
        err->node = node;
    return -1;
}

static int wrong_type(struct error *err, const cJSON *item, const char *key, const char *expected) {
    fail_at(err, item, key);
    return error_why(err, "expected %s, found %s", expected, type_name(item));
}

// As cJSON_GetObjectItemCaseSensitive(); most keys differ in their first character.
static cJSON *member(const cJSON *object, const char *key) {
    cJSON *item = object ? object->child : NULL;
    while (item && item->string && (item->string[0] != key[0] || strcmp(item->string, key) != 0))
        item = item->next;
    return item && item->string ? item : NULL;
}

// 1: found; 0: missing and optional; -1: missing and required.
static int find(const cJSON *object, const char *key, enum json_need need, const cJSON **item, struct error *err) {
    *item = member(object, key);
    if (*item && !cJSON_IsNull(*item))
        return 1;
    if (need == JSON_OPTIONAL)
        return 0;
    fail_at(err, *item ? *item : object, key);
    return error_why(err, *item ? "it is null" : "it is missing");
}

int json_get_string(const cJSON *object, const char *key, enum json_need need, const char **out, struct error *err) {
    const cJSON *item;
    int found = find(object, key, need, &item, err);
    if (found <= 0)
        return found;
    if (!cJSON_IsString(item))
        return wrong_type(err, item, key, "a string");
    *out = item->valuestring;
    return 1;
}

int json_get_double(const cJSON *object, const char *key, enum json_need need, double *out, struct error *err) {
    const cJSON *item;
    int found = find(object, key, need, &item, err);
    if (found <= 0)
        return found;
    if (!cJSON_IsNumber(item))
        return wrong_type(err, item, key, "a number");
    if (!isfinite(item->valuedouble)) {
        fail_at(err, item, key);
        return error_why(err, "the number is too large");
    }
    *out = item->valuedouble;
    return 1;
}

static int get_whole(const cJSON *object, const char *key, enum json_need need, double limit, uint64_t *out,
                     struct error *err) {
    double value = 0;
    int found = json_get_double(object, key, need, &value, err);
    if (found <= 0)
        return found;
    if (value >= 0 && value <= limit && value == floor(value)) {
        *out = (uint64_t)value;
        return 1;
    }
    fail_at(err, member(object, key), key);
    return error_why(err, "%.17g is not a whole number between 0 and %.0f", value, limit);
}

int json_get_u64(const cJSON *object, const char *key, enum json_need need, uint64_t *out, struct error *err) {
    return get_whole(object, key, need, EXACT_MAX, out, err);
}

int json_get_ticks(const cJSON *object, const char *key, enum json_need need, uint64_t *out, struct error *err) {
    return get_whole(object, key, need, 18446744073709549568.0, out, err); // the largest double below 2^64
}

int json_get_bool(const cJSON *object, const char *key, enum json_need need, bool *out, struct error *err) {
    const cJSON *item;
    int found = find(object, key, need, &item, err);
    if (found <= 0)
        return found;
    if (!cJSON_IsBool(item))
        return wrong_type(err, item, key, "true or false");
    *out = cJSON_IsTrue(item);
    return 1;
}

int json_get_object(const cJSON *object, const char *key, enum json_need need, const cJSON **out, struct error *err) {
    const cJSON *item;
    int found = find(object, key, need, &item, err);
    if (found <= 0)
        return found;
    if (!cJSON_IsObject(item))
        return wrong_type(err, item, key, "an object");
    *out = item;
    return 1;
}

int json_get_array(const cJSON *object, const char *key, enum json_need need, const cJSON **out, struct error *err) {
    const cJSON *item;
    int found = find(object, key, need, &item, err);
    if (found <= 0)
        return found;
    if (!cJSON_IsArray(item))
        return wrong_type(err, item, key, "an array");
    *out = item;
    return 1;
}

// --- writing ------------------------------------------------------------------------------------------------------

const char *json_text(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

double json_number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

double json_amount(const cJSON *object, const char *key) {
    const double value = json_number(object, key);
    return isfinite(value) && value > 0 ? value : 0;
}

static bool is_among(const char *key, const char *const *known) {
    while (*known && strcmp(*known, key) != 0)
        known++;
    return *known;
}

const cJSON *json_unknown_key(const cJSON *object, const char *const *known) {
    const cJSON *child;
    cJSON_ArrayForEach(child, object) {
        if (!is_among(child->string, known))
            return child;
    }
    return NULL;
}

void json_add_u64(cJSON *object, const char *key, uint64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    cJSON_AddRawToObject(object, key, digits);
}

void json_add_string(cJSON *object, const char *key, const char *value) {
    if (!value) {
        cJSON_AddNullToObject(object, key);
        return;
    }
    struct str clean = {0};
    size_t left = strlen(value);
    for (const char *at = value; left > 0;) {
        size_t size = json_utf8_sequence((const unsigned char *)at, left);
        str_add_bytes(&clean, size ? at : "\xef\xbf\xbd", size ? size : 3);
        at += size ? size : 1;
        left -= size ? size : 1;
    }
    cJSON_AddStringToObject(object, key, str_text(&clean));
    str_free(&clean);
}

void json_add_double(cJSON *object, const char *key, double value) {
    if (isfinite(value))
        cJSON_AddNumberToObject(object, key, value);
    else
        cJSON_AddNullToObject(object, key);
}

char *json_print_line(const cJSON *value) {
    char *text = cJSON_PrintUnformatted(value);
    return text ? text : mem_strdup("null");
}
