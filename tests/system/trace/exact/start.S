/* tests/system/trace/exact/start.S - from PVH's 32-bit entry to C in long mode; ways in and out of
 * traps and rings.
 *
 * Source: Xen's "x86/HVM direct boot ABI": protected mode, paging off, ebx = start info. Intel SDM
 * 3A 4.5, 6.14, 5.8.8. The first 4 GiB are mapped 1:1 by pages of 2 MiB.
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
        mov     $stack_end, %esp
        mov     %ebx, %ebp
        mov     $root_a, %edi
        mov     $low_pointers, %eax
        or      $7, %eax
        mov     %eax, (%edi)
        mov     $low_pointers, %edi
        mov     $low_directories, %eax
        or      $7, %eax
        mov     $4, %ecx
1:      mov     %eax, (%edi)
        add     $4096, %eax
        add     $8, %edi
        loop    1b
        mov     $low_directories, %edi
        mov     $0x83, %eax             // present, writable, 2 MiB
        mov     $2048, %ecx
2:      mov     %eax, (%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    2b
        mov     $root_a, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $0x620, %eax            // PAE, OSFXSR, OSXMMEXCPT
        mov     %eax, %cr4
        mov     $0xc0000080, %ecx       // EFER.LME, SCE
        rdmsr
        or      $0x101, %eax
        wrmsr
        mov     %cr0, %eax
        and     $0xfffffffb, %eax
        or      $0x80010002, %eax       // PG, WP, MP
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
        call    exact_main
3:      cli
        hlt
        jmp     3b

/* Every vector: a code if the CPU pushed none, then the number. */
        .globl  trap_entries
        .balign 16
trap_entries:
        .set    i, 0
        .rept   256
        .balign 16
        .if     !(i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21 || i == 29 || i == 30)
        push    $0
        .endif
        pushq   $i
        jmp     trap_common
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
        cld
        mov     %rsp, %rdi
        call    exact_trap
        pop     %rax
        pop     %rbx
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        pop     %rbp
        pop     %r8
        pop     %r9
        pop     %r10
        pop     %r11
        pop     %r12
        pop     %r13
        pop     %r14
        pop     %r15
        add     $16, %rsp
        iretq

/* void enter_user(rip, rsp, argument): until the user says int $0x80 with rax = 0. */
        .globl  enter_user, leave_user
enter_user:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, kernel_stack(%rip)
        mov     %rdx, %rax
        push    $0x23                   // ss
        push    %rsi
        push    $0x202
        push    $0x2b                   // cs, 64 bits
        push    %rdi
        iretq
leave_user:
        mov     kernel_stack(%rip), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

/* No stack is needed: what `syscall` does is to count. */
        .globl  system_call
system_call:
        incq    system_calls(%rip)
        sysretq

        .section .rodata
        .balign 8
gdt_pointer:
        .word   10 * 8 - 1
        .quad   gdt

        .data
        .balign 8
        .globl  gdt, kernel_stack, system_calls
gdt:    .quad   0
        .quad   0x00af9a000000ffff      // 0x08 code, 64 bits
        .quad   0x00cf92000000ffff      // 0x10 data
        .quad   0x00cffa000000ffff      // 0x18 user code, 32 bits
        .quad   0x00cff2000000ffff      // 0x20 user data
        .quad   0x00affa000000ffff      // 0x28 user code, 64 bits
        .quad   0, 0                    // 0x30 task state
        .quad   0x00cf9a000000ffff      // 0x40 code, 32 bits
        .quad   0
kernel_stack:
        .quad   0
system_calls:
        .quad   0

        .bss
        .balign 4096
        .globl  root_a, trap_stack_end
root_a: .skip   4096
low_pointers:
        .skip   4096
low_directories:
        .skip   4 * 4096
        .skip   64 * 1024
stack_end:
        .skip   16 * 1024
trap_stack_end:

        .section .note.GNU-stack, "", @progbits
