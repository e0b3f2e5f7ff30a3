/* guests/card/aarch64/start.S - from QEMU's entry to C at EL1 with the MMU on, and the vectors.
 *
 * Source: Arm ARM (DDI 0487): D8 (translation tables), D1.10 (vectors). All is mapped 1:1 in blocks of
 * 1 GiB: the first and those from 256 GiB on (where `virt` has its devices and its PCI) as device
 * memory, the others as RAM. Without the MMU all memory is a device's to the CPU, and unaligned
 * accesses trap.
 */
        .section .text.start, "ax"
        .globl  start
start:
        msr     daifset, #15
        mov     x19, x0                 // the device tree, if the loader said
        mrs     x0, CurrentEL
        cmp     x0, #8
        b.ne    1f
        // With virtualization=on we come in at EL2: leave it.
        mov     x0, #(1 << 31)          // HCR_EL2.RW
        msr     hcr_el2, x0
        mrs     x0, cnthctl_el2
        orr     x0, x0, #3
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        mov     x0, #0x3c5
        msr     spsr_el2, x0
        adr     x0, 1f
        msr     elr_el2, x0
        eret
1:
        adrp    x0, boot_stack_end
        add     x0, x0, :lo12:boot_stack_end
        mov     sp, x0
        adrp    x0, trap_vectors
        add     x0, x0, :lo12:trap_vectors
        msr     vbar_el1, x0
        // The table: one level, 512 entries of 1 GiB.
        adrp    x0, translation
        mov     x1, #0
        mov     x2, #0x401              // block, attributes 0: device
        mov     x3, #0x705              // block, attributes 1: RAM, inner shareable
2:      sub     x4, x1, #1
        cmp     x4, #255                // entries 1 … 255 are RAM
        csel    x4, x3, x2, lo
        orr     x4, x4, x1, lsl #30
        str     x4, [x0, x1, lsl #3]
        add     x1, x1, #1
        cmp     x1, #512
        b.ne    2b
        msr     ttbr0_el1, x0
        mov     x1, #0xff00             // attributes 0: nGnRnE; 1: write-back
        msr     mair_el1, x1
        ldr     x1, =0x200803519        // 39 bits, 4 KiB, write-back walks, no TTBR1, 40-bit addresses
        msr     tcr_el1, x1
        isb
        tlbi    vmalle1
        dsb     ish
        mrs     x1, sctlr_el1
        ldr     x2, =0x1005             // I, C, M
        orr     x1, x1, x2
        bic     x1, x1, #2              // unaligned accesses are fine
        msr     sctlr_el1, x1
        isb
        mov     x0, x19
        mov     x29, #0
        mov     x30, #0
        bl      arch_main
3:      wfi
        b       3b

        .macro  vector n
        .balign 128
        sub     sp, sp, #256
        stp     x0, x1, [sp, #0]
        mov     x0, #\n
        b       trap_common
        .endm

        .balign 2048
trap_vectors:
        .set    i, 0
        .rept   16
        vector  i
        .set    i, i + 1
        .endr

trap_common:
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        str     x30, [sp, #240]
        mov     x1, sp
        bl      arm_trap

        .bss
        .balign 4096
translation:
        .skip   4096
        .skip   64 * 1024
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
