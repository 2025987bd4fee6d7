// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The few structures of Xen's backends and of the block layer that probes read, with the few fields that they
// read. As in kernel_types.h, libbpf finds the real offsets in the running kernel's and module's BTF.
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bio {
    void *bi_private;
};

struct blkif_common_sring {
    unsigned int req_prod; // requests that the guest has put on the ring, counted on without end
};

struct blkif_common_back_ring {
    unsigned int req_cons; // requests that the backend has taken
    struct blkif_common_sring *sring;
};

union blkif_back_rings {
    struct blkif_common_back_ring common;
};

struct xen_vbd {
    unsigned short handle; // the guest's device number
};

struct xen_blkif {
    unsigned short domid;
    struct xen_vbd vbd;
};

struct xen_blkif_ring {
    union blkif_back_rings blk_rings;
    struct task_struct *xenblkd;
    struct xen_blkif *blkif;
};

struct pending_req {
    struct xen_blkif_ring *ring;
};

struct gntab_unmap_queue_data {
    void *data; // the pending_req
};

struct xen_netif_tx_sring {
    unsigned int req_prod;
};

struct xen_netif_tx_back_ring {
    unsigned int rsp_prod_pvt; // answers given
    unsigned int req_cons;
    struct xen_netif_tx_sring *sring;
};

struct xenvif {
    unsigned short domid;
    unsigned int handle; // the guest's device number
};

struct xenvif_queue {
    struct xenvif *vif;
    struct napi_struct napi;
    struct xen_netif_tx_back_ring tx;
    struct task_struct *task; // copies packets to the guest
};

// What Xen tells a virtual CPU of itself, in ns of Xen's clock.
struct vcpu_runstate_info {
    int state;
    unsigned long long time[4]; // in each state since it was made; [1]: runnable, without a CPU
};

#pragma clang attribute pop
