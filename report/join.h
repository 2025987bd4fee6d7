// SPDX-License-Identifier: Apache-2.0
// Joining a guest's journal with its host's: the host saw each exit begin and end, so its times take the place of the
// guest's estimates in the samples that its windows cover.
//
// Which virtual machine it is, and how far the counters are apart, follows from the guest's knocks (core/knock.h):
// three CPUIDs before each sample that carry the guest's TSC. Without knocks KVM's own tsc_offset serves, if there is
// one virtual machine or one whose name is that of the guest.
//
// A sample's seconds of a cause are the sum over the windows that it overlaps, of all vCPUs. A window at its end, of
// which a share s is taken to be the sample's (join_edge.h), gives s of its seconds x; since its events may all lie on
// one side, its variance is x^2 s (1 - s). To each exit is added what its two tracepoints do not enclose (the
// processor's transitions, and KVM's last and first steps), if the guest has calibrated CPUID: the cost it measured
// less the host's mean of CPUID exits. The exits' and the host's families are replaced together (what the host did not
// see is 0), in all samples of a case and mode or in none: a mean over samples of different sources would be of
// neither. May include: core, report/dataset.h.
#pragma once

#include "report/dataset.h"
#include "report/host.h"

#define JOIN_COVERED 0.99 // share of a sample that windows must cover

// Replaces in `guest` what the hosts know better. What was done, with the counters' offset and its error, becomes
// guest->joined; whatever stands in the way, and disagreements beyond both errors, become notes of the data set.
void join_guest(struct dataset *guest, const struct host_journal *hosts, size_t host_count);
