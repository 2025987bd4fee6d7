// SPDX-License-Identifier: Apache-2.0
// See names.h. Adding a hypervisor, VMM, cloud or container manager: one row here, one signature, one test case.
// May include: core.
#include "detect/names.h"

#include <string.h>

const struct hypervisor hypervisors[] = {
    {"none", "no hypervisor", 0.30, 0,
     "nothing is below this operating system but the machine's own hardware and firmware"},
    {"kvm", "KVM", 0.25, 2,
     "a Linux host OS is below: KVM is a module of its kernel, which schedules each vCPU as a thread beside its own "
     "processes, and devices are served by a process of that host (Linux with KVM runs on the hardware itself, so some "
     "books call it Type 1)"},
    {"nitro", "AWS Nitro", 0.0, 1,
     "no general-purpose host OS is below: the Nitro hypervisor is a stripped-down KVM with no device model of its "
     "own, "
     "and cards serve the devices"},
    {"xen", "Xen", 0.06, 1,
     "no host OS is below: Xen runs on the hardware itself, and Dom0 is a guest beside this one that drives the "
     "devices"},
    {"hyperv", "Microsoft Hyper-V", 0.06, 1,
     "no host OS is below: the Hyper-V hypervisor runs on the hardware itself, and Windows runs beside the guests as "
     "root "
     "partition"},
    {"vmware", "VMware", 0.06, 0,
     "ESXi has no host OS below it, Workstation and Fusion have one, and the evidence does not tell which of them this "
     "is"},
    {"qemu", "QEMU without KVM (TCG)", 0.06, 2,
     "a host OS is below: QEMU is an ordinary program that translates each instruction"},
    {"virtualbox", "Oracle VirtualBox", 0.03, 2, "a desktop OS is below: VirtualBox is an application on it"},
    {"bhyve", "bhyve", 0.02, 2, "a FreeBSD or illumos host OS is below: bhyve is its kernel module and a process"},
    {"parallels", "Parallels", 0.02, 2, "macOS is below: Parallels is an application on it"},
    {"apple-vz", "Apple Virtualization", 0.02, 2, "macOS is below: the framework runs guests as processes of it"},
    {"acrn", "ACRN", 0.01, 1, "no host OS is below: ACRN runs on the hardware itself beside its Service VM"},
    {"jailhouse", "Jailhouse", 0.01, 1,
     "no host OS is below: Jailhouse partitions the hardware into cells, one of which runs Linux"},
    {"qnx", "QNX Hypervisor", 0.01, 1, "no general-purpose host OS is below: the QNX microkernel is the hypervisor"},
    {"zvm", "IBM z/VM", 0.01, 1,
     "no general-purpose host OS is below: z/VM's control program runs in a logical partition"},
    {"pr/sm", "IBM PR/SM", 0.01, 1, "no host OS is below: the machine's firmware divides it into logical partitions"},
    {"powervm", "IBM PowerVM", 0.01, 1, "no host OS is below: the POWER hypervisor is firmware"},
    {"ldoms", "Oracle VM Server for SPARC", 0.01, 1, "no host OS is below: the sun4v hypervisor is firmware"},
    {"openbsd-vmm", "OpenBSD vmm", 0.01, 2, "an OpenBSD host OS is below: vmm is part of its kernel, vmd a process"},
    {"uml", "User-mode Linux", 0.01, 2, "a Linux host OS is below: this kernel is an ordinary process of it"},
    {"haxm", "Intel HAXM", 0.01, 2, "a Windows or macOS host OS is below: HAXM is a driver in it"},
    {"nvmm", "NetBSD NVMM", 0.01, 2, "a NetBSD or DragonFly host OS is below: NVMM is part of its kernel"},
    {"lmhs", "Lockheed Martin LMHS", 0.01, 1, "no host OS is below: a separation kernel runs on the hardware itself"},
    {"spar", "Unisys s-Par", 0.01, 1, "no host OS is below: firmware partitions the machine"},
    {"intel-kgt", "Intel KGT", 0.01, 1, "no host OS is below: a thin monitor was started before the operating system"},
    {"noirvisor", "NoirVisor", 0.01, 2, "the monitor is a driver of the operating system that it watches"},
    {"barevisor", "Barevisor", 0.01, 2, "the monitor is a module of the operating system that it watches"},
    {"minivisor", "MiniVisor", 0.01, 2, "the monitor is a driver of the operating system that it watches"},
    {"gunyah", "Gunyah", 0.01, 1,
     "no host OS is below: Gunyah runs on the hardware itself, below Android's primary VM"},
    {"pikeos", "PikeOS", 0.01, 1, "no host OS is below: a separation kernel runs on the hardware itself"},
    {"virtual-pc", "Microsoft Virtual PC", 0.01, 2, "Windows is below: Virtual PC is an application on it"},
    {"bochs", "Bochs", 0.01, 2, "a host OS is below: Bochs is an ordinary program that interprets each instruction"},
    {NULL, NULL, 0, 0, NULL},
};

