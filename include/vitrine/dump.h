/* vitrine/dump.h - RAM as files that other tools open: ELF cores for drgn and crash, LiME for
 * Volatility, raw; and the way back, from such a file to a struct vt_ram.
 *
 * raw   A page's offset is its guest-physical address; what is no RAM is a hole.
 * ELF   An ELF64 core of x86-64 as Linux's kdump writes it (kernel/crash_core.c,
 *       arch/x86/kernel/crash.c; elf(5)): a note NT_PRSTATUS a CPU, the note VMCOREINFO, a PT_LOAD
 *       for the kernel's image and one for each run of RAM, with physical addresses and, where the
 *       kernel is known, those of its direct mapping.
 * LiME  A 32-byte header (magic EMiL, version 1, first and last address) before each run of RAM
 *       (LiME's doc/README.md, "LiME Memory Range Header").
 *
 * Pages of zeros become holes of the file. Nothing here keeps state; each call is one thread's.
 */
#ifndef VITRINE_DUMP_H
#define VITRINE_DUMP_H

#include "vitrine/base.h"
#include "vitrine/guest.h"
#include "vitrine/machine.h"
#include "vitrine/memory.h"

enum vt_dump_format {
    VT_DUMP_RAW,
    VT_DUMP_ELF,
    VT_DUMP_LIME,
};

/** "raw", "elf", "lime". */
const char *vt_dump_format_name(enum vt_dump_format format);
/** The way back; VT_E_INVAL names the ones there are. */
int vt_dump_format_parse(const char *text, enum vt_dump_format *format, struct vt_error *err);

/* ---------------------------------------------------------------- CPUs */

/** General registers of one CPU, in the order of Linux's struct user_regs_struct (sys/user.h): r15
 *  r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base
 *  gs_base ds es fs gs. */
#define VT_DUMP_REGS 27
struct vt_dump_cpu {
    uint64_t reg[VT_DUMP_REGS];
};
/** At most this many CPUs are told of. */
#define VT_DUMP_CPUS_MAX 1024u

/** The registers of the VM's CPUs, asked of QEMU one after the other: stop the VM first for what
 *  belongs together. *cpus is malloc'ed. Errors: those of QMP; VT_E_PROTOCOL when QEMU's answer
 *  tells of no CPU. */
int vt_dump_cpus(struct vt_vm *vm, struct vt_dump_cpu **cpus, unsigned *n, struct vt_error *err);
/** The same from the text of QEMU's `info registers -a`; returns how many CPUs it tells of, at most
 *  `max`. Registers it does not name are 0 (orig_rax: all ones, "not in a system call"). */
unsigned vt_dump_cpus_parse(const char *text, struct vt_dump_cpu *cpus, unsigned max);

/* ---------------------------------------------------------------- writing */

/** What becomes a dump. Everything is borrowed for the call. */
struct vt_dump {
    const struct vt_ram *ram;       /**< where RAM lies; and its bytes, without a copy */
    const uint8_t *copy;            /**< NULL, or vt_ram_size bytes by file offset */
    const struct vt_kernel *kernel; /**< NULL: an ELF core without VMCOREINFO and addresses */
    const struct vt_dump_cpu *cpus; /**< for ELF; each becomes a note */
    unsigned n_cpus;                /**< at most VT_DUMP_CPUS_MAX; may be 0 */
    /** Called every few MiB with how much of `total` was looked at; may be NULL. Non-zero ends the
     *  dump with VT_E_INTERRUPTED. */
    int (*progress)(uint64_t done, uint64_t total, void *arg);
    void *arg;
};

/** Writes into `fd`, an empty regular file open for writing; `path` names it in errors. *stored:
 *  bytes of RAM that were written, zeros left out. Errors: VT_E_IO (errno: disk full),
 *  VT_E_INTERRUPTED, VT_E_GONE (RAM ended), VT_E_NOMEM. */
int vt_dump_write(const struct vt_dump *dump, enum vt_dump_format format, int fd, const char *path,
                  uint64_t *stored, struct vt_error *err);

/** How an ELF core is laid out, for those who show one without writing it. */
struct vt_dump_core {
    uint8_t
        *head; /**< the core's first bytes: headers and notes; what follows up to RAM is zeros */
    size_t n_head;
    uint64_t offsets[VT_RAM_REGIONS_MAX]; /**< of each region of RAM in the core */
    uint64_t bytes;                       /**< of all of it */
};
/** Lays out what vt_dump_write writes; `copy` is not looked at. Its size depends only on the VM and
 *  on how many CPUs there are. VT_E_NOMEM. */
int vt_dump_core_make(const struct vt_dump *dump, struct vt_dump_core *core, struct vt_error *err);
void vt_dump_core_fini(struct vt_dump_core *core);

/* ---------------------------------------------------------------- opening */

/** What `path` is by its first bytes; what is nothing else is raw. VT_E_UNSUPPORTED for dumps that
 *  are compressed, with what to do; errors of opening and reading. */
int vt_dump_probe(const char *path, enum vt_dump_format *format, struct vt_error *err);

/** Opens an ELF core (kdump's vmcore, QEMU's dump-guest-memory, ours) or a LiME file as RAM. The
 *  file is hostile input. Where its pages lie on page boundaries it is mapped as it is; else its
 *  RAM is copied into memory of ours, holes left out. Where ranges tell of the same address the
 *  first one counts; what of a page is not there whole is left out.
 *  Errors: those of vt_ram_open; VT_E_CORRUPT (says what), VT_E_UNSUPPORTED (not x86-64, not a
 *  core), VT_E_LIMIT (more ranges or RAM than anybody has), VT_E_INVAL for VT_DUMP_RAW. */
int vt_dump_open(const char *path, enum vt_dump_format format, struct vt_ram **ram,
                 struct vt_error *err);

#endif
