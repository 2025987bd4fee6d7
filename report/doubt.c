// SPDX-License-Identifier: Apache-2.0
// The values; the header says what each stands for. Data alone.
#include "report/doubt.h"

struct doubt_constants doubt_constants = {
    .shown = 0.6,
    .shown_few = {24, 3, 1.7, 0},
    .error_few = {17, 3, 2, 0},

    .paired_errors = 0.3,
    .paired_dearer = 3,
    .paired_correction = 1.5,
    .paired_alternate = 1.5,

    .fewest = 2,
    .long_from = 10,
    .identifying = 5,
    .fewest_of_short = 2.5,
    .widest = 12,

    .wander = {13.5, 4, 7, 0},
    .wander_until = 30,
    .gate_apart = {17.5, 5, 0.7, 0.003},
    .gate_paired = {13.5, 5, 0.7, 0.003},
    .gate_sharp = {16, 9, 0.7, 0.0001},
    .gate_single = 0.25,
    .certain = 0.01,
};