// The other ids, with their titles.
static const struct name {
    const char *id, *title;
} names[] = {
    // VMMs: the programs in the host that own the guest
    {"firecracker", "Firecracker"},
    {"cloud-hypervisor", "Cloud Hypervisor"},
    {"kvmtool", "kvmtool"},
    {"crosvm", "crosvm"},
    {"esxi", "ESXi"},
    {"workstation", "VMware Workstation"},
    {"fusion", "VMware Fusion"},
    {"libkrun", "libkrun"},
    {"stratovirt", "StratoVirt"},
    {"dragonball", "Dragonball"},
    {"wsl2", "WSL 2 utility VM"},
    // clouds and the platforms that present themselves as one
    {"aws", "Amazon Web Services"},
    {"gcp", "Google Cloud"},
    {"azure", "Microsoft Azure"},
    {"oracle-cloud", "Oracle Cloud"},
    {"alibaba", "Alibaba Cloud"},
    {"tencent", "Tencent Cloud"},
    {"huawei-cloud", "Huawei Cloud"},
    {"volcengine", "Volcano Engine"},
    {"baidu", "Baidu AI Cloud"},
    {"digitalocean", "DigitalOcean"},
    {"hetzner-cloud", "Hetzner Cloud"},
    {"hetzner-dedicated", "Hetzner dedicated server"},
    {"linode", "Akamai (Linode)"},
    {"vultr", "Vultr"},
    {"scaleway", "Scaleway"},
    {"upcloud", "UpCloud"},
    {"ovh", "OVHcloud"},
    {"exoscale", "Exoscale"},
    {"netcup", "netcup"},
    {"ionos", "IONOS"},
    {"gridscale", "gridscale"},
    {"yandex", "Yandex Cloud"},
    {"ibm-cloud", "IBM Cloud"},
    {"open-telekom-cloud", "Open Telekom Cloud"},
    {"sap-ccloud", "SAP Converged Cloud"},
    {"samsung-cloud", "Samsung Cloud Platform"},
    {"cloudsigma", "CloudSigma"},
    {"brightbox", "Brightbox"},
    {"e24cloud", "e24cloud"},
    {"zstack", "ZStack"},
    {"cloudstack", "Apache CloudStack"},
    {"openstack", "OpenStack"},
    {"kubevirt", "KubeVirt"},
    {"nutanix-ahv", "Nutanix AHV"},
    {"ovirt", "oVirt / RHV"},
    {"virtuozzo", "Virtuozzo"},
    {"joyent", "SmartOS / Triton"},
    {"lxd", "LXD"},
    {"incus", "Incus"},
    {"equinix-metal", "Equinix Metal"},
    // containers
    {"docker", "Docker"},
    {"podman", "Podman"},
    {"lxc", "LXC"},
    {"lxc-libvirt", "libvirt LXC"},
    {"systemd-nspawn", "systemd-nspawn"},
    {"openvz", "OpenVZ"},
    {"linux-vserver", "Linux-VServer"},
    {"kubernetes", "Kubernetes"},
    {"containerd", "containerd"},
    {"cri-o", "CRI-O"},
    {"rkt", "rkt"},
    {"garden", "Garden"},
    {"wsl", "Windows Subsystem for Linux"},
    {"proot", "PRoot"},
    {"pouch", "Pouch"},
    {"flatpak", "Flatpak"},
    {"apptainer", "Apptainer"},
    {"gvisor", "gVisor"},
    {"other", "a container"},
    {"any", "any"}, // in claims with != only
    // roles, modes, confidential modes
    {"guest", "guest"},
    {"dom0", "Dom0"},
    {"root-partition", "root partition"},
    {"service-vm", "Service VM"},
    {"pv", "PV"},
    {"hvm", "HVM"},
    {"pvh", "PVH"},
    {"sev", "AMD SEV"},
    {"sev-es", "AMD SEV-ES"},
    {"sev-snp", "AMD SEV-SNP"},
    {"tdx", "Intel TDX"},
    {"cca", "Arm CCA"},
    {"secure-execution", "IBM Secure Execution"},
    {"vbs", "Hyper-V VBS isolation"},
};

const struct hypervisor *hypervisor_find(const char *id) {
    for (const struct hypervisor *h = hypervisors; id && h->id; h++)
        if (!strcmp(h->id, id))
            return h;
    return NULL;
}

static bool same(const char *id, const char *text, size_t length) {
    return strlen(id) == length && !memcmp(id, text, length);
}

const char *name_intern(const char *text, size_t length) {
    for (const struct hypervisor *h = hypervisors; h->id; h++)
        if (same(h->id, text, length))
            return h->id;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (same(names[i].id, text, length))
            return names[i].id;
    return NULL;
}

const char *name_title(const char *id) {
    const struct hypervisor *h = hypervisor_find(id);
    if (h)
        return h->title;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i].id, id))
            return names[i].title;
    return id;
}

const char *name_other(size_t number) {
    return number < sizeof names / sizeof names[0] ? names[number].id : NULL;
}

bool name_is(const char *id, const char *word) {
    return id && !strcmp(id, word);
}
