// SPDX-License-Identifier: Apache-2.0
// Compiles formulas by operator precedence (Dijkstra's shunting yard). See formula.h.
#include "collectors/formula.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct compiler {
    const char *text;
    const char *at;
    const char *const *names;
    size_t name_count;
    struct formula *out;
    char waiting[FORMULA_STEPS]; // operators and open parentheses that wait for their right side
    size_t waiting_count;
    struct error *err;
};

static int refuse(const struct compiler *c, const char *at, const char *why, const char *word) {
    error_set(c->err, EXIT_CODE_INPUT, "reading the formula \"%s\"", c->text);
    return error_why(c->err, "at its character %td: %s%s", at - c->text + 1, why, word);
}

static int emit(struct compiler *c, struct formula_step step) {
    if (c->out->count == FORMULA_STEPS)
        return refuse(c, c->at, "the formula is too long", "");
    c->out->steps[c->out->count++] = step;
    return 0;
}

static int rank(char operator) {
    switch (operator) {
    case '~':
        return 3;
    case '*':
    case '/':
        return 2;
    case '+':
    case '-':
        return 1;
    default: // an open parenthesis
        return 0;
    }
}

static int push(struct compiler *c, char operator) {
    if (c->waiting_count == FORMULA_STEPS)
        return refuse(c, c->at, "the formula is too long", "");
    c->waiting[c->waiting_count++] = operator;
    return 0;
}

// Emits the operators that wait and bind at least as tightly.
static int settle(struct compiler *c, int least) {
    while (c->waiting_count && rank(c->waiting[c->waiting_count - 1]) >= least) {
        if (emit(c, (struct formula_step){.kind = c->waiting[--c->waiting_count]}))
            return -1;
    }
    return 0;
}

// --- operands -----------------------------------------------------------------------------------------------------

static int take_number(struct compiler *c) {
    char *end;
    double value = strtod(c->at, &end);
    if (end == c->at || !isfinite(value))
        return refuse(c, c->at, "this is no number", "");
    c->at = end;
    return emit(c, (struct formula_step){.kind = '#', .number = value});
}

static bool in_name(char letter) {
    return isalnum((unsigned char)letter) || letter == '_';
}

static int take_name(struct compiler *c) {
    const char *start = c->at;
    size_t length = 0;
    while (in_name(start[length]))
        length++;
    for (size_t i = 0; i < c->name_count; i++) {
        if (strncmp(c->names[i], start, length) == 0 && c->names[i][length] == '\0') {
            c->at += length;
            return emit(c, (struct formula_step){.kind = '$', .name = i});
        }
    }
    char word[64] = "";
    strncat(word, start, length < sizeof word ? length : sizeof word - 1);
    return refuse(c, start, "there is no event or value of the name ", word);
}

// Takes what begins an operand. *done: the operand is complete.
static int take_operand(struct compiler *c, bool *done) {
    const char first = *c->at;
    *done = true;
    if (isdigit((unsigned char)first) || first == '.')
        return take_number(c);
    if (isalpha((unsigned char)first))
        return take_name(c);
    if (first != '(' && first != '-')
        return refuse(c, c->at, first ? "expected a number, a name or (" : "the formula ends too early", "");
    *done = false;
    if (push(c, first == '-' ? '~' : '('))
        return -1;
    c->at++;
    return 0;
}

// --- operators ----------------------------------------------------------------------------------------------------

static int take_closing(struct compiler *c) {
    if (settle(c, 1))
        return -1;
    if (!c->waiting_count)
        return refuse(c, c->at, "there is no ( for this )", "");
    c->waiting_count--;
    c->at++;
    return 0;
}

// Takes what follows an operand. *done: another operand has to follow.
static int take_operator(struct compiler *c, bool *done) {
    *done = false;
    if (*c->at == ')')
        return take_closing(c);
    if (!strchr("+-*/", *c->at))
        return refuse(c, c->at, "expected + - * / or )", "");
    *done = true;
    if (settle(c, rank(*c->at)) || push(c, *c->at))
        return -1;
    c->at++;
    return 0;
}

int formula_compile(const char *text, const char *const *names, size_t name_count, struct formula *out,
                    struct error *err) {
    struct compiler c = {.text = text, .at = text, .names = names, .name_count = name_count, .out = out, .err = err};
    bool wants_operand = true;
    *out = (struct formula){.count = 0};
    for (;;) {
        bool done;
        c.at += strspn(c.at, " ");
        if (!wants_operand && !*c.at)
            break;
        if (wants_operand ? take_operand(&c, &done) : take_operator(&c, &done))
            return -1;
        wants_operand = wants_operand ? !done : done;
    }
    if (settle(&c, 1))
        return -1;
    return c.waiting_count ? refuse(&c, c.at, "a ) is missing", "") : 0;
}

// --- evaluation ---------------------------------------------------------------------------------------------------

static double apply(char operator, double a, double b) {
    switch (operator) {
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    default:
        return b == 0 ? NAN : a / b;
    }
}

double formula_value(const struct formula *formula, const double *values) {
    double stack[FORMULA_STEPS] = {0};
    size_t top = 0;
    for (size_t i = 0; i < formula->count; i++) {
        const struct formula_step *step = &formula->steps[i];
        if (step->kind == '#') {
            stack[top++] = step->number;
        } else if (step->kind == '$') {
            stack[top++] = values[step->name];
        } else if (step->kind == '~') {
            stack[top - 1] = -stack[top - 1];
        } else {
            top--;
            stack[top - 1] = apply(step->kind, stack[top - 1], stack[top]);
        }
    }
    return stack[0];
}
