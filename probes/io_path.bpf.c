// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long do requests of each disk and packets of each network interface take, from where the driver is given them to
// where it is done with them, and for how long did CPUs of the job stand idle because the job waited for a disk?
//
// Raw tracepoints where no task is looked at: their arguments have moved between kernels. Attached in attribution
// samples only.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/io_xen.bpf.h"
#include "probes/job.bpf.h"

// Set by the collector. Before Linux 5.11 block_rq_issue and block_bio_queue had a queue as first argument.
const volatile _Bool issue_names_queue;

MAPPED_ARRAY(flights, struct io_flight);
MAPPED_ARRAY(sleepers, struct io_sleeper);
MAPPED_ARRAY(bios, struct io_bio);
MAPPED_ARRAY(control, struct io_control);

static __always_inline struct io_control *my_control(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&control, &zero);
}

// --- requests under way ---------------------------------------------------------------------------------------------

// Requests and packets are objects of 200 bytes and more, so the low bits of their addresses tell nothing.
static __always_inline __u32 place_of(__u64 request) {
    return (request >> 6) * 0x9e3779b97f4a7c15ULL >> 40;
}

// The request's place, or one that it may take. Two CPUs that take the same free place at the same moment leave one
// request untimed, and so does one that finds no free place and drives out another.
static __always_inline struct io_flight *claim(__u64 request) {
    __u32 first = place_of(request) & (IO_FLIGHTS - 1);
    struct io_flight *place = bpf_map_lookup_elem(&flights, &first);
#pragma unroll
    for (__u32 way = 0; way < IO_WAYS; way++) {
        __u32 at = (first + way) & (IO_FLIGHTS - 1);
        struct io_flight *flight = bpf_map_lookup_elem(&flights, &at);
        if (flight && (!flight->request || flight->request == request))
            return flight;
    }
    return place;
}

static __always_inline void depart(__u64 request, __u32 device, __u32 own, __u64 queue_ns) {
    struct io_flight *flight = claim(request);
    if (!flight)
        return;
    if (flight->request != request || queue_ns)
        flight->queue_ns = queue_ns;
    flight->own = own || (flight->request == request && flight->own); // it may be issued again
    flight->request = request;
    flight->device = device;
    flight->cpu = bpf_get_smp_processor_id();
    flight->start = bpf_ktime_get_ns();
}

static __always_inline struct io_flight *flight_of(__u64 request) {
    __u32 first = place_of(request);
#pragma unroll
    for (__u32 way = 0; way < IO_WAYS; way++) {
        __u32 at = (first + way) & (IO_FLIGHTS - 1);
        struct io_flight *flight = bpf_map_lookup_elem(&flights, &at);
        if (flight && flight->request == request)
            return flight;
    }
    return 0;
}

static __always_inline void arrive(struct io_row *row, struct io_flight *flight) {
    if (!flight)
        return;
    flight->request = 0;
    __u64 now = bpf_ktime_get_ns();
    __u64 ns = now > flight->start ? now - flight->start : 0;
    row->timed++;
    row->ns += ns;
    row->hist[log2_bucket(ns, IO_HIST)]++;
    row->remote += flight->cpu != bpf_get_smp_processor_id();
}

// --- disks ----------------------------------------------------------------------------------------------------------

static __always_inline struct gendisk *disk_of(struct request *rq) {
    if (bpf_core_field_exists(((struct request___before_5_17 *)0)->rq_disk))
        return BPF_CORE_READ((struct request___before_5_17 *)rq, rq_disk);
    return BPF_CORE_READ(rq, q, disk);
}

static __always_inline __u32 disk_number(struct request *rq) {
    struct gendisk *disk = disk_of(rq);
    return disk ? (__u32)BPF_CORE_READ(disk, major) << 20 | (__u32)BPF_CORE_READ(disk, first_minor) : 0;
}

// The device's index, or IO_DEVICES. Its kernel object is looked up until it is found once.
static __always_inline __u32 disk_index(struct io_control *c, struct request *rq) {
    __u64 queue = (__u64)BPF_CORE_READ(rq, q);
    for (__u32 i = 0; i < IO_DEVICES && c->devices[i].number; i++)
        if (c->devices[i].object == queue)
            return i;
    __u32 number = disk_number(rq);
    for (__u32 i = 0; i < IO_DEVICES && c->devices[i].number; i++)
        if (!c->devices[i].is_nic && c->devices[i].number == number) {
            c->devices[i].object = queue;
            return i;
        }
    return IO_DEVICES;
}

static __always_inline __u64 request_of(struct bpf_raw_tracepoint_args *ctx) {
    return issue_names_queue ? ctx->args[1] : ctx->args[0];
}

// Where the bio of a thread of the job is noted, until its request is issued: by whom is up to the scheduler.
static __always_inline struct io_bio *note_of(__u64 bio) {
    __u32 at = place_of(bio) & (IO_BIOS - 1);
    return bpf_map_lookup_elem(&bios, &at);
}

