// SPDX-License-Identifier: Apache-2.0
// Signatures that the processor shows. See signatures.h. May include: core.
#include "detect/signatures.h"

#include "core/memory.h"

const struct cpuid_signature cpuid_signatures[] = {
    {"KVMKVMKVM", "hypervisor=kvm:0.95 hypervisor=virtualbox|parallels:0.8", "S W V"},
    {"Linux KVM Hv", "hypervisor=kvm:0.995", "S V"}, // Hyper-V enlightenments with hv_passthrough
    {"TCGTCGTCGTCG", "hypervisor=qemu:0.995 vmm=qemu:0.95", "S W V"},
    {"XenVMMXenVMM", "hypervisor=xen:0.995", "S W K F"},
    // Hyper-V, its root partition, or another hypervisor that offers Hyper-V's interface: read_cpu.c weighs which.
    {"Microsoft Hv", "hypervisor=hyperv:0.98 hypervisor=kvm|virtualbox|xen:0.7", "S W V"},
    {"VMwareVMware", "hypervisor=vmware:0.995", "S W V"},
    {"VBoxVBoxVBox", "hypervisor=virtualbox:0.995", "V"},
    {"bhyve bhyve ", "hypervisor=bhyve:0.995", "S W V"},
    {"BHyVE BHyVE ", "hypervisor=bhyve:0.995", "V"},
    {" prl hyperv ", "hypervisor=parallels:0.995", "V W"},
    {" lrpepyh  vr", "hypervisor=parallels:0.995", "V W"},
    {" lrpepyh vr", "hypervisor=parallels:0.995", "W"},
    {"ACRNACRNACRN", "hypervisor=acrn:0.995", "S K"},
    {"QNXQVMBSQG", "hypervisor=qnx:0.995", "S"},
    {"Jailhouse", "hypervisor=jailhouse:0.995", "K V"},
    {"SRESRESRESRE", "hypervisor=lmhs:0.995", "S V"},
    {"Apple VZ", "hypervisor=apple-vz:0.995", "S V"},
    {"OpenBSDVMM58", "hypervisor=openbsd-vmm:0.995", "W V"},
    {"LKVMLKVMLKVM", "hypervisor=kvm:0.95 vmm=kvmtool:0.995", "W V"},
    {"HAXMHAXMHAXM", "hypervisor=haxm:0.995", "V"},
    {"___ NVMM ___", "hypervisor=nvmm:0.995", "V"},
    {"EVMMEVMMEVMM", "hypervisor=intel-kgt:0.995", "V"},
    {"UnisysSpar64", "hypervisor=spar:0.995", "V, lscpu"},
    {"NoirVisor ZT", "hypervisor=noirvisor:0.995", "V"},
    {"Barevisor!", "hypervisor=barevisor:0.995", "V"},
    {"MiniVisor", "hypervisor=minivisor:0.995", "V"},
    {"PpyH", "hypervisor=parallels:0.5", "V"},
    {"GunyahGunyah", "hypervisor=gunyah:0.9", "G"},
    {"PikeOS", "hypervisor=pikeos:0.9", "G"},
};
const size_t cpuid_signature_count = ARRAY_LEN(cpuid_signatures);

