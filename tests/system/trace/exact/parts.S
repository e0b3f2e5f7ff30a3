/* tests/system/trace/exact/parts.S - code of known places: pages' borders, instructions that are
 * stored into, 32 bits, ring 3. What is copied to other addresses needs none of its own.
 */
        .text
/* int compute(uint32_t): in the middle of a block devices are asked, by memory and by port. */
        .globl  touch_devices
touch_devices:
        mov     $0xfee00030, %edx       // the local controller's version
        lea     (%rdi, %rdi, 4), %eax
        mov     (%rdx), %ecx
        add     %ecx, %eax
        movl    $0, 0x50(%rdx)          // task priority
        addl    $0, 0x50(%rdx)
        rol     $3, %eax
        mov     $0x3ff, %edx            // COM1's scratch register
        xchg    %eax, %ecx
        mov     %cl, %al
        outb    %al, %dx
        inb     %dx, %al
        sub     %cl, %al                // 0
        movzbl  %al, %eax
        add     %ecx, %eax
        ret

/* Debug traps after each instruction, until the handler clears the flag. */
        .globl  step_through
step_through:
        pushfq
        orq     $0x100, (%rsp)
        popfq
        mov     %edi, %eax
        imul    $77, %eax, %eax
        push    %rax
        pop     %rax
        cmp     $5, %eax
        jb      1f
        inc     %eax
1:      rol     $5, %eax
        nop
        nop
        ret

        .globl  divide, undefined, breakpoint
divide: xor     %ecx, %ecx
        mov     %edi, %eax
        xor     %edx, %edx
        div     %ecx                    // the handler goes on after it
        lea     1(%rdi), %eax
        ret
undefined:
        lea     3(%rdi), %eax
        ud2                             // so it does here
        inc     %eax
        ret
breakpoint:
        lea     7(%rdi), %eax
        int3
        dec     %eax
        int     $0x81
        dec     %eax
        ret

/* Far to code of 32 bits and back, on the same stack. */
        .globl  compatible
compatible:
        mov     %edi, %eax
        push    $0x40
        lea     1f(%rip), %rcx
        push    %rcx
        lretq
        .code32
1:      inc     %eax
        dec     %ecx
        push    %eax
        mov     $20, %ecx
2:      inc     %eax
        xor     %ecx, %eax
        loop    2b
        pop     %ecx
        add     %ecx, %eax
        ljmp    $8, $3f
        .code64
3:      ret

/* An instruction, and a block, that begin on one page and end on the next. */
        .balign 4096
        .skip   4096 - 3
        .globl  across
across: movabs  $0x1122334455667788, %rax
        add     %rdi, %rax
        ret
        .balign 4096
        .skip   4096 - 14
        .globl  along
along:  mov     %rdi, %rax
        add     $3, %rax
        rol     $7, %rax
        xor     $9, %rax
        add     $5, %rax
        ret

/* Copied to where the second page is not there yet. The border is at 16. */
        .balign 16
        .globl  straddle, straddle_end
straddle:
        mov     %rdi, %rax
        add     $1, %rax
        nopl    (%rax)
        nop
        nop
        movabs  $0x0102030405060708, %rcx // at 12
        xor     %rcx, %rax
        ret
straddle_end:

/* Called at several addresses, at once. */
        .globl  shared, shared_end
shared: lea     (%rdi, %rdi, 2), %rax
        mov     $5, %ecx
1:      add     %rcx, %rax
        dec     %ecx
        jnz     1b
        call    2f
        add     $1, %rax
        ret
2:      rol     $3, %rax
        lea     -9(%rip), %rdx
        and     $0xfff, %edx
        add     %rdx, %rax
        ret
shared_end:
        .globl  other, other_end
other:  lea     11(%rdi), %rax
        ret
        nop
other_end:

/* Ring 3: rax says how often round; a block of its own memory is at rsp. */
        .globl  user, user_end
user:   mov     %rax, %rbx
        xor     %r12d, %r12d
1:      syscall
        push    %rbx
        imul    $13, %r12, %r12
        add     (%rsp), %r12
        pop     %rdx
        mov     $1, %eax
        int     $0x80
        call    2f
        mov     $40, %ecx
3:      add     %rcx, %r12
        loop    3b
        dec     %ebx
        jnz     1b
        xor     %eax, %eax
        mov     %r12, %rdi
        int     $0x80
        ud2
2:      xor     $0x55, %r12
        cmpb    $0, 4096(%rsp)          // not there the first time
        ret
user_end:

/* Vectors, 16 bytes at once, two pages at once, and x87. */
        .globl  vectors
vectors:
        movups  (%rdi), %xmm0
        movups  1(%rdi), %xmm1
        paddq   %xmm1, %xmm0
        movaps  %xmm0, 16(%rdi)
        movups  %xmm0, 4088(%rdi)
        mulpd   %xmm1, %xmm0
        movq    16(%rdi), %rax
        mov     %rax, %rdx
        mov     %rax, rbx_kept(%rip)
        fildl   8(%rdi)
        fildl   12(%rdi)
        faddp
        fistpll 64(%rdi)
        xor     64(%rdi), %rax
        lock xaddq %rax, 72(%rdi)
        xchgb   %al, 80(%rdi)
        ret

        .section .changing, "awx"
/* uint32_t change_own(uint32_t): stores into a later instruction of the same block. */
        .globl  change_own, change_next, change_other, change_stepwise, change_string
change_own:
        mov     %edi, 1f+1(%rip)
        nop
        add     $3, %edi
1:      mov     $0, %eax
        add     %edi, %eax
        ret
change_next:
        mov     %edi, 1f+1(%rip)
        xor     $5, %edi
        jmp     1f
        ud2
1:      mov     $0, %eax
        sub     %edi, %eax
        ret
/* A byte at a time: the first of the bytes an instruction has is stored last. */
change_stepwise:
        mov     $4, %ecx
        lea     1f+1(%rip), %rdx
2:      movb    %dil, -1(%rdx, %rcx)
        rol     $8, %edi
        loop    2b
1:      mov     $0, %eax
        ret
change_string:
        lea     1f(%rip), %rdx
        mov     %rdi, %rsi
        mov     %rdx, %rdi
        mov     $5, %ecx
        rep movsb
1:      mov     $0, %eax
        ret
change_other:
        mov     %edi, on_other_page+1(%rip)
        call    on_other_page
        mov     %edi, on_other_page+6(%rip)
        jmp     on_other_page
        .balign 4096
on_other_page:
        mov     $0, %eax
        xor     $0x12345678, %eax
        ret
        .balign 4096

        .data
rbx_kept:
        .quad   0
        .section .note.GNU-stack, "", @progbits