// block:block_bio_queue([queue,] bio), in the thread that wants it
SEC("raw_tp/block_bio_queue")
int on_block_bio_queue(struct bpf_raw_tracepoint_args *ctx) {
    __u64 bio = request_of(ctx);
    struct io_cpu *cpu = my_cpu();
    struct io_bio *note = cpu && cpu->current == WHOSE_JOB ? note_of(bio) : 0;
    if (!note)
        return 0;
    note->bio = bio;
    note->since = bpf_ktime_get_ns();
    return 0;
}

// block:block_rq_issue([queue,] request). The driver is given the request; it has not notified the other side yet.
SEC("raw_tp/block_rq_issue")
int on_block_rq_issue(struct bpf_raw_tracepoint_args *ctx) {
    struct request *rq = (void *)request_of(ctx);
    __u64 bio = (__u64)BPF_CORE_READ(rq, bio);
    struct io_bio *note = bio ? note_of(bio) : 0;
    __u32 own = note && note->bio == bio;
    __u64 now = bpf_ktime_get_ns();
    if (own)
        note->bio = 0;
    depart((__u64)rq, 0, own, own && now > note->since ? now - note->since : 0);
    struct io_cpu *cpu = channels_wanted ? my_cpu() : 0;
    struct io_control *c = cpu ? my_control() : 0;
    if (c)
        xen_issues(cpu, disk_index(c, rq));
    return 0;
}

// block:block_rq_complete(request, error, unsigned bytes). A request may end in parts.
SEC("raw_tp/block_rq_complete")
int on_block_rq_complete(struct bpf_raw_tracepoint_args *ctx) {
    struct request *rq = (void *)ctx->args[0];
    __u32 bytes = ctx->args[2];
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    if (!cpu || !c)
        return 0;
    __u32 left = BPF_CORE_READ(rq, __data_len);
    struct io_flight *flight = bytes >= left ? flight_of((__u64)rq) : 0;
    __u32 device = disk_index(c, rq);
    cpu->completed = 0;
    if (device >= IO_DEVICES) {
        cpu->others++;
        if (flight)
            flight->request = 0;
        return 0;
    }
    cpu->completed = device + 1; // whoever is woken from here to the end of the handler has waited for it
    cpu->ended = bpf_ktime_get_ns();
    struct io_row *row = &cpu->rows[device];
    row->bytes += bytes;
    if (bytes < left)
        return 0;
    row->requests++;
    row->own += flight ? flight->own : 0;
    if (flight && flight->queue_ns) {
        row->queued++;
        row->queue_ns += flight->queue_ns;
    }
    arrive(row, flight);
    xen_disk_ends(cpu, row);
    return 0;
}

// --- network interfaces ---------------------------------------------------------------------------------------------

static __always_inline __u32 nic_index(struct io_control *c, struct net_device *dev) {
    for (__u32 i = 0; i < IO_DEVICES && c->devices[i].number; i++)
        if (c->devices[i].object == (__u64)dev)
            return i;
    __u32 number = BPF_CORE_READ(dev, ifindex);
    for (__u32 i = 0; i < IO_DEVICES && c->devices[i].number; i++)
        if (c->devices[i].is_nic && c->devices[i].number == number) {
            c->devices[i].object = (__u64)dev;
            return i;
        }
    return IO_DEVICES;
}

// net:net_dev_start_xmit(packet, interface). The driver is given the packet.
SEC("raw_tp/net_dev_start_xmit")
int on_net_dev_start_xmit(struct bpf_raw_tracepoint_args *ctx) {
    struct sk_buff *packet = (void *)ctx->args[0];
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    __u32 device = c ? nic_index(c, (void *)ctx->args[1]) : IO_DEVICES;
    if (!cpu || device >= IO_DEVICES)
        return 0;
    cpu->rows[device].requests++;
    cpu->rows[device].own += cpu->current;
    cpu->rows[device].bytes += BPF_CORE_READ(packet, len);
    depart((__u64)packet, device, cpu->current, 0);
    if (channels_wanted)
        xen_issues(cpu, device);
    return 0;
}

// The driver frees the packet when it learns that the other side has taken it.
static __always_inline int packet_ends(__u64 packet) {
    struct io_cpu *cpu = my_cpu();
    struct io_flight *flight = flight_of(packet);
    if (!cpu || !flight)
        return 0;
    __u32 device = flight->device & (IO_DEVICES - 1);
    struct io_row *row = &cpu->rows[device];
    if (flight->start < cpu->event) // while the driver sends nobody has told it
        xen_packet_ends(cpu, row, device);
    arrive(row, flight);
    return 0;
}

SEC("raw_tp/consume_skb")
int on_consume_skb(struct bpf_raw_tracepoint_args *ctx) {
    return packet_ends(ctx->args[0]);
}

SEC("raw_tp/kfree_skb")
int on_kfree_skb(struct bpf_raw_tracepoint_args *ctx) {
    return packet_ends(ctx->args[0]);
}

