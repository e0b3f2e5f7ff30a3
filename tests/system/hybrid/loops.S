# tests/system/hybrid/loops.S - loops that kernels stand for. The guest's program runs them, and who
# installs the kernels takes their bytes from here.
#
# Each function: rdi, rsi, rdx, rcx as C passes them; flags after the loop come back in rax, unless it
# is said otherwise. A loop that keeps CF finds it set.

    .text
    .macro begin name
    .globl \name, \name\()_head, \name\()_end
    .p2align 4
\name:
    .endm
    .macro end name
\name\()_end:
    pushfq
    pop %rax
    and $0x8d5, %eax
    .endm

# xor64(to, from, n, key): what was stored last goes to last_word.
begin xor64
    xor %eax, %eax
    .p2align 4
xor64_head:
    mov (%rsi,%rax,8), %r8
    xor %rcx, %r8
    mov %r8, (%rdi,%rax,8)
    inc %rax
    cmp %rdx, %rax
    jne xor64_head
end xor64
    mov %r8, last_word(%rip)
    ret

# fill64(to, value, n): keeps CF.
begin fill64
    mov %rdi, %r9
    mov %rdx, %rcx
    xor %r8d, %r8d
    stc
    .p2align 4
fill64_head:
    mov %rsi, (%rdi)
    lea 8(%rdi), %rdi
    dec %rcx
    jnz fill64_head
end fill64
    sub %r9, %rdi
    mov %rdi, last_word(%rip)
    ret

# xorv(to, from, bytes, key*): 16 at a time.
begin xorv
    movdqu (%rcx), %xmm1
    xor %eax, %eax
    .p2align 4
xorv_head:
    movdqu (%rsi,%rax), %xmm0
    pxor %xmm1, %xmm0
    movdqu %xmm0, (%rdi,%rax)
    add $16, %rax
    cmp %rdx, %rax
    jb xorv_head
end xorv
    movq %xmm0, last_word(%rip)
    ret

# back8(to, from, n): bytes, from the last to the first; keeps CF.
begin back8
    mov %rdx, %rcx
    xor %eax, %eax
    xor %r8d, %r8d
    stc
    .p2align 4
back8_head:
    movzbl -1(%rsi,%rcx), %eax
    mov %al, -1(%rdi,%rcx)
    dec %rcx
    jnz back8_head
end back8
    ret

# length(text): two blocks; comes back in rax.
begin length
    mov %rdi, %rax
    .p2align 4
length_head:
    cmpb $0, (%rax)
    je length_out
    inc %rax
    jmp length_head
length_end:
length_out:
    sub %rdi, %rax
    ret

# sum64(to, from, n): into memory.
begin sum64
    xor %ecx, %ecx
    .p2align 4
sum64_head:
    mov (%rsi,%rcx,8), %rax
    add %rax, (%rdi)
    inc %rcx
    cmp %rdx, %rcx
    jne sum64_head
end sum64
    ret

    .data
    .globl last_word
    .p2align 3
last_word: .quad 0
    .section .note.GNU-stack,"",@progbits
