// SPDX-License-Identifier: Apache-2.0
// Strict JSON over cJSON: errors carry file, line and column; no silent type coercion; duplicate keys are errors.
// cJSON does the parsing; this adds what it does not say: where, and that a value has the type that was expected.
#pragma once

#include "core/error.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a JSON text came from, for messages: a file and the line its text starts at (1 for a whole file).
struct json_origin {
    const char *file;
    size_t line;
};

// Parses exactly one JSON value of `length` bytes (trailing white space allowed, anything else is an error).
// Rejected: malformed text (also what cJSON alone would take: control characters in strings, numbers such as 01),
// NUL bytes and \u0000, invalid UTF-8, duplicate keys in any object. The error names line and column. Returns NULL on
// failure. The caller owns the result: cJSON_Delete().
cJSON *json_parse(const char *text, size_t length, struct json_origin origin, struct error *err);

// Length of the UTF-8 sequence that starts here, or 0 if it is not valid (overlong forms, surrogates, too large) or
// longer than `left` bytes.
size_t json_utf8_sequence(const unsigned char *s, size_t left);

// Reads a whole file of at most `limit` bytes into a terminated buffer; free() it. NULL on failure (code 3).
char *json_read_file(const char *path, size_t limit, size_t *length, struct error *err);

// Completes an error of json_get_*: finds the value at fault in the text that `root` was parsed from and stores file,
// line and column. Does nothing if `err` has a place already or names no value of this tree.
void json_place(struct error *err, const cJSON *root, const char *text, size_t length, struct json_origin origin);

// What json_get_* do when the key is missing.
enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

// Typed reads of one key. On success they store the value and return 1; if the key is missing (or null) and optional
// they leave `*out` alone and return 0; otherwise they fill `err` (code 3, the key and the types named) and return -1.
// Strings stay owned by `object`. A uint64 must be written as a whole number below 2^53: from there on a double
// has lost digits, which matters for counts. json_get_ticks takes larger ones, rounded (TSC stamps of long uptimes).
int json_get_string(const cJSON *object, const char *key, enum json_need need, const char **out, struct error *err);
int json_get_double(const cJSON *object, const char *key, enum json_need need, double *out, struct error *err);
int json_get_u64(const cJSON *object, const char *key, enum json_need need, uint64_t *out, struct error *err);
int json_get_ticks(const cJSON *object, const char *key, enum json_need need, uint64_t *out, struct error *err);
int json_get_bool(const cJSON *object, const char *key, enum json_need need, bool *out, struct error *err);
int json_get_object(const cJSON *object, const char *key, enum json_need need, const cJSON **out, struct error *err);
int json_get_array(const cJSON *object, const char *key, enum json_need need, const cJSON **out, struct error *err);

// The string at `key` for those who show it: "" where the key is missing or holds something else. Owned by `object`.
const char *json_text(const cJSON *object, const char *key);

// The number at `key`, likewise: NaN where the key is missing or holds something else.
double json_number(const cJSON *object, const char *key);

// A number that cannot be negative (a count, seconds), for sums: 0 where the key is missing or holds anything else.
double json_amount(const cJSON *object, const char *key);

// The first member of an object whose key is not among the known ones (NULL-terminated), or NULL.
const cJSON *json_unknown_key(const cJSON *object, const char *const *known);

// Adds a whole number without loss above 2^53 (cJSON would print it through a double).
void json_add_u64(cJSON *object, const char *key, uint64_t value);

// Adds a string, or null for NULL. Invalid UTF-8 in `value` is replaced by U+FFFD, so the output always is JSON.
void json_add_string(cJSON *object, const char *key, const char *value);

// Adds a measured number; NaN and infinities become null, since JSON has none.
void json_add_double(cJSON *object, const char *key, double value);

// The value as text on one line. free() it.
char *json_print_line(const cJSON *value);
