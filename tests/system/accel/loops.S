/* loops.S - d[i] = s[i] ^ key: a loop of which each instruction's place is known. */
        .text
        .globl  hot_xor8, hot_xor8_head, hot_xor8_end
        .type   hot_xor8, @function
        .balign 64
hot_xor8:
        mov     %rcx, %r8
        mov     %rdx, %rcx
        xor     %eax, %eax
hot_xor8_head:
        mov     (%rsi), %rax    /* +0 */
        xor     %r8, %rax       /* +3 */
        mov     %rax, (%rdi)    /* +6 */
        add     $8, %rsi        /* +9 */
        add     $8, %rdi        /* +13 */
        dec     %rcx            /* +17 */
        jnz     hot_xor8_head   /* +20 */
hot_xor8_end:
        ret
        .size   hot_xor8, . - hot_xor8
        .section .note.GNU-stack, "", @progbits