// napi:napi_poll(napi, int work, int budget)
SEC("raw_tp/napi_poll")
int on_napi_poll(struct bpf_raw_tracepoint_args *ctx) {
    struct napi_struct *napi = (void *)ctx->args[0];
    struct net_device *dev = BPF_CORE_READ(napi, dev);
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    __u32 device = c && dev ? nic_index(c, dev) : IO_DEVICES;
    if (!cpu || device >= IO_DEVICES)
        return 0;
    cpu->rows[device].polls++;
    cpu->rows[device].polled += (__u32)ctx->args[1];
    cpu->receiver = cpu->arrived = 0;
    return 0;
}

// net:netif_receive_skb(packet). The network stack is given it, out of a round of NAPI that an event began.
SEC("raw_tp/netif_receive_skb")
int on_netif_receive_skb(struct bpf_raw_tracepoint_args *ctx) {
    struct sk_buff *packet = (void *)ctx->args[0];
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    if (!cpu || !c || !cpu->receiver)
        return 0;
    __u32 device = nic_index(c, BPF_CORE_READ(packet, dev));
    if (device >= IO_DEVICES || device + 1 != cpu->receiver)
        return 0;
    xen_arrives(cpu, &cpu->rows[device].received);
    cpu->arrived = device + 1;
    cpu->ended = bpf_ktime_get_ns();
    return 0;
}

// --- who waits for disks ---------------------------------------------------------------------------------------------

static __always_inline struct io_sleeper *sleeper_of(struct task_struct *task) {
    __u32 at = (__u32)task->pid & (IO_SLEEPERS - 1);
    return bpf_map_lookup_elem(&sleepers, &at);
}

// A thread that a completion woke has a CPU.
static __always_inline void is_back(struct io_cpu *cpu, struct task_struct *task) {
    struct io_sleeper *sleeper = sleeper_of(task);
    if (!sleeper || sleeper->woken != (__u64)task)
        return;
    sleeper->woken = 0;
    struct io_row *row = &cpu->rows[sleeper->device & (IO_DEVICES - 1)];
    row->wakes++;
    row->wake_ns += bpf_ktime_get_ns() - sleeper->ended;
}

// Idle time of each CPU, and where the job's threads were when they left theirs.
SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    if (!cpu || !c)
        return 0;
    cpu->completed = cpu->arrived = 0;
    if (prev->pid == 0 && cpu->idle_since) {
        cpu->idle_ns += bpf_ktime_get_ns() - cpu->idle_since;
        cpu->idle_since = 0;
    }
    if (next->pid == 0)
        cpu->idle_since = bpf_ktime_get_ns();
    cpu->current = is_of_job(&c->job, next) ? WHOSE_JOB : WHOSE_OTHERS;
    if (cpu->current == WHOSE_JOB)
        is_back(cpu, next);
    if (!is_of_job(&c->job, prev))
        return 0;
    struct io_sleeper *sleeper = sleeper_of(prev);
    if (!sleeper)
        return 0;
    sleeper->task = (__u64)prev;
    sleeper->woken = 0;
    sleeper->idle_ns = cpu->idle_ns;
    sleeper->cpu = bpf_get_smp_processor_id();
    return 0;
}

// At the beginning of a sample: whose packets and requests are these?
SEC("raw_tp")
int look(void *ctx) {
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    if (cpu && c)
        cpu->current = whose_turn(&c->job);
    return 0;
}

// A thread of the job is woken while a completion is handled. Its CPU's idle time since it left is what it waited for:
// that which another thread's wait has not been told to have caused already.
SEC("tp_btf/sched_waking")
int BPF_PROG(on_sched_waking, struct task_struct *task) {
    struct io_cpu *cpu = my_cpu();
    struct io_control *c = my_control();
    __u32 by = !cpu ? 0 : cpu->completed ? cpu->completed : cpu->arrived;
    if (!by || !c || !is_of_job(&c->job, task))
        return 0;
    struct io_sleeper *sleeper = sleeper_of(task);
    if (!sleeper || sleeper->task != (__u64)task)
        return 0;
    sleeper->task = 0;
    sleeper->woken = (__u64)task;
    sleeper->ended = cpu->ended;
    sleeper->device = by - 1;
    if (!cpu->completed) // nobody can say for whom a packet comes late
        return 0;
    __u32 home = sleeper->cpu;
    struct io_cpu *idle = bpf_map_lookup_elem(&cpus, &home);
    if (!idle)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    __u64 since = idle->idle_since;
    __u64 until = idle->idle_ns + (since && now > since ? now - since : 0);
    __u64 from = sleeper->idle_ns > idle->told_ns ? sleeper->idle_ns : idle->told_ns;
    __u64 ns = until > from ? until - from : 0;
    struct io_row *row = &cpu->rows[(cpu->completed - 1) & (IO_DEVICES - 1)];
    row->waits++;
    row->blocked_ns += ns;
    if (until > from)
        idle->told_ns = until;
    return 0;
}

// Whom a later handler wakes has not waited for the disk.
static __always_inline int handler_ends(void) {
    struct io_cpu *cpu = my_cpu();
    if (cpu)
        cpu->completed = 0;
    return 0;
}

SEC("raw_tp/irq_handler_exit")
int on_irq_handler_exit(void *ctx) {
    return handler_ends();
}

SEC("raw_tp/softirq_exit")
int on_softirq_exit(void *ctx) {
    return handler_ends();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
