// SPDX-License-Identifier: Apache-2.0
// A JSON parser for the ordinary case. See json_quick.h.
#include "core/json_quick.h"

#include "core/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, MEMBERS_MAX = 256, DEPTH_MAX = 32 };

struct json_quick {
    const char *at;  // in the text; it ends in a NUL, which no token holds, so nothing runs beyond it
    cJSON *nodes;    // of the tree, in document order
    char *strings;   // keys and strings, each terminated
    size_t node;     // nodes used
    size_t used;     // bytes of `strings` used
    size_t capacity; // longest text that there is room for
};

struct json_quick *json_quick_new(void) {
    return mem_alloc(sizeof(struct json_quick));
}

void json_quick_free(struct json_quick *quick) {
    if (!quick)
        return;
    free(quick->nodes);
    free(quick->strings);
    free(quick);
}

// A value has two bytes at least (one, and what parts it from the next) but for those that the text leaves open; a
// string loses a quote and gains a terminator. So nothing has to grow, and move, while a text is parsed.
static void make_room(struct json_quick *q, size_t length) {
    if (length >= q->capacity) {
        q->capacity = length + length / 2 + 64;
        q->nodes = mem_resize(q->nodes, (q->capacity / 2 + DEPTH_MAX) * sizeof *q->nodes);
        q->strings = mem_resize(q->strings, q->capacity);
    }
    q->node = q->used = 0;
}

static void skip_space(struct json_quick *q) {
    while (*q->at == ' ' || *q->at == '\t' || *q->at == '\r' || *q->at == '\n')
        q->at++;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// --- values ---------------------------------------------------------------------------------------------------------

// NULL where the text has anything but plain characters. `at` is on the opening quote.
static char *parse_string(struct json_quick *q) {
    char *copy = q->strings + q->used;
    char *to = copy;
    const char *from = q->at + 1;
    while (*from != '"') {
        if ((unsigned char)*from < 0x20 || *from == '\\')
            return NULL;
        // No sequence holds a NUL, so the check stops at the text's end.
        size_t size = (unsigned char)*from < 0x80 ? 1 : json_utf8_sequence((const unsigned char *)from, 4);
        if (size == 0)
            return NULL;
        for (; size > 0; size--)
            *to++ = *from++;
    }
    *to++ = '\0';
    q->used += (size_t)(to - copy);
    q->at = from + 1;
    return copy;
}

// Digits from `at` on; adds them to the mantissa. Returns how many.
static int parse_digits(struct json_quick *q, uint64_t *mantissa) {
    const char *start = q->at;
    for (; is_digit(*q->at); q->at++)
        *mantissa = *mantissa * 10 + (uint64_t)(*q->at - '0');
    return (int)(q->at - start);
}

// A product or quotient of two numbers that a double holds exactly is rounded once, hence right (Clinger 1990); all
// others are strtod()'s.
static double to_double(const char *start, uint64_t mantissa, int digits, int scale) {
    static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int most = ARRAY_LEN(POWERS) - 1;
    if (digits > 19 || mantissa > 1ULL << 53 || scale > most || scale < -most)
        return strtod(start, NULL);
    double value = scale < 0 ? (double)mantissa / POWERS[-scale] : (double)mantissa * POWERS[scale];
    return *start == '-' ? -value : value;
}

static bool parse_number(struct json_quick *q, cJSON *node) {
    enum { LENGTH_MAX = 60, EXPONENT_DIGITS_MAX = 4 }; // cJSON reads no more than 63 characters
    const char *start = q->at;
    uint64_t mantissa = 0;
    int scale = 0;
    q->at += *start == '-';
    bool zero = *q->at == '0';
    int digits = parse_digits(q, &mantissa);
    if (digits == 0 || (zero && digits > 1))
        return false;
    if (*q->at == '.') {
        q->at++;
        scale = -parse_digits(q, &mantissa);
        digits -= scale;
        if (scale == 0)
            return false;
    }
    if (*q->at == 'e' || *q->at == 'E') {
        uint64_t exponent = 0;
        bool minus = *++q->at == '-';
        q->at += *q->at == '-' || *q->at == '+';
        int length = parse_digits(q, &exponent);
        if (length == 0 || length > EXPONENT_DIGITS_MAX)
            return false;
        scale += minus ? -(int)exponent : (int)exponent;
    }
    if (q->at - start > LENGTH_MAX)
        return false;
    double value = to_double(start, mantissa, digits, scale);
    node->type = cJSON_Number;
    node->valuedouble = value;
    node->valueint = value >= INT_MAX ? INT_MAX : value <= (double)INT_MIN ? INT_MIN : (int)value;
    return true;
}

static bool parse_word(struct json_quick *q, cJSON *node) {
    static const struct {
        const char *word;
        size_t length;
        int type;
    } WORDS[] = {{"true", 4, cJSON_True}, {"false", 5, cJSON_False}, {"null", 4, cJSON_NULL}};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        if (strncmp(q->at, WORDS[i].word, WORDS[i].length) != 0)
            continue;
        q->at += WORDS[i].length;
        node->type = WORDS[i].type;
        node->valueint = node->type == cJSON_True;
        return true;
    }
    return false;
}

