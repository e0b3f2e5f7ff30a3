# tests/system/hybrid/guest_modes.S - fill64 (loops.S) in modes in which kernels do not stand for it.

    .text
# fill_stepped(to, value, n): fill64, stepped one by one.
    .globl fill_stepped
    .p2align 4
fill_stepped:
    pushfq
    orl $0x100, (%rsp)
    popfq
    call fill64
    pushfq
    andl $~0x100, (%rsp)
    popfq
    ret

# fill_compat(to, value, n): fill64's bytes, executed as code of 32 bits.
    .globl fill_compat
    .p2align 4
fill_compat:
    mov %rdx, %rcx
    xor %eax, %eax
    mov $0x2b, %r8d
    mov %r8d, %ds
    mov %rsp, stack(%rip)
    pushq $0x23
    pushq $compat_head
    lretq
    .p2align 4
compat_head:
    mov %rsi, (%rdi)
    lea 8(%rdi), %rdi
    dec %rcx
    jnz compat_head
    .code32
    ljmp $0x33, $compat_end
    .code64
compat_end:
    mov stack(%rip), %rsp
    mov %eax, %eax
    xor %r8d, %r8d
    mov %r8d, %ds
    ret

    .data
    .p2align 3
stack: .quad 0
    .section .note.GNU-stack,"",@progbits
