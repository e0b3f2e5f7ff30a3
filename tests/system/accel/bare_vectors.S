/* bare_vectors.S - void xor16(d, n, k): d[i] ^= k, words of 16 bytes. */
        .text
        .globl  xor16
xor16:
        movdqu  (%rdx), %xmm0
        xor     %eax, %eax
1:      movdqu  (%rdi,%rax), %xmm1
        pxor    %xmm0, %xmm1
        movdqu  %xmm1, (%rdi,%rax)
        add     $16, %rax
        dec     %rsi
        jnz     1b
        ret
        .section .note.GNU-stack, "", @progbits
