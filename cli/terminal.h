// SPDX-License-Identifier: Apache-2.0
// The terminal as a screen that is drawn over: another screen than the shell's, no cursor, no echo, keys at once. And
// how wide it is.
#pragma once

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool entered;
    bool keys;             // standard input is the terminal, too
    struct termios before; // its settings, if `keys`
};

// Takes standard output over, which has to be a terminal. terminal_leave() gives it back as it was; calling it again
// does nothing.
void terminal_enter(struct terminal *terminal);
void terminal_leave(struct terminal *terminal);

// Columns and rows now; 80 x 24 where the terminal does not tell.
void terminal_size(int *columns, int *rows);

// Columns for text on standard output: those of its terminal (COLUMNS where it is set, as a shell may), from 40 to 80;
// 80 where it is none.
int terminal_text_columns(void);

// Writes all of a frame in one go.
void terminal_draw(const char *frame);
