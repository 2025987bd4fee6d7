// SPDX-License-Identifier: Apache-2.0
// Fuzzes the whole way from a journal to a report: no journal may crash it, a refusal has a place, what is written is
// harmless. The first byte chooses the format, and whether there is a baseline or a history.
#include "core/memory.h"
#include "report/render.h"
#include "report/report.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NIGHTS = 9 };

static char *journal_path(const uint8_t *data, size_t size, int *fd) {
    *fd = memfd_create("journal", MFD_CLOEXEC);
    FUZZ_CHECK(*fd >= 0 && write(*fd, data, size) == (ssize_t)size);
    return mem_printf("/proc/self/fd/%d", *fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    unsigned choice = data[0];
    size_t formats = 0;
    while (renderer_by_index(formats))
        formats++;
    int fd = -1;
    char *path = journal_path(data + 1, size - 1, &fd);
    const char *paths[NIGHTS];
    for (size_t i = 0; i < NIGHTS; i++)
        paths[i] = path;
    bool history = choice & 0x80;
    struct report_options options = {.journals = paths,
                                     .journal_count = history ? NIGHTS : 1,
                                     .baselines = paths,
                                     .baseline_count = choice >> 6 & 1,
                                     .history = history,
                                     .limit_pct = 0.5,
                                     .format = renderer_by_index((choice & 0x3f) % formats)->name};
    char *text = NULL;
    size_t length = 0;
    struct error err = {0};
    FILE *out = open_memstream(&text, &length);
    int result = report_make(&options, out, &err);
    fclose(out);
    FUZZ_CHECK(result == 0 || (err.code == EXIT_CODE_INPUT && err.what[0] && err.why[0]));
    FUZZ_CHECK(!memchr(text, '\033', length));
    free(text);
    free(path);
    close(fd);
    return 0;
}
