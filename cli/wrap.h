// SPDX-License-Identifier: Apache-2.0
// Text in columns for the terminal, 80 wide.
#pragma once

// Prints the words of `text` in the columns from `indent` on and ends the line; the first line stands at column `at`
// already.
void print_wrapped(const char *text, int indent, int at);
