// SPDX-License-Identifier: Apache-2.0
// Noise whose truth is known: the shapes that run times on guests and shared machines have. Shared by the simulation
// and the unit tests. Everything is on the logarithm of the cost; the scale is 1 %.
#pragma once

#include "report/distribution.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define NOISE_SCALE 0.01

static inline double noise_normal(struct dist_rng *rng) {
    return dist_normal_quantile(0.5e-15 + (1 - 1e-15) * dist_rng_uniform(rng));
}

static inline double noise_gauss(struct dist_rng *rng) {
    return NOISE_SCALE * noise_normal(rng);
}

// Skewed: most samples near the best, a long tail.
static inline double noise_lognormal(struct dist_rng *rng) {
    return NOISE_SCALE * exp(noise_normal(rng));
}

// A guest's usual noise: never faster than the machine, 12 % of the samples delayed by 8 % on average.
static inline double noise_bursts(struct dist_rng *rng) {
    double value = fabs(noise_gauss(rng));
    if (dist_rng_uniform(rng) < 0.12)
        value -= 0.08 * log(1 - dist_rng_uniform(rng));
    return value;
}

// Two levels 3 % apart, drawn anew for each sample.
static inline double noise_bimodal(struct dist_rng *rng) {
    return (dist_rng_uniform(rng) < 0.3 ? 3 * NOISE_SCALE : 0) + 0.3 * noise_gauss(rng);
}

struct noise_shape {
    const char *name;
    double (*draw)(struct dist_rng *rng);
    double autocorrelation; // of a first-order autoregression
    double drift;           // change over one side's samples
    bool paired;            // interleaved: subject and baseline in turn
};

static const struct noise_shape noise_shapes[] = {
    {"normal", noise_gauss, 0, 0, false},
    {"log-normal", noise_lognormal, 0, 0, false},
    {"one-sided with bursts", noise_bursts, 0, 0, false},
    {"bimodal", noise_bimodal, 0, 0, false},
    {"autocorrelated 0.3", noise_gauss, 0.3, 0, false},
    {"autocorrelated 0.6", noise_gauss, 0.6, 0, false},
    {"autocorrelated 0.9", noise_gauss, 0.9, 0, false},
    {"drift 2 % a side, one after the other", noise_gauss, 0, 0.02, false},
    {"drift 4 % a side, one after the other", noise_gauss, 0, 0.04, false},
    {"drift 4 %, interleaved pairs", noise_gauss, 0, 0.04, true},
    {"bursts, interleaved pairs", noise_bursts, 0, 0, true},
    {"bursts, drift 4 %, interleaved pairs", noise_bursts, 0, 0.04, true},
};
#define NOISE_SHAPES (sizeof noise_shapes / sizeof noise_shapes[0])

// One side after the other (baseline first, as the drift sees it), or in turn. `shift` is added to the subject.
static inline void noise_pair(const struct noise_shape *shape, size_t n, double shift, struct dist_rng *rng,
                              double *subject, double *baseline) {
    double *side[2] = {baseline, subject};
    for (int s = 0; s < 2; s++) {
        double rho = shape->autocorrelation;
        double state = shape->draw(rng);
        for (size_t i = 0; i < n; i++) {
            state = rho > 0 ? rho * state + sqrt(1 - rho * rho) * shape->draw(rng) : shape->draw(rng);
            double time = (double)i / (double)(n - 1) + (s == 1 && !shape->paired ? 1 : 0);
            side[s][i] = state + shape->drift * time + (s == 1 ? shift : 0);
        }
    }
}
