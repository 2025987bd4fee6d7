// SPDX-License-Identifier: Apache-2.0
// Versions of libraries. See libraries.h. A new one is a row of the table.
#include "collectors/libraries.h"

#include "core/json.h"
#include "core/memory.h"

#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

// Names as programs ask for them. BLAS is a symbolic link that an administrator chooses: reference BLAS, OpenBLAS,
// BLIS.
static const char *const names[] = {"libmpi.so.40",     "libmpi.so.12",   "libblas.so.3",   "liblapack.so.3",
                                    "libopenblas.so.0", "libmkl_rt.so",   "libfftw3.so.3",  "libfftw3f.so.3",
                                    "libgomp.so.1",     "libhwloc.so.15", "libfabric.so.1", "libucp.so.0",
                                    "libpmix.so.2"};

static char *find_in(const char *folders, const char *name) {
    char *copy = mem_strdup(folders);
    char *rest = copy;
    char *found = NULL;
    for (char *folder; !found && (folder = strsep(&rest, ":"));) {
        char *path = *folder ? mem_printf("%s/%s", folder, name) : NULL;
        found = path ? realpath(path, NULL) : NULL;
        free(path);
    }
    free(copy);
    return found;
}

cJSON *libraries_to_json(void) {
    cJSON *object = cJSON_CreateObject();
    const char *first = getenv("LD_LIBRARY_PATH");
    struct utsname machine = {0};
    uname(&machine);
    char *folders =
        mem_printf("%s:/usr/local/lib:/usr/lib/%s-linux-gnu:/usr/lib64:/usr/lib", first ? first : "", machine.machine);
    json_add_string(object, "libc", gnu_get_libc_version());
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *found = find_in(folders, names[i]);
        char *key = mem_printf("%.*s", (int)strcspn(names[i], "."), names[i]);
        if (found && !cJSON_HasObjectItem(object, key))
            json_add_string(object, key, found);
        free(key);
        free(found);
    }
    free(folders);
    return object;
}
