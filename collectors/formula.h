// SPDX-License-Identifier: Apache-2.0
// Formulas of PMU metric files: numbers, names, + - * / and parentheses, compiled once and evaluated per sample.
// Nothing else is understood, so a formula from a file can do no harm.
#pragma once

#include "core/error.h"

#define FORMULA_STEPS 64 // numbers, names and operators of one formula

// A compiled formula: its steps in the order in which a stack machine takes them.
struct formula {
    struct formula_step {
        char kind;     // '#' a number, '$' a name's value, '-' + '*' '/' two operands, '~' minus one operand
        double number; // of '#'
        size_t name;   // of '$': index in the names
    } steps[FORMULA_STEPS];
    size_t count;
};

// Compiles `text`. `names` are the names that it may use; their indices are those of formula_value()'s values.
// 0, or -1 with `err` (code 3) whose reason names the character at fault, counted from 1.
int formula_compile(const char *text, const char *const *names, size_t name_count, struct formula *out,
                    struct error *err);

// The value. A name that has none is NaN, and so is everything made from it and any division by 0.
double formula_value(const struct formula *formula, const double *values);
