// SPDX-License-Identifier: Apache-2.0
// What measuring costs: attribution samples against the timing samples next to them in time. Inside the ledger's room.
// May include: core, report.
#pragma once

#include "report/ledger.h"
#include "report/ledger_side.h"

// Fills ledger->observers, one for each pass of the side.
//
// For each attribution sample the log of its cost less the mean of its two neighbours' among the timing samples (one
// at an end of the run; of all timing samples, where the journal tells no times): a drift of the machine cancels. The
// estimate is the mean of these differences. The spread of one is pooled from them and from the same difference of each
// timing sample against its own neighbours, as a pass has few samples; neighbours' differences are correlated, n of
// them count for n / 1.94 (white noise: lags 1 and 2 have correlations -2/3 and 1/6).
void ledger_observe(const struct ledger_side *subject, struct ledger *ledger);