// --- arrays and objects ---------------------------------------------------------------------------------------------

// Keys that stand already; few share a bit, so few have to be compared.
struct keys {
    uint64_t seen;
    int count;
};

static bool key_is_new(struct keys *keys, const cJSON *first, const cJSON *last) {
    const char *key = last->string;
    size_t length = strlen(key);
    uint64_t bit = 1ULL << ((length * 7 + (unsigned char)key[0] + (length ? (unsigned char)key[length - 1] : 0)) & 63);
    if (++keys->count > MEMBERS_MAX)
        return false;
    for (const cJSON *other = first; keys->seen & bit && other != last; other = other->next)
        if (strcmp(other->string, key) == 0)
            return false;
    keys->seen |= bit;
    return true;
}

static bool parse_key(struct json_quick *q, cJSON *member) {
    member->string = *q->at == '"' ? parse_string(q) : NULL;
    skip_space(q);
    if (!member->string || *q->at != ':')
        return false;
    q->at++;
    skip_space(q);
    return true;
}

static bool parse_value(struct json_quick *q, cJSON *node, int depth);

static bool parse_container(struct json_quick *q, cJSON *container, int depth) {
    bool object = *q->at++ == '{';
    char end = object ? '}' : ']';
    struct keys keys = {0};
    container->type = object ? cJSON_Object : cJSON_Array;
    skip_space(q);
    if (*q->at == end) {
        q->at++;
        return true;
    }
    cJSON *last = NULL;
    for (;;) {
        cJSON *child = &q->nodes[q->node++];
        *child = (cJSON){.prev = last};
        *(last ? &last->next : &container->child) = child;
        if (object && (!parse_key(q, child) || !key_is_new(&keys, container->child, child)))
            return false;
        if (!parse_value(q, child, depth))
            return false;
        last = child;
        skip_space(q);
        if (*q->at != ',')
            break;
        q->at++;
        skip_space(q);
    }
    container->child->prev = last; // as cJSON has it
    return *q->at++ == end;
}

static bool parse_value(struct json_quick *q, cJSON *node, int depth) {
    switch (*q->at) {
    case '"':
        node->type = cJSON_String;
        node->valuestring = parse_string(q);
        return node->valuestring;
    case '{':
    case '[':
        return depth < DEPTH_MAX && parse_container(q, node, depth + 1);
    default:
        return *q->at == '-' || is_digit(*q->at) ? parse_number(q, node) : parse_word(q, node);
    }
}

const cJSON *json_quick_parse(struct json_quick *q, const char *text, size_t length) {
    if (length > TEXT_MAX)
        return NULL;
    make_room(q, length);
    q->at = text;
    cJSON *root = &q->nodes[q->node++];
    *root = (cJSON){0};
    skip_space(q);
    if (!parse_value(q, root, 0))
        return NULL;
    skip_space(q);
    return q->at == text + length ? root : NULL;
}
