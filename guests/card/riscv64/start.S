/* guests/card/riscv64/start.S - from QEMU's entry to C, and the way in of traps.
 *
 * M-mode, without firmware (-bios none): a0 is the hart, a1 the device tree. Harts but the first rest.
 * Source: RISC-V privileged architecture 20211203, 3.1; QEMU's `virt` starts at RAM's first byte.
 */
        .section .text.start, "ax"
        .globl  start
start:
        csrw    mie, zero
        csrr    t0, mhartid
        bnez    t0, 2f
        la      sp, boot_stack_end
        la      t0, trap_entry
        csrw    mtvec, t0
        mv      a0, a1
        li      s0, 0
        li      ra, 0
        call    arch_main
2:      wfi
        j       2b

        .balign 4
trap_entry:
        addi    sp, sp, -256
        sd      ra, 0(sp)
        sd      gp, 8(sp)
        sd      tp, 16(sp)
        sd      t0, 24(sp)
        sd      t1, 32(sp)
        sd      t2, 40(sp)
        sd      s0, 48(sp)
        sd      s1, 56(sp)
        sd      a0, 64(sp)
        sd      a1, 72(sp)
        sd      a2, 80(sp)
        sd      a3, 88(sp)
        sd      a4, 96(sp)
        sd      a5, 104(sp)
        sd      a6, 112(sp)
        sd      a7, 120(sp)
        sd      s2, 128(sp)
        sd      s3, 136(sp)
        sd      s4, 144(sp)
        sd      s5, 152(sp)
        sd      s6, 160(sp)
        sd      s7, 168(sp)
        sd      s8, 176(sp)
        sd      s9, 184(sp)
        sd      s10, 192(sp)
        sd      s11, 200(sp)
        sd      t3, 208(sp)
        sd      t4, 216(sp)
        sd      t5, 224(sp)
        sd      t6, 232(sp)
        mv      a0, sp
        call    riscv_trap

        .bss
        .balign 16
        .skip   64 * 1024
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
