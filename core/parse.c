// SPDX-License-Identifier: Apache-2.0
// Values that a user types. See parse.h.
#include "core/parse.h"

#include "core/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse(struct error *err, const char *option, const char *text, const char *accepted) {
    error_set(err, EXIT_CODE_USAGE, "%s %s", option, text);
    return error_why(err, "expected %s", accepted);
}

// A non-negative decimal number and what follows it. strtod alone would take "inf", "nan", "0x1p3" and blanks.
static int number(const char *text, double *value, const char **rest) {
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return -1;
    if (toupper((unsigned char)text[1]) == 'X' && text[0] == '0')
        return -1;
    char *end;
    *value = strtod(text, &end);
    *rest = end;
    return end != text && isfinite(*value) ? 0 : -1;
}

int parse_duration_s(const char *option, const char *text, double *out, struct error *err) {
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    double value;
    const char *rest;
    if (number(text, &value, &rest) == 0) {
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(rest, units[i].suffix) == 0 && isfinite(value * units[i].seconds)) {
                *out = value * units[i].seconds;
                return 0;
            }
        }
    }
    return refuse(err, option, text, "a duration such as 90s, 10m or 2h");
}

int parse_percent(const char *option, const char *text, double *out, struct error *err) {
    double value;
    const char *rest;
    if (number(text, &value, &rest) || (rest[0] && strcmp(rest, "%") != 0))
        return refuse(err, option, text, "a percentage such as 0.5 or 0.5%");
    *out = value;
    return 0;
}

int parse_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out, struct error *err) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;
    if (end && !*end && errno == 0 && value >= min && value <= max) {
        *out = value;
        return 0;
    }
    error_set(err, EXIT_CODE_USAGE, "%s %s", option, text);
    return error_why(err, "expected a whole number from %llu to %llu", (unsigned long long)min,
                     (unsigned long long)max);
}

int parse_size(const char *option, const char *text, uint64_t *out, struct error *err) {
    double value;
    const char *rest;
    const char *suffixes = "KMGT";
    if (number(text, &value, &rest) == 0) {
        const char *unit = rest[0] ? strchr(suffixes, toupper((unsigned char)rest[0])) : NULL;
        double bytes = unit ? ldexp(value, 10 * (int)(unit - suffixes + 1)) : value;
        if ((rest[0] == '\0' || (unit && rest[1] == '\0')) && bytes < 0x1p63 && bytes == floor(bytes)) {
            *out = (uint64_t)bytes;
            return 0;
        }
    }
    return refuse(err, option, text, "a size in bytes such as 4096, 64K, 2M or 1G");
}

int parse_cpus(const char *option, const char *text, cpu_set_t *out, struct error *err) {
    CPU_ZERO(out);
    const char *at = text;
    while (isdigit((unsigned char)*at)) {
        char *end;
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = first;
        if (*end == '-' && isdigit((unsigned char)end[1]))
            last = strtoul(end + 1, &end, 10);
        if (last < first || last >= CPU_SETSIZE)
            break;
        for (unsigned long cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, out);
        if (*end == '\0')
            return 0;
        if (*end != ',')
            break;
        at = end + 1;
    }
    return refuse(err, option, text, "a list of CPUs such as 0-3,8");
}

char *parse_cpus_text(const cpu_set_t *cpus) {
    struct str text = {0};
    str_add(&text, "");
    for (int first = 0; first < CPU_SETSIZE; first++) {
        if (!CPU_ISSET(first, cpus))
            continue;
        int last = first;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
            last++;
        str_printf(&text, "%s%d", text.length ? "," : "", first);
        if (last > first)
            str_printf(&text, "-%d", last);
        first = last;
    }
    return text.text;
}
