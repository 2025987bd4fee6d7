// SPDX-License-Identifier: Apache-2.0
// Control sequences of ECMA-48 and xterm (ctlseqs), which all terminals of today know. See terminal.h.
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void write_all(const char *text) {
    size_t left = strlen(text);
    while (left) {
        ssize_t got = write(STDOUT_FILENO, text, left);
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return; // the terminal is gone, and so is the reader
        if (got > 0) {
            text += got;
            left -= (size_t)got;
        }
    }
}

void terminal_enter(struct terminal *terminal) {
    if (terminal->entered)
        return;
    terminal->entered = true;
    terminal->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (terminal->keys) {
        struct termios raw = terminal->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    write_all("\033[?1049h\033[?25l\033[H\033[2J"); // other screen, no cursor, home, clear
}

void terminal_leave(struct terminal *terminal) {
    if (!terminal->entered)
        return;
    terminal->entered = false;
    write_all("\033[0m\033[?25h\033[?1049l");
    if (terminal->keys)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
}

void terminal_size(int *columns, int *rows) {
    struct winsize size = {0};
    bool told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *columns = told ? size.ws_col : 80;
    *rows = told ? size.ws_row : 24;
}

int terminal_text_columns(void) {
    enum { LEAST = 40, MOST = 80 };
    int columns = MOST;
    int rows;
    if (!isatty(STDOUT_FILENO))
        return MOST;
    terminal_size(&columns, &rows);
    const char *told = getenv("COLUMNS");
    long number = told ? strtol(told, NULL, 10) : 0;
    if (number > 0)
        columns = number < MOST ? (int)number : MOST;
    return columns < LEAST ? LEAST : columns > MOST ? MOST : columns;
}

void terminal_draw(const char *frame) {
    write_all(frame);
}
