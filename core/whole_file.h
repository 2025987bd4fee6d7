// SPDX-License-Identifier: Apache-2.0
// Writes a file as a whole or not at all: a full disk or a crash leaves the file that was there, or none.
// May include: the C library only.
#pragma once

#include "core/error.h"

#include <stddef.h>

// Writes beside `path` first and renames. What is no regular file (/dev/stdout, a pipe), and a file that its folder
// does not let be replaced, is written to directly. `what` names it in errors: "the report". A file that is replaced
// keeps its permissions and, where that is permitted, its owner. 0, or -1 with `err` (code 4).
int whole_file_write(const char *path, const char *what, const void *bytes, size_t size, struct error *err);
