// SPDX-License-Identifier: Apache-2.0
// Signatures that the running kernel and system show: /proc, /run, /dev, /sys outside firmware. See signatures.h.
// May include: core.
#include "detect/signatures.h"

#include "core/memory.h"

#define ONLY                                                                                                           \
    { NULL, TEST_ALWAYS, NULL }
#define FILE_(path, test, text)                                                                                        \
    { path, TEST_##test, text }
#define KERNEL(path, test, text, says, from)                                                                           \
    { GROUP_KERNEL, FILE_(path, test, text), ONLY, says, from }
#define CGROUP(test, text, says, from)                                                                                 \
    {GROUP_CONTAINER_CGROUP, FILE_("proc/self/cgroup", test, text), ONLY, says, from}, {                               \
        GROUP_CONTAINER_CGROUP, FILE_("proc/1/cgroup", test, text), ONLY, says, from                                   \
    }
#define MANAGER(name, says, from)                                                                                      \
    {GROUP_CONTAINER_FILES, FILE_("proc/1/environ", LINE, "container=" name), ONLY, says, from},                       \
        {GROUP_CONTAINER_FILES, FILE_("run/systemd/container", STARTS, name), ONLY, says, from}, {                     \
        GROUP_CONTAINER_FILES, FILE_("run/host/container-manager", STARTS, name), ONLY, says, from                     \
    }
// 32-bit Arm: the board's name (virtual ones are "Generic DT based system", "Linux,dummy-virt", "ARM-Versatile ...")
#define BOARD(name)                                                                                                    \
    { GROUP_CPU_MODEL, FILE_("proc/cpuinfo", LINE, "Hardware\t: " name), ONLY, "hypervisor=none:0.85", "L" }
#define MODULE(name, says, from)                                                                                       \
    { GROUP_DEVICES, FILE_("proc/modules", LINE, name " "), ONLY, says, from }

const struct text_rule system_rules[] = {
    // Xen. /proc/xen may be mounted on an HVM guest too; "control_d" is Dom0's.
    KERNEL("proc/xen/capabilities", HAS, "control_d", "kernel=xen:0.98 role=dom0:0.98", "S W K"),
    KERNEL("proc/xen/capabilities", HAS_NOT, "control_d", "role=guest:0.9", "S W K"),
    KERNEL("proc/xen/capabilities", EXISTS, NULL, "kernel=xen:0.9", "S W K"),
    KERNEL("proc/xen", EXISTS, NULL, "kernel=xen:0.85", "W"),                       // made only on Xen
    KERNEL("proc/xen/xsd_kva", EXISTS, NULL, "kernel=xen:0.9 role=dom0:0.85", "K"), // xenstore runs here
    KERNEL("proc/cpuinfo", HAS, "Xen/ia64", "kernel=xen:0.97", "W"),
    KERNEL("proc/xen/privcmd", EXISTS, NULL, "kernel=xen:0.8", "W"),
    KERNEL("proc/xen/xenbus", EXISTS, NULL, "kernel=xen:0.85", "W"),
    KERNEL("sys/hypervisor/type", IS, "xen", "kernel=xen:0.97", "S W K"),
    KERNEL("sys/hypervisor/guest_type", IS, "PV", "kernel=xen:0.95 mode=pv:0.99", "K"),
    KERNEL("sys/hypervisor/guest_type", IS, "HVM", "kernel=xen:0.95 mode=hvm:0.99", "K"),
    KERNEL("sys/hypervisor/guest_type", IS, "PVH", "kernel=xen:0.95 mode=pvh:0.99", "K"),
    KERNEL("sys/hypervisor/version/extra", HAS, "amazon", "cloud=aws:0.95", "C"),
    KERNEL("sys/hypervisor/uuid", STARTS, "ec2", "cloud=aws:0.95", "C"),
    KERNEL("sys/hypervisor/properties/capabilities", HAS, "hvm-", "kernel=xen:0.8", "W"),
    {GROUP_DEVICES, FILE_("dev/xen/evtchn", EXISTS, NULL), ONLY, "hypervisor=xen:0.85", "W"},
    // a front end's driver registers on Xen alone (xen-blkfront, xen-netfront)
    {GROUP_DEVICES, FILE_("sys/bus/xen/drivers/vbd", EXISTS, NULL), ONLY, "hypervisor=xen:0.98", "K W"},
    {GROUP_DEVICES, FILE_("sys/bus/xen/drivers/vif", EXISTS, NULL), ONLY, "hypervisor=xen:0.98", "K W"},
    {GROUP_DEVICES, FILE_("dev/xen/privcmd", EXISTS, NULL), ONLY, "hypervisor=xen:0.85", "G"},
    // clock sources and kernel names
    {GROUP_KERNEL, FILE_("sys/devices/system/clocksource/clocksource0/available_clocksource", HAS, "kvm-clock"), ONLY,
     "hypervisor=kvm:0.9", "K"},
    {GROUP_KERNEL, FILE_("sys/devices/system/clocksource/clocksource0/available_clocksource", HAS, "xen"), ONLY,
     "hypervisor=xen:0.9", "K"},
    {GROUP_KERNEL,
     FILE_("sys/devices/system/clocksource/clocksource0/available_clocksource", HAS, "hyperv_clocksource"), ONLY,
     "hypervisor=hyperv|kvm:0.8", "K"},
    {GROUP_CONTAINER_FILES, FILE_("proc/sys/kernel/osrelease", HAS, "WSL2"), ONLY,
     "hypervisor=hyperv:0.95 container=wsl:0.97 vmm=wsl2:0.97", "S"},
    {GROUP_CONTAINER_FILES, FILE_("proc/sys/kernel/osrelease", HAS, "microsoft-standard"), ONLY,
     "hypervisor=hyperv:0.95 container=wsl:0.97 vmm=wsl2:0.97", "S"},
    {GROUP_CONTAINER_FILES, FILE_("proc/sys/kernel/osrelease", HAS, "-Microsoft"), ONLY, "container=wsl:0.97", "S"},
    {GROUP_CONTAINER_FILES, FILE_("proc/version", HAS, "microsoft-standard"), ONLY,
     "hypervisor=hyperv:0.95 container=wsl:0.97 vmm=wsl2:0.97", "S"},
    {GROUP_CONTAINER_FILES, FILE_("proc/version", HAS, "Microsoft@Microsoft.com"), ONLY, "container=wsl:0.97", "G"},
    // /proc/cpuinfo of architectures without CPUID (read in one go with the flags that read_cpu.c looks at)
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "User Mode Linux"), ONLY, "kernel=uml:0.99", "S W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "(emulated by qemu)"), ONLY, "hypervisor=kvm|qemu:0.97 vmm=qemu:0.97",
     "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "PowerNV"), ONLY, "hypervisor=none:0.97", "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "PowerVM"), ONLY, "hypervisor=powervm:0.9", "G"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "pSeries"), FILE_("proc/cpuinfo", HAS_NOT, "qemu"),
     "hypervisor=powervm:0.995", "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "(architected)"), FILE_("proc/cpuinfo", HAS_NOT, "qemu"),
     "hypervisor=powervm:0.98", "L"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, ": PowerMac"), ONLY, "hypervisor=none|qemu:0.8 hypervisor!=kvm:0.8",
     "L"}, // QEMU's boards g3beige and mac99 write the same
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", LINE, "Hardware\t: BCM"), ONLY, "hypervisor=none:0.9", "G"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "Raspberry Pi"), ONLY, "hypervisor=none:0.9", "G"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", LINE, "Hardware\t: Allwinner"), ONLY, "hypervisor=none:0.9", "G"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", LINE, "Hardware\t: ODROID"), ONLY, "hypervisor=none:0.9", "G"},
    BOARD("SAMSUNG"),
    BOARD("Qualcomm"),
    BOARD("Rockchip"),
    BOARD("Freescale"),
    BOARD("Amlogic"),
    BOARD("Marvell"),
    BOARD("MT"),
    BOARD("sun"),
    BOARD("OMAP"),
    BOARD("Generic AM"),
    BOARD("Hisilicon"),
    BOARD("hi36"),
    // RISC-V cores without the hypervisor extension: a guest cannot show them (mvendorid of SiFive, T-Head)
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "mvendorid\t: 0x489\n"), ONLY, "hypervisor=none:0.8", "L"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "mvendorid\t: 0x5b7\n"), ONLY, "hypervisor=none:0.8", "L"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, ": sifive,u74"), ONLY, "hypervisor=none:0.8", "L"},
    // LoongArch: guests are not given LVZ; binary translation is not interpreted (QEMU, target/loongarch/cpu.c)
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, " lvz"), FILE_("proc/cpuinfo", HAS, "loongarch64"),
     "hypervisor=none:0.85", "L"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, " lbt_x86"), FILE_("proc/cpuinfo", HAS, "loongarch64"),
     "hypervisor!=qemu:0.9", "L"},
    // s390: the CPU's version code is FF inside z/VM and KVM, 00 in a logical partition
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, ": version = 00"), FILE_("proc/cpuinfo", HAS, "IBM/S390"),
     "hypervisor=pr/sm:0.995 hypervisor!=none:0.95", "L"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, ": version = FF"), FILE_("proc/cpuinfo", HAS, "IBM/S390"),
     "hypervisor!=none:0.95 hypervisor!=pr/sm:0.9", "L"},
    // sun4u has no hypervisor mode; QEMU's sun4u is an UltraSparc IIi
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, ": sun4u"), FILE_("proc/cpuinfo", HAS_NOT, "(Sabre)"),
     "hypervisor=none:0.85", "L"},
    {GROUP_DEVICES, FILE_("dev/mdesc", EXISTS, NULL), FILE_("uname_m.txt", IS, "sparc64"), "hypervisor=ldoms:0.995",
     "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "sun4v"), FILE_("dev/mdesc", EXISTS, NULL), "hypervisor=ldoms:0.995",
     "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "sun4v"), ONLY, "hypervisor=ldoms:0.98", "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", LINE, "vendor_id\t: PowerVM Lx86"), ONLY, "hypervisor!=none:0.9", "W"},
    {GROUP_CPU_MODEL, FILE_("proc/cpuinfo", HAS, "CPU implementer\t: 0x00"), ONLY, "hypervisor=qemu:0.9 vmm=qemu:0.8",
     "G"}, // TCG's -cpu max
    {GROUP_KERNEL, FILE_("proc/ppc64/lparcfg", HAS, "shared_processor_mode"), FILE_("proc/cpuinfo", LACKS, "qemu"),
     "hypervisor=powervm:0.995", "W"},
    {GROUP_KERNEL, FILE_("proc/ppc64/lparcfg", HAS, "partition_id="), FILE_("proc/cpuinfo", LACKS, "qemu"),
     "hypervisor=powervm:0.98", "W"},
    // confidential guests
    KERNEL("dev/sev-guest", EXISTS, NULL, "cvm=sev-snp:0.95 hypervisor!=none:0.9", "K"),
    KERNEL("dev/tdx_guest", EXISTS, NULL, "cvm=tdx:0.97 hypervisor!=none:0.9", "K"),
    KERNEL("dev/tdx-guest", EXISTS, NULL, "cvm=tdx:0.97 hypervisor!=none:0.9", "K"),
    KERNEL("proc/cpuinfo", HAS, " tdx_guest", "cvm=tdx:0.97 hypervisor!=none:0.9", "K"),
    KERNEL("sys/firmware/uv/prot_virt_guest", IS, "1", "cvm=secure-execution:0.99 hypervisor=kvm:0.95", "S K"),
    KERNEL("sys/devices/platform/arm-cca-dev", EXISTS, NULL, "cvm=cca:0.97 hypervisor!=none:0.9", "S K"),
    KERNEL("dev/arm_cca_guest", EXISTS, NULL, "cvm=cca:0.95 hypervisor!=none:0.9", "G"),
    // devices and modules of guests. kvm, vboxdrv, vmmon are modules of machines that can run guests: they say nothing.
    {GROUP_DEVICES, FILE_("dev/vboxguest", EXISTS, NULL), ONLY, "hypervisor=virtualbox:0.93", "G"},
    {GROUP_DEVICES, FILE_("dev/vmci", EXISTS, NULL), FILE_("proc/modules", LACKS, "vmmon "), "hypervisor=vmware:0.7",
     "G"},
    {GROUP_DEVICES, FILE_("dev/vmbus/hv_kvp", EXISTS, NULL), ONLY, "hypervisor=hyperv:0.95", "K"},
    {GROUP_DEVICES, FILE_("dev/ptp_kvm", EXISTS, NULL), ONLY, "hypervisor=kvm:0.8", "K"},
    {GROUP_DEVICES, FILE_("dev/ptp_hyperv", EXISTS, NULL), ONLY, "hypervisor=hyperv:0.9", "K"},
    {GROUP_DEVICES, FILE_("var/lib/hyperv/.kvp_pool_3", EXISTS, NULL), ONLY, "hypervisor=hyperv:0.9", "G"},
    {GROUP_DEVICES, FILE_("dev/vsock", EXISTS, NULL), FILE_("uname_m.txt", IS, "aarch64"),
     "hypervisor=kvm:0.85 vmm=firecracker:0.55", "L"}, // no DMI on such machines
    MODULE("vboxguest", "hypervisor=virtualbox:0.85", "G"),
    MODULE("vmw_balloon", "hypervisor=vmware:0.85", "G"),
    MODULE("vmwgfx", "hypervisor=vmware|virtualbox:0.7", "G"),
    MODULE("hv_vmbus", "hypervisor=hyperv:0.85", "K"),
    MODULE("hv_storvsc", "hypervisor=hyperv:0.9", "K"),
    MODULE("hv_netvsc", "hypervisor=hyperv:0.9", "K"),
    MODULE("xen_blkfront", "hypervisor=xen:0.8", "K"),
    MODULE("xen_netfront", "hypervisor=xen:0.8", "K"),
    MODULE("prl_tg", "hypervisor=parallels:0.9", "G"),
    // what cloud-init found at this boot (/run is empty at boot: no leftovers of an image)
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "aws"), ONLY, "cloud=aws:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "gce"), ONLY, "cloud=gcp:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "azure"), ONLY, "cloud=azure:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "oracle"), ONLY, "cloud=oracle-cloud:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "aliyun"), ONLY, "cloud=alibaba:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "digitalocean"), ONLY, "cloud=digitalocean:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "hetzner"), ONLY, "cloud=hetzner-cloud:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "openstack"), ONLY, "cloud=openstack:0.8", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "vultr"), ONLY, "cloud=vultr:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "scaleway"), ONLY, "cloud=scaleway:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "upcloud"), ONLY, "cloud=upcloud:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "akamai"), ONLY, "cloud=linode:0.85", "C"},
    {GROUP_CLOUD_INIT, FILE_("run/cloud-init/cloud-id", IS, "ibm"), ONLY, "cloud=ibm-cloud:0.85", "C"},
    // Containers. What an image may have brought along proves little; what the running manager wrote proves much.
    {GROUP_CONTAINER_FILES, FILE_(".dockerenv", EXISTS, NULL), ONLY, "container=docker:0.3",
     "S"}, // a leftover where an image became a VM's disk
    {GROUP_CONTAINER_FILES, FILE_(".dockerinit", EXISTS, NULL), ONLY, "container=docker:0.6", "G"},
    {GROUP_CONTAINER_CGROUP, FILE_("proc/self/cgroup", HAS, ":pids:/\n"), ONLY, "container!=any:0.8",
     "K"}, // v1: outside any container's group
    {GROUP_CONTAINER_CGROUP, FILE_("proc/self/cgroup", HAS, ":devices:/\n"), ONLY, "container!=any:0.8", "K"},
    {GROUP_CONTAINER_FILES, FILE_("proc/version", HAS, "#1 SMP Sun Jan 10 15:06:54 PST 2016"), ONLY,
     "container=gvisor:0.95", "G"}, // gVisor says so everywhere
    {GROUP_CONTAINER_FILES, FILE_("run/.containerenv", EXISTS, NULL), ONLY, "container=podman:0.9", "S W"},
    {GROUP_CONTAINER_FILES, FILE_("dev/lxd/sock", EXISTS, NULL), ONLY, "container=lxc:0.6",
     "G"}, // LXD's virtual machines have it too
    {GROUP_CONTAINER_FILES, FILE_(".flatpak-info", EXISTS, NULL), ONLY, "container=flatpak:0.9", "G"},
    {GROUP_CONTAINER_FILES, FILE_(".singularity.d/Singularity", EXISTS, NULL), ONLY, "container=apptainer:0.7", "G"},
    {GROUP_CONTAINER_FILES, FILE_("var/run/secrets/kubernetes.io/serviceaccount/namespace", EXISTS, NULL), ONLY,
     "container=kubernetes:0.8", "G"},
    {GROUP_CONTAINER_FILES, FILE_("proc/vz", EXISTS, NULL), FILE_("proc/bc", LACKS, ""), "container=openvz:0.95",
     "S W"}, // /proc/bc: the host node
    {GROUP_CONTAINER_FILES, FILE_("proc/self/status", LINE, "VxID:\t0"), ONLY, "container!=linux-vserver:0.9", "W"},
    {GROUP_CONTAINER_FILES, FILE_("proc/self/status", LINE, "VxID:"), FILE_("proc/self/status", HAS_NOT, "VxID:\t0\n"),
     "container=linux-vserver:0.95", "W"},
    {GROUP_CONTAINER_FILES, FILE_("proc/self/status", LINE, "s_context:"),
     FILE_("proc/self/status", HAS_NOT, "s_context:\t0\n"), "container=linux-vserver:0.95", "W"},
    MANAGER("docker", "container=docker:0.97", "S"),
    MANAGER("podman", "container=podman:0.97", "S W"),
    MANAGER("oci", "container=oci:0.85", "S"), // written by images for any runtime
    {GROUP_CONTAINER_FILES, FILE_(".dockerenv", EXISTS, NULL), FILE_("proc/1/environ", LINE, "container=oci"),
     "container=docker:0.9", "S"},
    {GROUP_CONTAINER_FILES, FILE_("proc/version", HAS, "BrandZ virtual linux"), ONLY, "container=illumos-lx:0.97", "W"},
    MANAGER("zone", "container=illumos-lx:0.9", "W"),
    MANAGER("lxc-libvirt", "container=lxc-libvirt:0.98", "S"),
    MANAGER("lxc", "container=lxc:0.97", "S W"),
    MANAGER("systemd-nspawn", "container=systemd-nspawn:0.98", "S"),
    MANAGER("rkt", "container=rkt:0.97", "S"),
    MANAGER("crio", "container=cri-o:0.97", "W"),
    MANAGER("wsl", "container=wsl:0.97", "S"),
    MANAGER("proot", "container=proot:0.97", "S"),
    MANAGER("pouch", "container=pouch:0.97", "S"),
    MANAGER("garden", "container=garden:0.97", "G"),
    CGROUP(HAS, "/docker/", "container=docker:0.96", "W"),
    CGROUP(HAS, "/docker-", "container=docker:0.95", "W"),
    CGROUP(HAS, "docker-ce/docker", "container=docker:0.96", "G"),
    CGROUP(HAS, "/libpod-", "container=podman:0.97", "W L"),
    CGROUP(HAS, "/libpod_parent", "container=podman:0.97", "G"),
    CGROUP(HAS, "/lxc/", "container=lxc:0.95", "W L"),
    CGROUP(HAS, "/lxc.payload", "container=lxc:0.96", "W"),
    CGROUP(HAS, "/lxc.monitor", "container!=lxc:0.9", "G"), // the monitor runs outside
    CGROUP(HAS, "machine.slice/machine-lxc", "container=lxc-libvirt:0.95", "G"),
    CGROUP(HAS, "/kubepods", "container=kubernetes:0.93", "G"),
    CGROUP(HAS, "cri-containerd-", "container=containerd:0.93", "G"),
    CGROUP(HAS, "/crio-", "container=cri-o:0.95", "G"),
    CGROUP(HAS, "/garden/", "container=garden:0.9", "G"),
    CGROUP(HAS, "/ecs/", "container=docker:0.93", "G"),
    CGROUP(HAS, "/actions_job/", "container=docker:0.9", "G"),
    CGROUP(HAS, ".nspawn", "container=systemd-nspawn:0.9", "G"),
};
const size_t system_rule_count = ARRAY_LEN(system_rules);

