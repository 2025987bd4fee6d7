// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The few kernel structures that probes read, with the few fields that they read. libbpf finds the real offsets in the
// running kernel's BTF when a program is loaded (CO-RE), so this is no copy of any kernel's headers, and the objects
// build on machines without BTF.
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum { PIDTYPE_TGID = 1, PIDTYPE_SID = 3 }; // enum pid_type, Linux 4.19 and later

struct upid {
    int nr;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct signal_struct {
    struct pid *pids[4];
};

struct sched_info {
    unsigned long long run_delay; // ns spent waiting on a run queue
};

struct rq {
    unsigned long long prev_steal_time; // ns: as far as the CPU's steal clock has been booked (CONFIG_PARAVIRT)
};

struct cfs_rq {
    struct rq *rq;
};

struct sched_entity {
    struct cfs_rq *cfs_rq; // CONFIG_FAIR_GROUP_SCHED
};

struct task_struct {
    int pid; // the thread; 0: idle
    struct sched_entity se;
    struct mm_struct *mm;
    struct signal_struct *signal;
    struct sched_info sched_info;
};

// KVM's steal clock, of a CPU of its guest.
struct kvm_steal_time {
    unsigned long long steal; // ns
};

// The clock CLOCK_MONOTONIC as it may be read at any moment: two copies, of which one is never being written.
struct tk_read_base {
    struct clocksource *clock;
    unsigned long long cycle_last; // of that clock
    unsigned int mult;             // ns << shift per cycle
    unsigned int shift;
    unsigned long long xtime_nsec; // ns << shift, on top of base
    long long base;                // ns at cycle_last
};

struct seqcount {
    unsigned int sequence;
};

typedef struct {
    struct seqcount seqcount;
} seqcount_latch_t;

struct tk_fast {
    seqcount_latch_t seq;
    struct tk_read_base base[2];
};

// KVM's, of its modules: a vCPU, and where its last exit and the reason of that are.
struct kvm_vcpu_arch {
    unsigned long long regs[8];        // the guest's, in the order of their numbers
    unsigned long long last_guest_tsc; // the guest's counter when it was last left
    unsigned long long l1_tsc_offset;
    unsigned long long l1_tsc_scaling_ratio;
};

struct kvm_vcpu {
    int vcpu_id;
    struct kvm_vcpu_arch arch;
};

// A header and as many numbers as it says.
struct perf_callchain_entry {
    unsigned long long nr;
};

struct vmcb_control_area {
    unsigned int exit_code;
    unsigned long long exit_info_1;
};

struct vmcb {
    struct vmcb_control_area control;
};

struct kvm_vmcb_info {
    struct vmcb *ptr;
};

struct vcpu_svm { // begins with its struct kvm_vcpu
    struct vmcb *vmcb;
    struct kvm_vmcb_info vmcb01; // the one that is not of a guest's guest
};

union vmx_exit_reason {
    unsigned int full;
};

struct vcpu_vmx { // begins with its struct kvm_vcpu
    union vmx_exit_reason exit_reason;
    unsigned long exit_qualification; // as soon as KVM has asked for it
};

// The node of the tree in which a high-resolution timer waits.
struct timerqueue_node {
    long long expires; // ns of the timer's clock
};

struct hrtimer {
    struct timerqueue_node node;
};

// A function call sent to another CPU.
struct __call_single_node {
    unsigned int u_flags; // in an anonymous union
};

struct __call_single_data {
    struct __call_single_node node;
};

// A block device's request, and whose it is.
struct gendisk {
    int major;
    int first_minor;
};

struct request_queue {
    struct gendisk *disk; // Linux 5.15 and later
};

struct request {
    struct request_queue *q;
    unsigned int __data_len; // bytes that have not ended yet
    struct bio *bio;         // the first one
};

struct request___before_5_17 {
    struct gendisk *rq_disk;
};

// A packet, the network interface that it goes through, and the polling of that.
struct net_device {
    int ifindex;
};

struct sk_buff {
    struct net_device *dev;
    unsigned int len;
};

struct napi_struct {
    struct net_device *dev;
};

// A ring of a virtio device.
struct virtio_device {
    int index; // the number in its name
};

struct virtqueue {
    struct virtio_device *vdev;
};

#pragma clang attribute pop
