// SPDX-License-Identifier: Apache-2.0
// What an interval pays because samples may resemble their neighbours and their level may move. Pure functions.
// May include: report/series.h.
//
// Samples of two sides that ran apart pay more than interleaved pairs, the more the fewer they are: a level that
// wanders between the sides and happens to look quiet within them is the same numbers as a quiet one. The constants
// (report/doubt.h) are chosen so that of what is told in such noise (first-order autoregressions of 0.3, 0.6 and 0.9,
// drifts of two and four standard deviations), 93 % is right, or hardly anything is told (docs/method.md).
#pragma once

#include "report/series.h"

// The integrated autocorrelation time to pay for, in samples: above what `rho` shows by a part of its error, since too
// long a time costs power and too short a one costs truth. `rho` rests on so many pairs of neighbours in series of
// `length` samples.
//
// Apart: the bound is taken on Fisher's scale (atanh rho, Fisher 1921), where the error of rho is the same everywhere
// and the time is exp(2 atanh rho): a share of what is shown is added, and a share of the error.
double doubt_time_apart(double rho, size_t pairs, double length);
double doubt_time_paired(double rho, size_t pairs, double length);

// How many independent samples `count` dependent ones stand for; 2 at least.
double doubt_effective_size(size_t count, double time);

// By how much an interval between two sides that ran apart widens, whose m and n samples count for so many.
double doubt_widening(size_t m, size_t n, double size_m, double size_n);

// What samples too few to show it pay for a level that wanders, in half-widths of the interval by ranks; 0 from thirty
// samples on.
double doubt_wander(size_t count);

// One trend test for both sides: two machines that warm up alike, or one after the other on one machine.
double doubt_joint_drift_p(const struct series_check *a, const struct series_check *b);

// The change of a side's level that has to be allowed for, in the unit of the values: 0 where the trend test excludes
// one.
double doubt_drift(const struct series_check *check, double joint_p);

// What the differences of interleaved pairs add to each end for a drift: half of it, from the middle to the ends.
double doubt_drift_paired(const struct series_check *check);

// What two sides whose levels change by so much add to each end of an interval of this half-width (by ranks, not yet
// widened): half of each change, from the middle of a series to its end, where the other one may have begun; and what
// this bridge is itself uncertain by, the square root of 3 times the error of the shift (of two regressions).
double doubt_bridge(double change_a, double change_b, double half_width);

// Whether a trend with this p-value is certain: more samples of the same kind would drift too.
bool doubt_drift_is_certain(double p);