const struct log_signature log_signatures[] = {
    {"Hypervisor detected: KVM", "hypervisor=kvm:0.95", "K L"},
    {"Hypervisor detected: Microsoft Hyper-V", "hypervisor=hyperv:0.9", "K L"},
    {"Hypervisor detected: Microsoft HyperV", "hypervisor=hyperv:0.9", "K"},
    {"Hypervisor detected: VMware", "hypervisor=vmware:0.95", "K"},
    {"Hypervisor detected: Xen PV", "kernel=xen:0.97 mode=pv:0.97", "K L"},
    {"Hypervisor detected: Xen HVM", "hypervisor=xen:0.97 mode=hvm|pvh:0.95", "K"},
    {"Hypervisor detected: Xen", "hypervisor=xen:0.95", "K"},
    {"Hypervisor detected: ACRN", "hypervisor=acrn:0.95", "K"},
    {"Hypervisor detected: Jailhouse", "hypervisor=jailhouse:0.95", "K"},
    {"Booting paravirtualized kernel on KVM", "hypervisor=kvm:0.95", "K"},
    {"Booting paravirtualized kernel on Xen PVH", "hypervisor=xen:0.95 mode=pvh:0.95", "K"},
    {"Booting paravirtualized kernel on Xen HVM", "hypervisor=xen:0.95 mode=hvm:0.95", "K"},
    {"Booting paravirtualized kernel on Xen", "kernel=xen:0.9 mode=pv:0.8", "K"},
    {"kvm-clock: Using msrs", "hypervisor=kvm:0.93", "K L"},
    {"Booting paravirtualized kernel on VMware", "hypervisor=vmware:0.95", "K"},
    {"Booting paravirtualized kernel on Hyper-V", "hypervisor=hyperv:0.9", "K"},
    {"Booting paravirtualized kernel on bare hardware", "hypervisor=none:0.5", "K"},
    {"CPU: All CPU(s) started at EL2", "hypervisor=none:0.7", "K"}, // hypervisors start their guests at EL1
    {"CPU: All CPU(s) started at EL1", "hypervisor!=none:0.7", "K"},
    {"Machine model: linux,dummy-virt", "hypervisor=kvm|qemu:0.93", "K"},
    {"Starting gVisor", "container=gvisor:0.97", "G"},
    {"vmware: TSC freq read from hypervisor", "hypervisor=vmware:0.95", "K"},
    {"vboxguest: ", "hypervisor=virtualbox:0.9", "G"},
    {"kvm-guest:", "hypervisor=kvm:0.9", "K"},
    {"Hyper-V: running as root partition", "role=root-partition:0.98 hypervisor=hyperv:0.95", "K"},
    {"Hyper-V: privilege flags", "hypervisor=hyperv|kvm:0.8", "K L"},
    {"SMCCC: KVM: hypervisor services detected", "hypervisor=kvm:0.95", "K"},
    {"KVM: hypervisor services detected", "hypervisor=kvm:0.95", "K"},
    {"Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP", "cvm=sev-snp:0.98 hypervisor!=none:0.9", "K"},
    {"Memory Encryption Features active: AMD SEV SEV-ES", "cvm=sev-es:0.97 hypervisor!=none:0.9", "K"},
    {"Memory Encryption Features active: AMD SEV", "cvm=sev:0.9 hypervisor!=none:0.9", "K"},
    {"Memory Encryption Features active: Intel TDX", "cvm=tdx:0.98 hypervisor!=none:0.9", "K"},
    {"tdx: Guest detected", "cvm=tdx:0.98 hypervisor!=none:0.9", "K"},
    {"RME: Using RSI version", "cvm=cca:0.95 hypervisor!=none:0.9", "K"},
};
const size_t log_signature_count = ARRAY_LEN(log_signatures);

