// SPDX-License-Identifier: Apache-2.0
// What an interval pays because samples may resemble their neighbours and their level may move. Pure functions.
// May include: report/series.h.
#pragma once

#include "report/series.h"

// How the samples were taken. Pairs of interleaved ones need less doubt: what is slower than a block is in both halves
// and gone.
enum doubt { DOUBT_APART, DOUBT_PAIRED };

// The integrated autocorrelation time to pay for, in samples: above what `rho` shows by a part of its error, since too
// long a time costs power and too short a one costs truth. `rho` rests on so many pairs of neighbours in series of
// `length` samples.
double doubt_time(double rho, size_t pairs, double length, enum doubt doubt);

// How many independent samples `count` dependent ones stand for; 2 at least.
double doubt_effective_size(size_t count, double time);

// One trend test for both sides: two machines that warm up alike, or one after the other on one machine.
double doubt_joint_drift_p(const struct series_check *a, const struct series_check *b);

// What a side's drift adds to each end of the interval, in the unit of the values.
double doubt_drift(const struct series_check *check, double joint_p);

// Whether a trend with this p-value is certain: more samples of the same kind would drift too.
bool doubt_drift_is_certain(double p);
