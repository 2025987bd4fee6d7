// SPDX-License-Identifier: Apache-2.0
// Escaping; see the header. May include: core/str.h.
#include "report/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd"; // U+FFFD

// Length of the UTF-8 sequence at `text` and its code point, or 0 if it is not valid (overlong, surrogate, too large,
// cut off).
static size_t decode(const char *text, uint32_t *point) {
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = bytes[0] < 0x80 ? 1 : (bytes[0] & 0xe0) == 0xc0 ? 2 : (bytes[0] & 0xf0) == 0xe0 ? 3 : 0;
    if ((bytes[0] & 0xf8) == 0xf0)
        length = 4;
    if (length <= 1) {
        *point = bytes[0];
        return length;
    }
    uint32_t value = bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    if (value < SMALLEST[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *point = value;
    return length;
}

static bool harmful(uint32_t point) {
    static const struct {
        uint32_t from;
        uint32_t to;
    } RANGES[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     // control characters, ESC among them
        {0x200e, 0x200f}, {0x2028, 0x202e}, // direction marks and overrides, line separators
        {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
    };
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        if (point >= RANGES[i].from && point <= RANGES[i].to)
            return true;
    return false;
}

typedef void (*put_character)(struct str *out, const char *bytes, size_t count);

static size_t each_character(struct str *out, const char *text, size_t limit, put_character put) {
    size_t characters = 0;
    if (!text)
        return 0;
    size_t bytes = limit == ESCAPE_ALL ? 0 : strlen(text); // only a limit asks whether something will be left over
    for (const char *p = text; *p;) {
        if (limit != ESCAPE_ALL && characters + 3 >= limit && (size_t)(text + bytes - p) > limit - characters) {
            put(out, "...", 3);
            return characters + 3;
        }
        uint32_t point = 0;
        size_t length = decode(p, &point);
        if (length == 1 && strchr("\n\t\r", *p))
            put(out, " ", 1);
        else if (length == 0 || harmful(point))
            put(out, REPLACEMENT, 3);
        else
            put(out, p, length);
        p += length ? length : 1;
        characters++;
    }
    return characters;
}

size_t escape_plain(struct str *out, const char *text, size_t limit) {
    return each_character(out, text, limit, str_add_bytes);
}

static void put_html(struct str *out, const char *bytes, size_t count) {
    static const struct {
        char from;
        const char *to;
    } ENTITIES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (size_t i = 0; count == 1 && i < sizeof ENTITIES / sizeof ENTITIES[0]; i++)
        if (*bytes == ENTITIES[i].from) {
            str_add(out, ENTITIES[i].to);
            return;
        }
    str_add_bytes(out, bytes, count);
}

void escape_html(struct str *out, const char *text, size_t limit) {
    each_character(out, text, limit, put_html);
}

static void put_markdown(struct str *out, const char *bytes, size_t count) {
    if (count == 1 && (*bytes == '<' || *bytes == '>' || *bytes == '&')) {
        put_html(out, bytes, count);
        return;
    }
    if (count == 1 && strchr("\\`*_[]#|~@", *bytes))
        str_add_bytes(out, "\\", 1);
    str_add_bytes(out, bytes, count);
}

void escape_markdown(struct str *out, const char *text, size_t limit) {
    each_character(out, text, limit, put_markdown);
}

static void put_csv(struct str *out, const char *bytes, size_t count) {
    if (count == 1 && *bytes == '"')
        str_add_bytes(out, "\"", 1);
    str_add_bytes(out, bytes, count);
}

void escape_csv(struct str *out, const char *text) {
    // A leading = + - @ would be a formula in a spreadsheet.
    bool formula = text && *text && strchr("=+-@", *text);
    bool quote = formula || (text && strpbrk(text, ",\"\r\n"));
    if (quote)
        str_add(out, "\"");
    if (formula)
        str_add(out, "'");
    each_character(out, text, ESCAPE_ALL, put_csv);
    if (quote)
        str_add(out, "\"");
}

static void put_openmetrics(struct str *out, const char *bytes, size_t count) {
    if (count == 1 && (*bytes == '"' || *bytes == '\\'))
        str_add_bytes(out, "\\", 1);
    str_add_bytes(out, bytes, count);
}

void escape_openmetrics(struct str *out, const char *text) {
    each_character(out, text, ESCAPE_ALL, put_openmetrics);
}

void escape_embedded_json(struct str *out, const char *json) {
    for (const char *p = json; *p;) {
        uint32_t point = 0;
        size_t length = decode(p, &point);
        if (length == 0)
            point = 0xfffd;
        p += length ? length : 1;
        if (point > 0xffff)
            str_printf(out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
        else if (point >= 0x7f || point == '<')
            str_printf(out, "\\u%04x", point);
        else
            str_add_bytes(out, (const char[]){(char)point}, 1);
    }
}