// What systemd calls them, in its line "Detected virtualization WORD.".
const struct log_signature systemd_words[] = {
    {"kvm", "hypervisor=kvm:0.8", "S"},
    {"amazon", "hypervisor=kvm:0.8 cloud=aws:0.8", "S"},
    {"google", "hypervisor=kvm:0.8 cloud=gcp:0.8", "S"},
    {"qemu", "hypervisor=qemu:0.8", "S"},
    {"xen", "hypervisor=xen:0.9", "S"},
    {"microsoft", "hypervisor=hyperv:0.9", "S"},
    {"vmware", "hypervisor=vmware:0.9", "S"},
    {"oracle", "hypervisor=virtualbox:0.95", "S"},
    {"bhyve", "hypervisor=bhyve:0.98", "S"},
    {"parallels", "hypervisor=parallels:0.98", "S"},
    {"apple", "hypervisor=apple-vz:0.98", "S"},
    {"zvm", "hypervisor=zvm:0.98", "S"},
    {"powervm", "hypervisor=powervm:0.98", "S"},
    {"acrn", "hypervisor=acrn:0.98", "S"},
    {"lxc", "container=lxc:0.9", "S"},
    {"lxc-libvirt", "container=lxc-libvirt:0.9", "S"},
    {"podman", "container=podman:0.9", "S"},
    {"systemd-nspawn", "container=systemd-nspawn:0.9", "S"},
    {"openvz", "container=openvz:0.9", "S"},
    {"wsl", "container=wsl:0.95", "S"},
}; // not docker: systemd believes /.dockerenv
const size_t systemd_word_count = ARRAY_LEN(systemd_words);