// QEMU gives its CPU models these names (target/i386/cpu.c of QEMU); hardware never shows them. Both KVM and TCG can
// run them; flags that TCG does not implement tell which (read_cpu.c).
const struct model_signature model_signatures[] = {
    {"QEMU Virtual CPU", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "W V L"},
    {"QEMU TCG CPU", "hypervisor=qemu:0.98 vmm=qemu:0.95", "G"},
    {"Common KVM processor", "hypervisor=kvm:0.97 vmm=qemu:0.9", "V"},
    {"Common 32-bit KVM processor", "hypervisor=kvm:0.97 vmm=qemu:0.9", "V"},
    {"Virtual CPU ", "hypervisor!=none:0.6", "V"}, // Windows on Arm tells x86 programs so, on hardware too
    {"Bochs CPU", "hypervisor=bochs:0.95", "V"},
    {"Westmere E56xx/L56xx/X56xx (Nehalem-C", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Core i7 9xx (Nehalem", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Core 2 Duo P9xxx (Penryn", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Celeron_4x0 (Conroe", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Xeon E312xx (Sandy Bridge", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Xeon E3-12xx v2 (Ivy Bridge", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"Intel Core Processor (", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V L"}, // Haswell, Broadwell, Skylake
    {"Intel Xeon Processor (", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V L"}, // Skylake, Cascadelake, Icelake, ...
    {"Intel Atom Processor (", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},   // Snowridge, Denverton
    {"Intel Xeon Phi Processor (Knights", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD Opteron 240 (Gen 1", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD Opteron 22xx (Gen 2", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD Opteron 23xx (Gen 3", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD Opteron 62xx class CPU", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD Opteron 63xx class CPU", "hypervisor=kvm|qemu:0.97 vmm=qemu:0.9", "V"},
    {"AMD EPYC Processor", "hypervisor=kvm|qemu:0.9 vmm=qemu:0.8", "V L"},
    {"AMD EPYC-", "hypervisor=kvm|qemu:0.95 vmm=qemu:0.9", "V L"}, // EPYC-Rome, -Milan, -Genoa, -Turin Processor
    {"Hygon Dhyana Processor", "hypervisor=kvm|qemu:0.9 vmm=qemu:0.8", "V"},
    {"=AMD EPYC", "hypervisor=kvm:0.7 vmm=firecracker:0.7", "F L"}, // Firecracker shortens the brand string
    {"=Intel(R) Xeon(R) Processor", "hypervisor=kvm:0.7 vmm=firecracker:0.7", "F L"},
    {"Intel(R) Xeon(R) Processor @ ", "hypervisor=kvm:0.7 vmm=firecracker:0.6", "F"},
    {"DO-Regular", "hypervisor=kvm:0.9 cloud=digitalocean:0.95 vmm=qemu:0.7", "L"},
    {"DO-Premium", "hypervisor=kvm:0.9 cloud=digitalocean:0.95 vmm=qemu:0.7", "L"},
    {"VirtualApple", "hypervisor=apple-vz|parallels:0.9", "G"}, // Rosetta 2 in a Linux guest
    // processors made for one cloud; believed only where the hypervisor bit is set, since they are resold
    {"E5-2676 v3", "cloud=aws:0.8", "L"},
    {"E5-2666 v3", "cloud=aws:0.8", "L"},
    {"E5-2686 v4", "cloud=aws:0.8", "L"},
    {"Platinum 8124M", "cloud=aws:0.8", "G"},
    {"Platinum 8175M", "cloud=aws:0.8", "G"},
    {"Platinum 8252C", "cloud=aws:0.8", "G"},
    {"Platinum 8259CL", "cloud=aws:0.8", "G"},
    {"Platinum 8275CL", "cloud=aws:0.8", "G"},
    {"Platinum 8375C", "cloud=aws:0.7", "G"},
    {"EPYC 7571", "cloud=aws:0.8", "G"},
    {"EPYC 7R", "cloud=aws:0.8", "G"},
    {"EPYC 9R", "cloud=aws:0.8", "G"},
    {"EPYC 7B1", "cloud=gcp:0.8", "G"},
    {"EPYC 9B", "cloud=gcp:0.8", "G"},
    {"Platinum 8171M", "cloud=azure:0.7", "G"},
    {"Platinum 8272CL", "cloud=azure:0.7", "G"},
    {"Platinum 8370C", "cloud=azure:0.7", "G"},
    {"Platinum 8473C", "cloud=azure:0.7", "G"},
    {"EPYC 9V", "cloud=azure:0.8", "G"},
    {"EPYC 7V", "cloud=azure:0.7", "G"},
    {"User Mode Linux", "kernel=uml:0.99", "S W"},
};
const size_t model_signature_count = ARRAY_LEN(model_signatures);
