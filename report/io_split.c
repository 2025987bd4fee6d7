// SPDX-License-Identifier: Apache-2.0
// What a split request is made of; see the header. May include: core, report.
#include "report/io_split.h"

#include <stdlib.h>

void io_split_free(struct io_split *split) {
    free(split->device);
    free(split->key);
    free(split->backend);
}

void io_splits_free(struct io_splits *splits) {
    for (size_t i = 0; i < splits->count; i++)
        io_split_free(&splits->items[i]);
    free(splits->items);
    *splits = (struct io_splits){0};
}

struct io_words io_split_words(const struct io_split *split) {
    static const struct io_words disk = {"request", "requests in", "answered by"};
    static const struct io_words sent = {"packet", "packets sent by", "answered by"};
    static const struct io_words received = {"packet", "packets received by", "given it by"};
    if (split->receives)
        return received;
    return split->nic ? sent : disk;
}

bool io_split_has(const struct io_split *split, enum io_segment segment) {
    return !(split->nic && segment == IO_DEVICE) && !(split->receives && segment == IO_NOTIFY);
}

static void add_guest(struct io_stretch *out, size_t *count, const struct io_split *split, enum guest_part part) {
    if (split->part_s[part] > 0)
        out[(*count)++] = (struct io_stretch){guest_part_names[part], split->part_s[part]};
}

size_t io_split_way(const struct io_split *split, struct io_stretch out[IO_STRETCHES]) {
    size_t count = 0;
    add_guest(out, &count, split, GUEST_SUBMIT);
    for (int s = 0; s < IO_SEGMENTS; s++)
        if (io_split_has(split, (enum io_segment)s))
            out[count++] = (struct io_stretch){io_segment_names[s], split->segment_s[s]};
    if (!split->receives)
        add_guest(out, &count, split, GUEST_CPU_WAIT);
    add_guest(out, &count, split, GUEST_COMPLETE);
    return count;
}

double io_split_timed_s(const struct io_split *split) {
    struct io_stretch way[IO_STRETCHES];
    size_t count = io_split_way(split, way);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += way[i].seconds;
    return sum;
}
