/* guests/card/x86_64/start.S - from PVH's 32-bit entry to C in long mode, and the ways in of traps.
 *
 * Source: Xen's "x86/HVM direct boot ABI" (pvh.html): 32-bit protected mode, paging off, ebx = start
 * info. The first 4 GiB are mapped 1:1 by pages of 2 MiB; arch.c maps more when a device asks.
 */
        .section .note.pvh, "a", @note
        .balign 4
        .long   4, 8, 18                // XEN_ELFNOTE_PHYS32_ENTRY
        .asciz  "Xen"
        .quad   start32

        .section .text.start, "ax"
        .code32
        .globl  start32
start32:
        cli
        cld
        mov     $boot_stack_end, %esp
        mov     %ebx, %ebp              // kept: the start info

        mov     $card_pml4, %edi
        mov     $card_pdpt, %eax
        or      $3, %eax
        mov     %eax, (%edi)
        mov     $card_pdpt, %edi
        mov     $page_directories, %eax
        or      $3, %eax
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    1b
        mov     $page_directories, %edi
        mov     $0x83, %eax             // present, writable, 2 MiB
        mov     $2048, %ecx
2:      mov     %eax, (%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    2b

        mov     $card_pml4, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $0x20, %eax             // PAE
        mov     %eax, %cr4
        mov     $0xc0000080, %ecx       // EFER.LME
        rdmsr
        or      $0x100, %eax
        wrmsr
        mov     %cr0, %eax
        or      $0x80010000, %eax       // PG, WP
        mov     %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $start64

        .code64
start64:
        mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        xor     %eax, %eax
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %ebp, %edi
        xor     %ebp, %ebp
        call    arch_main
3:      hlt
        jmp     3b

/* The vectors of exceptions: each pushes a code if the CPU did not, then its number. */
        .macro  trap n
        .balign 16
        .if     !(\n == 8 || (\n >= 10 && \n <= 14) || \n == 17 || \n == 21 || \n == 29 || \n == 30)
        push    $0
        .endif
        push    $\n
        jmp     trap_common
        .endm

        .globl  trap_entries
        .balign 16
trap_entries:
        .set    i, 0
        .rept   32
        trap    i
        .set    i, i + 1
        .endr

trap_common:
        push    %r15
        push    %r14
        push    %r13
        push    %r12
        push    %r11
        push    %r10
        push    %r9
        push    %r8
        push    %rbp
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rbx
        push    %rax
        mov     %rsp, %rdi
        and     $-16, %rsp
        call    x86_trap

/* The timer's interrupt: it was only to wake us. */
        .globl  timer_entry
timer_entry:
        push    %rax
        mov     $0x20, %al
        outb    %al, $0x20
        pop     %rax
        iretq
/* The interrupt controller's seventh line, when it had second thoughts. */
        .globl  spurious_entry
spurious_entry:
        iretq

        .section .rodata
        .balign 8
gdt:    .quad   0
        .quad   0x00af9a000000ffff      // code, 64 bits
        .quad   0x00cf92000000ffff      // data
gdt_pointer:
        .word   gdt_pointer - gdt - 1
        .quad   gdt

        .bss
        .balign 4096
        .globl  card_pml4, card_pdpt
card_pml4:
        .skip   4096
card_pdpt:
        .skip   4096
page_directories:
        .skip   4 * 4096
        .skip   64 * 1024
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
