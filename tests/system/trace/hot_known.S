/* tests/system/trace/hot_known.S - loops of which everything is known: their instructions, how deep
 * they nest, how often each begins and goes round. hot_known.py says the same as a table; change both.
 */
        .set ROUNDS, 300

        .globl known_run, known_end, known_list
        .globl known_round, known_alu, known_alu_inner, known_stream, known_chase, known_float
        .globl known_string, known_control, known_system, known_calls, known_leaf

        .text
known_run:
        push %rbx
        mov $ROUNDS, %ebx

known_round:
        mov $4, %edx
known_alu:                              /* 4 times */
        mov $250, %ecx
known_alu_inner:                        /* 250 times */
        imul $77, %rax, %rax
        rol $9, %rax
        dec %ecx
        jnz known_alu_inner
        dec %edx
        jnz known_alu

        lea source(%rip), %rsi
        lea target(%rip), %rdi
        mov $500, %ecx
known_stream:                           /* 500 times */
        mov (%rsi), %rax
        mov %rax, (%rdi)
        add $8, %rsi
        add $8, %rdi
        dec %ecx
        jnz known_stream

        mov known_list(%rip), %rax
known_chase:                            /* the list has 1000 nodes */
        mov (%rax), %rax
        test %rax, %rax
        jnz known_chase

        movsd half(%rip), %xmm1
        mov $300, %ecx
known_float:                            /* 300 times */
        mulsd %xmm1, %xmm0
        addsd %xmm1, %xmm0
        dec %ecx
        jnz known_float

        mov $40, %edx
known_string:                           /* 40 times */
        lea target(%rip), %rdi
        mov $64, %ecx
        rep stosb
        dec %edx
        jnz known_string

        mov $200, %ecx
known_control:                          /* 200 times; 100 are odd, 50 of them 3 of 4, 25 7 of 8 */
        test $1, %ecx
        jz 1f
        test $2, %ecx
        jz 1f
        test $4, %ecx
        jnz 2f
1:      nop
2:      dec %ecx
        jnz known_control

        mov $100, %edx
known_system:                           /* 100 times getppid */
        mov $110, %eax
        syscall
        dec %edx
        jnz known_system

        mov $150, %edx
known_calls:                            /* 150 times */
        call leaf
        dec %edx
        jnz known_calls

        mov $60, %ecx                   /* a loop with two ways in, each taken every other round */
        test $1, %ebx
        jz 4f
3:      inc %rax
4:      dec %ecx
        jnz 3b

        dec %ebx
        jnz known_round
        pop %rbx
        ret

leaf:
        mov $5, %ecx
known_leaf:                             /* 5 times */
        add %rcx, %rax
        xor %rdx, %rax
        dec %ecx
        jnz known_leaf
        ret
known_end:

        .section .rodata
        .balign 8
half:   .double 0.5
        .bss
        .balign 64
known_list: .skip 8
source: .skip 4000
        .balign 64
target: .skip 4000

        .section .note.GNU-stack, "", @progbits
