// SPDX-License-Identifier: Apache-2.0
// PCI devices and VMBus classes: what they are, which way their requests go, and what they say about the machine.
// See signatures.h. May include: core.
#include "detect/signatures.h"

#include "core/memory.h"

#define ANY PCI_ANY, PCI_ANY

// First match wins: single devices before a vendor's ANY row.
const struct pci_signature pci_signatures[] = {
    // AWS
    {0x1d0f, 0x8061, 0x8061, "EBS NVMe", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9 hypervisor=kvm|none|xen:0.8",
     "P L"},
    {0x1d0f, 0x0061, 0x0061, "EBS NVMe", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9 hypervisor=kvm|none|xen:0.8", "K"},
    {0x1d0f, 0x0065, 0x0065, "EBS NVMe", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9 hypervisor=kvm|none|xen:0.8", "K"},
    {0x1d0f, 0xcd00, 0xcd02, "instance-store NVMe", PATH_OFFLOAD, "nitro-card",
     "cloud=aws:0.9 hypervisor=kvm|none|xen:0.8", "P"},
    {0x1d0f, 0xec20, 0xec21, "ENA virtual function", PATH_OFFLOAD, "nitro-card",
     "cloud=aws:0.9 hypervisor=kvm|none|xen:0.8", "P K"},
    {0x1d0f, 0x0ec2, 0x0ec2, "ENA", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9", "P"},
    {0x1d0f, 0x1ec2, 0x1ec2, "ENA", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9", "P"},
    {0x1d0f, 0x0051, 0x0051, "ENA", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9", "P"},
    {0x1d0f, 0xefa0, 0xefa3, "EFA virtual function", PATH_OFFLOAD, "nitro-card", "cloud=aws:0.9", "P"},
    {0x1d0f, 0x1111, 0x1111, "Amazon VGA", PATH_EMULATED, "vmm", "cloud=aws:0.9 hypervisor=kvm:0.8", "P"},
    {0x1d0f, ANY, "Amazon device", PATH_UNKNOWN, NULL, "cloud=aws:0.85", "P"},
    // Google
    {0x1ae0, 0x0042, 0x0042, "gVNIC", PATH_OFFLOAD, "host-nic", "cloud=gcp:0.9 hypervisor=kvm:0.85", "P K"},
    {0x1ae0, 0x001f, 0x001f, "Google NVMe", PATH_OFFLOAD, "host-nvme", "cloud=gcp:0.9 hypervisor=kvm:0.85", "P"},
    // Microsoft
    {0x1414, 0x00ba, 0x00ba, "MANA virtual function", PATH_OFFLOAD, "vf", "cloud=azure:0.9 hypervisor=hyperv:0.9",
     "P K"},
    {0x1414, 0x00b9, 0x00b9, "MANA", PATH_OFFLOAD, "vf", "cloud=azure:0.8", "P K"},
    {0x1414, 0x00a9, 0x00a9, "Azure NVMe", PATH_OFFLOAD, "host-nvme", "cloud=azure:0.9 hypervisor=hyperv:0.9", "P"},
    {0x1414, 0xb111, 0xb111, "Azure NVMe", PATH_OFFLOAD, "host-nvme", "cloud=azure:0.9 hypervisor=hyperv:0.9", "P"},
    {0x1414, 0x5353, 0x5353, "Hyper-V VGA", PATH_EMULATED, "vmm", "hypervisor=hyperv:0.99", "P"},
    // NVIDIA/Mellanox virtual functions
    {0x15b3, 0x1002, 0x1002, "ConnectX virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x1004, 0x1004, "ConnectX-3 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x1012, 0x1012, "Connect-IB virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x1014, 0x1014, "ConnectX-4 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x1016, 0x1016, "ConnectX-4 Lx virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x1018, 0x1018, "ConnectX-5 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x101a, 0x101a, "ConnectX-5 Ex virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x101c, 0x101c, "ConnectX-6 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0x101e, 0x101e, "ConnectX virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x15b3, 0xa2d3, 0xa2d3, "BlueField virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    // Intel virtual functions
    {0x8086, 0x10ca, 0x10ca, "82576 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x10ed, 0x10ed, "82599 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6",
     "P"}, // EC2's enhanced networking on Xen
    {0x8086, 0x1515, 0x1515, "X540 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x1520, 0x1520, "I350 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x154c, 0x154c, "700-series virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x1571, 0x1571, "700-series virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x1889, 0x1889, "adaptive virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x37cd, 0x37cd, "X722 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x15a8, 0x15a8, "X552 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x15c5, 0x15c5, "X553 virtual function", PATH_OFFLOAD, "vf", "hypervisor!=none:0.6", "P"},
    {0x8086, 0x0d57, 0x0d57, "Firecracker PCI root", PATH_UNKNOWN, NULL, "hypervisor=kvm:0.9 vmm=firecracker:0.93",
     "L"}, // not in pci.ids
    {0x1b36, 0x000d, 0x000d, "QEMU xHCI", PATH_EMULATED, "vmm",
     "hypervisor=kvm|qemu:0.9 hypervisor!=none:0.9 vmm=qemu:0.93", "P"},
    {0x1b36, 0x0010, 0x0010, "QEMU NVMe", PATH_EMULATED, "vmm",
     "hypervisor=kvm|qemu:0.9 hypervisor!=none:0.9 vmm=qemu:0.93", "P"},
    {0x1b36, 0x0100, 0x0100, "QXL", PATH_PARAVIRTUAL, "vmm",
     "hypervisor=kvm|qemu:0.9 hypervisor!=none:0.9 vmm=qemu:0.93", "P"},
    {0x1b36, ANY, "QEMU device", PATH_EMULATED, "vmm", "hypervisor=kvm|qemu:0.9 hypervisor!=none:0.9 vmm=qemu:0.93",
     "P"},
    {0x1234, 0x1111, 0x1111, "QEMU standard VGA", PATH_EMULATED, "vmm",
     "hypervisor=kvm|qemu|bochs|xen:0.85 hypervisor!=none:0.9 vmm=qemu:0.7", "G"},
    {0x1af4, 0x1000, 0x107f, "virtio", PATH_PARAVIRTUAL, NULL,
     "hypervisor=kvm|qemu|bhyve|virtualbox|apple-vz|parallels:0.8", "P"},
    {0x1af4, 0x1110, 0x1110, "inter-VM shared memory", PATH_PARAVIRTUAL, "vmm", "hypervisor=kvm|qemu:0.8", "P"},
    {0x1af4, ANY, "virtio", PATH_PARAVIRTUAL, NULL, "hypervisor=kvm|qemu|bhyve:0.7", "P"},
    {0x1b4e, ANY, "NVMM device", PATH_UNKNOWN, NULL, "", "G"},
    // Xen
    {0x5853, 0x0001, 0x0001, "Xen platform device", PATH_UNKNOWN, NULL, "hypervisor=xen:0.99 mode=hvm:0.9", "P"},
    {0x5853, 0xc000, 0xc000, "XenServer platform device", PATH_UNKNOWN, NULL, "hypervisor=xen:0.99 mode=hvm:0.9", "P"},
    {0x5853, ANY, "Xen platform device", PATH_UNKNOWN, NULL, "hypervisor=xen:0.99 mode=hvm:0.9", "P"},
    {0xfffd, 0x0101, 0x0101, "PCI event channel controller", PATH_UNKNOWN, NULL, "hypervisor=xen:0.8", "P"},
    // VMware
    {0x15ad, 0x07c0, 0x07c0, "pvscsi", PATH_PARAVIRTUAL, "vmm", "hypervisor=vmware:0.99", "P"},
    {0x15ad, 0x07b0, 0x07b0, "vmxnet3", PATH_PARAVIRTUAL, "vmm", "hypervisor=vmware:0.99", "P"},
    {0x15ad, 0x07f0, 0x07f0, "VMware NVMe", PATH_EMULATED, "vmm", "hypervisor=vmware:0.99", "P"},
    {0x15ad, 0x07e0, 0x07e0, "VMware AHCI", PATH_EMULATED, "vmm", "hypervisor=vmware:0.99", "P"},
    {0x15ad, 0x0405, 0x0405, "VMware SVGA II", PATH_PARAVIRTUAL, "vmm", "hypervisor=vmware|virtualbox|kvm:0.9",
     "P"}, // others imitate it
    {0x15ad, 0x0720, 0x0720, "vmxnet", PATH_PARAVIRTUAL, "vmm", "hypervisor=vmware:0.99", "P"},
    {0x15ad, ANY, "VMware device", PATH_EMULATED, "vmm", "hypervisor=vmware:0.99", "P"},
    // VirtualBox, Parallels, Apple
    {0x80ee, 0xbeef, 0xbeef, "VirtualBox graphics", PATH_EMULATED, "vmm", "hypervisor=virtualbox:0.99", "P"},
    {0x80ee, 0xcafe, 0xcafe, "VirtualBox guest service", PATH_UNKNOWN, NULL, "hypervisor=virtualbox:0.99", "P"},
    {0x80ee, ANY, "VirtualBox device", PATH_EMULATED, "vmm", "hypervisor=virtualbox:0.99", "P"},
    {0x1ab8, 0x4005, 0x4005, "Parallels video", PATH_EMULATED, "vmm", "hypervisor=parallels:0.99", "P"},
    {0x1ab8, ANY, "Parallels device", PATH_UNKNOWN, NULL, "hypervisor=parallels:0.99", "P"},
    {0x106b, 0x1a00, 0x1a0f, "Apple virtual device", PATH_PARAVIRTUAL, "vmm", "hypervisor=apple-vz:0.99", "P"},
    {0xfb5d, 0x40fb, 0x40fb, "bhyve framebuffer", PATH_EMULATED, "vmm", "hypervisor=bhyve:0.99", "P"},
    // classic parts that VMMs imitate: they exist as hardware too, so they say nothing about the machine
    {0x8086, 0x100e, 0x100f, "e1000", PATH_EMULATED, "vmm", "", "G"},
    {0x8086, 0x10d3, 0x10d3, "e1000e", PATH_EMULATED, "vmm", "", "G"},
    {0x10ec, 0x8139, 0x8139, "RTL8139", PATH_EMULATED, "vmm", "", "G"},
    {0x10ec, 0x8029, 0x8029, "NE2000", PATH_EMULATED, "vmm", "", "G"},
    {0x1022, 0x2000, 0x2000, "PCnet", PATH_EMULATED, "vmm", "", "G"},
    {0x1013, 0x00b8, 0x00b8, "Cirrus GD 5446", PATH_EMULATED, "vmm", "", "G"},
    {0x8086, 0x7010, 0x7010, "PIIX3 IDE", PATH_EMULATED, "vmm", "", "G"},
    {0x8086, 0x7111, 0x7111, "PIIX4 IDE", PATH_EMULATED, "vmm", "", "G"},
    {0x8086, 0x2922, 0x2922, "ICH9 AHCI", PATH_EMULATED, "vmm", "", "G"},
    {0x1000, 0x0012, 0x0012, "LSI 53C895A", PATH_EMULATED, "vmm", "", "G"},
    {0x1000, 0x0030, 0x0030, "LSI 53C1030", PATH_EMULATED, "vmm", "", "G"},
};
const size_t pci_signature_count = ARRAY_LEN(pci_signatures);

const struct pci_signature *pci_find(uint32_t vendor, uint32_t device) {
    for (size_t i = 0; i < pci_signature_count; i++) {
        const struct pci_signature *row = &pci_signatures[i];
        if (row->vendor == vendor && (row->device == PCI_ANY || (device >= row->device && device <= row->last)))
            return row;
    }
    return NULL;
}

// Class ids of include/linux/hyperv.h (HV_*_GUID).
const struct vmbus_class vmbus_classes[] = {
    {"f8615163-df3e-46c5-913f-", "nic", "netvsc", PATH_PARAVIRTUAL},
    {"32412632-86cb-44a2-9b5c-", "disk", "IDE over VMBus", PATH_PARAVIRTUAL},
    {"ba6163d9-04a1-4d29-b605-", "disk", "storvsc", PATH_PARAVIRTUAL},
    {"44c4f61d-4444-4400-9d52-", NULL, "PCI pass-through", PATH_PASSTHROUGH},
    {"da0a7802-e377-4aac-8e77-", "gpu", "synthetic video", PATH_PARAVIRTUAL},
};
const size_t vmbus_class_count = ARRAY_LEN(vmbus_classes);
