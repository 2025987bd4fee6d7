// SPDX-License-Identifier: Apache-2.0
// The constants of what an interval pays for doubt (report/stats_doubt.h), in one table. Data alone. May include: the C
// library only.
//
// Where they come from: arithmetic gives the form of each payment, not its size, since what a short series hides cannot
// be computed from it. The sizes are the smallest, by hand and to a tenth or so, with which of what is told over the
// noise of tests/sim/noise.h 93 % is right; found with some seeds of build/sim-verdicts and checked with others. What
// each is for can be seen by leaving it out: build/sim-doubt does that, one by one, and docs/method.md has the table.
#pragma once

// Fades as there are more samples: (at / n)^power, but `most` at most and `least` at least.
struct doubt_curve {
    double at;
    double power;
    double most;
    double least;
};

struct doubt_constants {
    // Dependence of sides that ran apart, on Fisher's scale (atanh rho), where the time is exp(2 atanh rho).
    double shown;                 // this share of what is shown is added, in series of any length,
    struct doubt_curve shown_few; // and this one in short ones,
    struct doubt_curve error_few; // and so many standard errors of it.

    // Dependence of pairs, on the scale of rho.
    double paired_errors;     // so many standard errors are added:
    double paired_dearer;     // more, the larger rho: the time grows as 1 / (1 - rho), and errors with it;
    double paired_correction; // more in short series, whose correction for bias multiplies the error: so much at most.
    double paired_alternate;  // So many standard errors below 0, neighbours alternate for certain: nothing is paid.

    // How far down samples count.
    double fewest;          // Dependent samples count for two at least: one degree of freedom, t = 12.7.
    double long_from;       // From so many samples on,
    double identifying;     // those that count for fewer than this identify no small shift, and count for `fewest`;
    double fewest_of_short; // fewer samples show too little of it to be told so, and count for this at least.
    double widest;          // Half-widths that an interval has at most: more than twice what samples of 0.9 differ by.

    // A level that moves.
    struct doubt_curve wander; // Half-widths added for a level that wanders unseen between sides that ran apart;
    double wander_until;       // none from so many samples on.
    // Below these p-values a trend is taken for real. A short series can hide a large drift, so nearly whatever trend
    // it shows is allowed for; the gate closes as the test gains power, the sooner the sharper the test is.
    struct doubt_curve gate_apart;  // trend by all ranks, sides that ran apart
    struct doubt_curve gate_paired; // the same of the differences of pairs
    struct doubt_curve gate_sharp;  // trend by the lower half of the ranks
    double gate_single; // Of one series alone, this part of it: both sides' trends together are asked first.
    double certain;     // Below this p-value more samples of the kind would drift too.
};

// Read by report/stats_doubt.c. Only the simulation that asks what each is for writes to it.
extern struct doubt_constants doubt_constants;
