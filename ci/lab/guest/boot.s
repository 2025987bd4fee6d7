# SPDX-License-Identifier: Apache-2.0
# The boot sector of a machine that Bochs emulates (lablib/bochs.py). It reads the disk behind itself into memory and
# enters the kernel there as QEMU's -kernel does: at its PVH entry, in 32-bit mode without paging, EBX pointing to what
# tells it of memory, initramfs and command line (Xen: include/public/arch-x86/hvm/start_info.h).
#
# The linker is told LOAD, where the disk goes (its first page is what EBX points to); END, the first sector that is
# not read, a multiple of 256 behind this one; ENTRY, the kernel's.
    .code16
    .globl start
start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    in $0x92, %al               # address line 20
    or $2, %al
    out %al, $0x92
    lgdt descriptor
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $flat

    .code32
flat:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    cld
    mov $LOAD, %edi
    mov $1, %esi                # the sector that is next

read:                           # ATA, READ SECTORS: 256 from ESI on
    mov $0x1f7, %dx
1:  in %dx, %al
    test $0x80, %al             # busy
    jnz 1b
    mov $0x1f2, %dx
    xor %eax, %eax              # their number, 0 being 256
    out %al, %dx
    mov %esi, %eax
    inc %edx
    out %al, %dx
    shr $8, %eax
    inc %edx
    out %al, %dx
    shr $8, %eax
    inc %edx
    out %al, %dx
    shr $8, %eax
    or $0xe0, %al               # first drive, linear addresses
    inc %edx
    out %al, %dx
    inc %edx
    mov $0x20, %al
    out %al, %dx
    mov $256, %ebx
2:  in %dx, %al
    test $0x80, %al
    jnz 2b
    test $8, %al                # its data are there
    jz 2b
    mov $0x1f0, %dx
    mov $256, %ecx
    rep insw
    mov $0x1f7, %dx
    dec %ebx
    jnz 2b
    add $256, %esi
    cmp $END, %esi
    jb read

    mov $LOAD, %ebx
    mov $ENTRY, %eax
    jmp *%eax

    .align 8
table:                          # flat segments of 4 GB: none, code, data
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
descriptor:
    .word descriptor - table - 1
    .long table

    .org 510
    .word 0xaa55
