// SPDX-License-Identifier: Apache-2.0
// Joining a guest's requests with Dom0's record of them: what the guest measured from issue to completion is split into
// the segments that Dom0 timed, and one rest that neither side sees: the guest's own block layer, the event channels,
// and Xen scheduling both.
//
// Which domain it is follows from its name (the guest's label or host name), or there is one alone. Times are matched
// by the TSC where both read the same one, which the wall clocks tell; else by the wall clock. How far the wall clocks
// are apart the requests themselves tell: the guest counted them in its samples, Dom0 in its windows.
// May include: core, report.
#pragma once

#include "report/dataset.h"
#include "report/host.h"

// Splits the requests of each device of each case (dataset_case.splits). How the clocks fit becomes guest->joined, and
// what stands in the way a note of the data set.
void join_io(struct dataset *guest, const struct host_journal *hosts, size_t host_count);
