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
    enum name_category category;
    const char *id, *title;
} names[] = {
    // VMMs: the programs in the host that own the guest
    {NAME_VMM, "firecracker", "Firecracker"},
    {NAME_VMM, "cloud-hypervisor", "Cloud Hypervisor"},
    {NAME_VMM, "kvmtool", "kvmtool"},
    {NAME_VMM, "crosvm", "crosvm"},
    {NAME_VMM, "esxi", "ESXi"},
    {NAME_VMM, "workstation", "VMware Workstation"},
    {NAME_VMM, "fusion", "VMware Fusion"},
    {NAME_VMM, "libkrun", "libkrun"},
    {NAME_VMM, "stratovirt", "StratoVirt"},
    {NAME_VMM, "dragonball", "Dragonball"},
    {NAME_VMM, "wsl2", "WSL 2 utility VM"},
    // clouds and the platforms that present themselves as one
    {NAME_CLOUD, "aws", "Amazon Web Services"},
    {NAME_CLOUD, "gcp", "Google Cloud"},
    {NAME_CLOUD, "azure", "Microsoft Azure"},
    {NAME_CLOUD, "oracle-cloud", "Oracle Cloud"},
    {NAME_CLOUD, "alibaba", "Alibaba Cloud"},
    {NAME_CLOUD, "tencent", "Tencent Cloud"},
    {NAME_CLOUD, "huawei-cloud", "Huawei Cloud"},
    {NAME_CLOUD, "volcengine", "Volcano Engine"},
    {NAME_CLOUD, "baidu", "Baidu AI Cloud"},
    {NAME_CLOUD, "digitalocean", "DigitalOcean"},
    {NAME_CLOUD, "hetzner-cloud", "Hetzner Cloud"},
    {NAME_CLOUD, "hetzner-dedicated", "Hetzner dedicated server"},
    {NAME_CLOUD, "linode", "Akamai (Linode)"},
    {NAME_CLOUD, "vultr", "Vultr"},
    {NAME_CLOUD, "scaleway", "Scaleway"},
    {NAME_CLOUD, "upcloud", "UpCloud"},
    {NAME_CLOUD, "ovh", "OVHcloud"},
    {NAME_CLOUD, "exoscale", "Exoscale"},
    {NAME_CLOUD, "netcup", "netcup"},
    {NAME_CLOUD, "ionos", "IONOS"},
    {NAME_CLOUD, "gridscale", "gridscale"},
    {NAME_CLOUD, "yandex", "Yandex Cloud"},
    {NAME_CLOUD, "ibm-cloud", "IBM Cloud"},
    {NAME_CLOUD, "open-telekom-cloud", "Open Telekom Cloud"},
    {NAME_CLOUD, "sap-ccloud", "SAP Converged Cloud"},
    {NAME_CLOUD, "samsung-cloud", "Samsung Cloud Platform"},
    {NAME_CLOUD, "cloudsigma", "CloudSigma"},
    {NAME_CLOUD, "brightbox", "Brightbox"},
    {NAME_CLOUD, "e24cloud", "e24cloud"},
    {NAME_CLOUD, "zstack", "ZStack"},
    {NAME_CLOUD, "cloudstack", "Apache CloudStack"},
    {NAME_CLOUD, "openstack", "OpenStack"},
    {NAME_CLOUD, "kubevirt", "KubeVirt"},
    {NAME_CLOUD, "nutanix-ahv", "Nutanix AHV"},
    {NAME_CLOUD, "ovirt", "oVirt / RHV"},
    {NAME_CLOUD, "virtuozzo", "Virtuozzo"},
    {NAME_CLOUD, "joyent", "SmartOS / Triton"},
    {NAME_CLOUD, "lxd", "LXD"},
    {NAME_CLOUD, "incus", "Incus"},
    {NAME_CLOUD, "equinix-metal", "Equinix Metal"},
    // containers
    {NAME_CONTAINER, "docker", "Docker"},
    {NAME_CONTAINER, "podman", "Podman"},
    {NAME_CONTAINER, "lxc", "LXC"},
    {NAME_CONTAINER, "lxc-libvirt", "libvirt LXC"},
    {NAME_CONTAINER, "systemd-nspawn", "systemd-nspawn"},
    {NAME_CONTAINER, "openvz", "OpenVZ"},
    {NAME_CONTAINER, "linux-vserver", "Linux-VServer"},
    {NAME_CONTAINER, "kubernetes", "Kubernetes"},
    {NAME_CONTAINER, "containerd", "containerd"},
    {NAME_CONTAINER, "cri-o", "CRI-O"},
    {NAME_CONTAINER, "oci", "an OCI runtime"},
    {NAME_CONTAINER, "illumos-lx", "illumos LX zone"},
    {NAME_CONTAINER, "rkt", "rkt"},
    {NAME_CONTAINER, "garden", "Garden"},
    {NAME_CONTAINER, "wsl", "Windows Subsystem for Linux"},
    {NAME_CONTAINER, "proot", "PRoot"},
    {NAME_CONTAINER, "pouch", "Pouch"},
    {NAME_CONTAINER, "flatpak", "Flatpak"},
    {NAME_CONTAINER, "apptainer", "Apptainer"},
    {NAME_CONTAINER, "gvisor", "gVisor"},
    {NAME_CONTAINER, "other", "a container"},
    {NAME_CONTAINER, "any", "any"}, // in claims with != only
    // roles, modes, confidential modes
    {NAME_ROLE, "guest", "guest"},
    {NAME_ROLE, "dom0", "Dom0"},
    {NAME_ROLE, "root-partition", "root partition"},
    {NAME_ROLE, "service-vm", "Service VM"},
    {NAME_MODE, "pv", "PV"},
    {NAME_MODE, "hvm", "HVM"},
    {NAME_MODE, "pvh", "PVH"},
    {NAME_CONFIDENTIAL, "sev", "AMD SEV"},
    {NAME_CONFIDENTIAL, "sev-es", "AMD SEV-ES"},
    {NAME_CONFIDENTIAL, "sev-snp", "AMD SEV-SNP"},
    {NAME_CONFIDENTIAL, "tdx", "Intel TDX"},
    {NAME_CONFIDENTIAL, "cca", "Arm CCA"},
    {NAME_CONFIDENTIAL, "secure-execution", "IBM Secure Execution"},
    {NAME_CONFIDENTIAL, "vbs", "Hyper-V VBS isolation"},
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

const char *name_other(size_t number, enum name_category *category) {
    if (number >= sizeof names / sizeof names[0])
        return NULL;
    *category = names[number].category;
    return names[number].id;
}

bool name_is(const char *id, const char *word) {
    return id && !strcmp(id, word);
}
