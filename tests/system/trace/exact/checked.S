/* tests/system/trace/exact/checked.S - the instructions that make known accesses, on pages of their
 * own: what a trace of these alone has is what accesses.h foretells.
 *
 * void checked_do(entry, const uint64_t arguments[4]): a in rdi, b in rsi, the value in rax, n in
 * rcx; back by a jump.
 */
        .text
        .globl  checked_do
checked_do:
        push    %rbx
        push    %rbp
        mov     %rdi, %r8
        mov     8(%rsi), %r10
        mov     16(%rsi), %rax
        mov     24(%rsi), %rcx
        mov     (%rsi), %rdi
        mov     %r10, %rsi
        movq    %rax, %xmm0
        punpcklqdq %xmm0, %xmm0
        lea     1f(%rip), %r9
        mov     %rsp, %rbp
        jmp     *%r8
1:      pop     %rbp
        pop     %rbx
        ret

        .section .rodata
        .balign 8
        .globl  checked_entries
checked_entries:
        .quad   load_1, load_2, load_4, load_8, load_16, load_signed
        .quad   store_1, store_2, store_4, store_8, store_16, aligned_16
        .quad   add_8, exchange_4, xadd_8, or_1
        .quad   push_pop, push_memory, call_return
        .quad   move_1, move_8, fill_4, compare_1, find_1, lods_2, x87

        .section .checked, "ax"
load_1: mov     (%rdi), %dl
        jmp     *%r9
load_2: mov     (%rdi), %dx
        jmp     *%r9
load_4: mov     (%rdi), %edx
        jmp     *%r9
load_8: mov     (%rdi), %rdx
        jmp     *%r9
load_16:
        movups  (%rdi), %xmm1
        jmp     *%r9
load_signed:
        movsbl  (%rdi), %edx
        jmp     *%r9
store_1:
        mov     %al, (%rdi)
        jmp     *%r9
store_2:
        mov     %ax, (%rdi)
        jmp     *%r9
store_4:
        mov     %eax, (%rdi)
        jmp     *%r9
store_8:
        mov     %rax, (%rdi)
        jmp     *%r9
store_16:
        movups  %xmm0, (%rdi)
        jmp     *%r9
aligned_16:
        movaps  (%rdi), %xmm1
        paddq   %xmm0, %xmm1
        movaps  %xmm0, (%rdi)
        jmp     *%r9
add_8:  add     %rax, (%rdi)
        jmp     *%r9
exchange_4:
        xchg    %eax, (%rdi)
        jmp     *%r9
xadd_8: lock xadd %rax, (%rdi)
        jmp     *%r9
or_1:   lock orb %al, (%rdi)
        jmp     *%r9
push_pop:
        mov     %rdi, %rsp
        push    %rax
        pop     %rdx
        mov     %rbp, %rsp
        jmp     *%r9
push_memory:
        mov     %rdi, %rsp
        push    (%rsi)
        mov     %rbp, %rsp
        jmp     *%r9
call_return:
        mov     %rdi, %rsp
        call    1f
        mov     %rbp, %rsp
        jmp     *%r9
1:      ret
move_1: rep movsb
        jmp     *%r9
move_8: rep movsq
        jmp     *%r9
fill_4: rep stosl
        jmp     *%r9
compare_1:
        repe cmpsb
        jmp     *%r9
find_1: repne scasb
        jmp     *%r9
lods_2: rep lodsw
        jmp     *%r9
x87:    fldt    (%rdi)
        fstpt   16(%rdi)
        jmp     *%r9

        .section .note.GNU-stack, "", @progbits
