// SPDX-License-Identifier: Apache-2.0
// Versions of the libraries whose speed an HPC program's speed is. May include: core.
#pragma once

#include <cjson/cJSON.h>

// An object: the file that each library's name stands for here, with its version in it
// ("libmpi": "/usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4"); what is not installed is left out. LD_LIBRARY_PATH goes
// first, as for the dynamic linker; a program may still bring its own. The caller owns it.
cJSON *libraries_to_json(void);
