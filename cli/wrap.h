// SPDX-License-Identifier: Apache-2.0
// Text in columns for the terminal, as wide as that is (cli/terminal.h).
#pragma once

// Prints the words of `text` in the columns from `indent` on and ends the line; the first line stands at column `at`
// already. Where so little room is left that words stood below each other, further lines begin farther left.
void print_wrapped(const char *text, int indent, int at);
