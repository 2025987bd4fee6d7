// SPDX-License-Identifier: Apache-2.0
// Sorting numbers in time proportional to their number: by the bytes of their keys (least significant first; Knuth, The
// Art of Computer Programming, 5.2.5), where there are enough of them to be worth it. May include: core.
#pragma once

#include <stddef.h>

// Ascending. NaNs go to the ends.
void sort_doubles(double *value, size_t count);

// place[i] becomes the index of the i-th smallest value; among equal ones, the earlier first.
void sort_places(const double *value, size_t count, size_t *place);
