/* guest/dump/write.c - RAM into a file: raw, ELF core, LiME. See vitrine/dump.h.
 *
 *   plan    where each region's bytes go in the file, and what stands before them
 *   heads   ELF header, program headers and notes; or LiME's header before each region
 *   bodies  region by region, what is not zero; the rest stays a hole
 */
#include "vitrine/dump.h"

#include "base/io.h"
#include "guest/kernel.h"

#include <assert.h>
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITE_BYTES ((uint64_t)1 << 20)
#define PROGRESS_BYTES ((uint64_t)8 << 20)

/* struct elf_prstatus of x86-64 (include/linux/elfcore.h). */
enum { PRSTATUS_BYTES = 336, PRSTATUS_PID = 32, PRSTATUS_REG = 112 };

struct writing {
    const struct vt_dump *dump;
    int fd;
    const char *path;
    uint64_t offsets[VT_RAM_REGIONS_MAX]; /* of each region's bytes in the file */
    uint64_t end;                         /* of the file */
    uint64_t done, total, told, stored;
};

static const char *const format_names[] = {
    [VT_DUMP_RAW] = "raw",
    [VT_DUMP_ELF] = "elf",
    [VT_DUMP_LIME] = "lime",
};

const char *vt_dump_format_name(enum vt_dump_format format)
{
    return format_names[format];
}

int vt_dump_format_parse(const char *text, enum vt_dump_format *format, struct vt_error *err)
{
    for (unsigned i = 0; i < sizeof format_names / sizeof format_names[0]; i++) {
        if (strcmp(text, format_names[i]) == 0) {
            *format = (enum vt_dump_format)i;
            return 0;
        }
    }
    return vt_fail(err, VT_E_INVAL, "'%s' is no format of a dump: elf, raw or lime", text);
}

static uint64_t page_up(uint64_t v)
{
    return (v + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1);
}

static int put(struct writing *w, const void *bytes, uint64_t n, uint64_t at, struct vt_error *err)
{
    const uint8_t *from = bytes;
    while (n > 0) {
        ssize_t done = pwrite(w->fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return vt_fail_errno(err, VT_E_IO, done < 0 ? errno : ENOSPC, "%s", w->path);
        }
        from += done;
        at += (uint64_t)done;
        n -= (uint64_t)done;
    }
    return 0;
}

/* ---------------------------------------------------------------- bodies */

static bool is_zero(const uint8_t *bytes, uint64_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static int tell(struct writing *w, uint64_t done, struct vt_error *err)
{
    const struct vt_dump *d = w->dump;
    w->done = done;
    if (d->progress != NULL && (w->done - w->told >= PROGRESS_BYTES || w->done == w->total)) {
        w->told = w->done;
        if (d->progress(w->done, w->total, d->arg) != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
    }
    return 0;
}

/* Pages [from, to) of a region, by their offset in it. */
static int put_run(struct writing *w, const uint8_t *bytes, uint64_t from, uint64_t to,
                   uint64_t base, uint64_t done, struct vt_error *err)
{
    int rc = 0;
    for (uint64_t at = from; rc == 0 && at < to;) {
        uint64_t end = at;
        while (end < to && end - at < WRITE_BYTES && !is_zero(bytes + end, VT_PAGE_BYTES)) {
            end += VT_PAGE_BYTES;
        }
        if (end == at) {
            at += VT_PAGE_BYTES;
        } else {
            rc = put(w, bytes + at, end - at, base + at, err);
            w->stored += end - at;
            at = end;
        }
        if (rc == 0) {
            rc = tell(w, done + at, err);
        }
    }
    return rc;
}

static int put_region(struct writing *w, const struct vt_ram_region *r, uint64_t base,
                      struct vt_error *err)
{
    const struct vt_dump *d = w->dump;
    uint64_t done = w->done;
    int rc = 0;
    if (d->copy != NULL) {
        rc = put_run(w, d->copy + r->offset.v, 0, r->bytes, base, done, err);
    }
    const uint8_t *bytes = vt_ram_bytes(d->ram) + r->offset.v;
    for (uint64_t at = 0; d->copy == NULL && rc == 0 && at < r->bytes;) {
        struct vt_off start, end;
        rc = vt_ram_next_data(d->ram, VT_OFF(r->offset.v + at), &start, &end, err);
        if (rc == VT_E_NOT_FOUND || (rc == 0 && start.v >= r->offset.v + r->bytes)) {
            rc = 0;
            break;
        }
        if (rc == 0) {
            uint64_t from = start.v - r->offset.v, to = end.v - r->offset.v;
            to = to < r->bytes ? to : r->bytes;
            rc = put_run(w, bytes, from > at ? from : at, to, base, done, err);
            at = to;
        }
    }
    rc = rc != 0 ? rc : vt_ram_check(d->ram, err);
    return rc != 0 ? rc : tell(w, done + r->bytes, err);
}

/* ---------------------------------------------------------------- LiME */

struct lime_head {
    uint32_t magic, version;
    uint64_t first, last;
    uint8_t reserved[8];
};
static_assert(sizeof(struct lime_head) == 32, "as on disk");
#define LIME_MAGIC 0x4c694d45u

static int put_lime_heads(struct writing *w, const struct vt_ram_region *regions, unsigned n,
                          struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        struct lime_head head = {
            .magic = htole32(LIME_MAGIC),
            .version = htole32(1),
            .first = htole64(regions[i].gpa.v),
            .last = htole64(regions[i].gpa.v + regions[i].bytes - 1),
        };
        rc = put(w, &head, sizeof head, w->offsets[i] - sizeof head, err);
    }
    return rc;
}

static void plan_lime(struct writing *w, const struct vt_ram_region *regions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        w->offsets[i] = w->end + sizeof(struct lime_head);
        w->end = w->offsets[i] + regions[i].bytes;
    }
}

/* ---------------------------------------------------------------- raw */

static void plan_raw(struct writing *w, const struct vt_ram_region *regions, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        w->offsets[i] = regions[i].gpa.v;
        w->end = w->offsets[i] + regions[i].bytes;
    }
}

/* ---------------------------------------------------------------- ELF */

/* What an ELF core says beside RAM. */
struct core {
    uint8_t *notes;
    size_t n_notes;
    uint64_t direct_map; /* virtual address of physical 0, when there is one */
    bool has_direct_map;
    uint64_t text_va, text_pa, text_bytes; /* 0: no kernel */
};

static size_t note_bytes(size_t name, size_t n)
{
    return sizeof(Elf64_Nhdr) + ((name + 3) & ~(size_t)3) + ((n + 3) & ~(size_t)3);
}

static void add_note(struct core *c, const char *name, uint32_t type, const void *bytes, size_t n)
{
    size_t name_bytes = strlen(name) + 1;
    Elf64_Nhdr head = {
        .n_namesz = (Elf64_Word)name_bytes, .n_descsz = (Elf64_Word)n, .n_type = type};
    uint8_t *at = c->notes + c->n_notes;
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, name, name_bytes);
    memcpy(at + note_bytes(name_bytes, 0), bytes, n);
    c->n_notes += note_bytes(name_bytes, n);
}

static int make_notes(struct core *c, const struct vt_dump *d, struct vt_error *err)
{
    static const char cpu_name[] = "CORE", info_name[] = "VMCOREINFO";
    unsigned n_cpus = d->n_cpus < VT_DUMP_CPUS_MAX ? d->n_cpus : VT_DUMP_CPUS_MAX;
    const char *info = d->kernel != NULL ? d->kernel->vmcoreinfo : NULL;
    size_t info_bytes = info != NULL ? d->kernel->vmcoreinfo_bytes : 0;
    c->notes = calloc(1, n_cpus * note_bytes(sizeof cpu_name, PRSTATUS_BYTES) +
                             note_bytes(sizeof info_name, info_bytes));
    if (c->notes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the notes of a core");
    }
    for (unsigned i = 0; i < n_cpus; i++) {
        /* Which task ran is for the reader to find; numbers tell the CPUs apart, as in QEMU's own
         * dumps. */
        uint8_t status[PRSTATUS_BYTES] = {0};
        uint32_t pid = htole32(i + 1);
        memcpy(status + PRSTATUS_PID, &pid, sizeof pid);
        for (unsigned k = 0; k < VT_DUMP_REGS; k++) {
            uint64_t value = htole64(d->cpus[i].reg[k]);
            memcpy(status + PRSTATUS_REG + k * sizeof value, &value, sizeof value);
        }
        add_note(c, cpu_name, NT_PRSTATUS, status, sizeof status);
    }
    if (info_bytes > 0) {
        add_note(c, info_name, 0, info, info_bytes);
    }
    return 0;
}

/* Where the kernel sees itself and RAM. What its own page tables do not confirm is left out. */
static void take_addresses(struct core *c, const struct vt_kernel *kernel)
{
    struct vt_gva text, end, base;
    struct vt_gpa pa, there;
    vt_kernel_text(kernel, &text, &pa);
    if (vt_kernel_symbol(kernel, "_end", &end, NULL) == 0 && end.v > text.v &&
        end.v - text.v < (UINT64_C(1) << 30)) {
        c->text_va = text.v;
        c->text_pa = pa.v;
        c->text_bytes = page_up(end.v - text.v);
    }
    const struct vt_space *space = vt_kernel_space(kernel);
    uint64_t value =
        space->levels == 5 ? UINT64_C(0xff11000000000000) : UINT64_C(0xffff888000000000);
    if (vt_kernel_symbol(kernel, "page_offset_base", &base, NULL) == 0) {
        vt_space_read_u64(space, base, &value, NULL);
    }
    if (vt_space_translate(space, VT_GVA(value + pa.v), &there, NULL) == 0 && there.v == pa.v) {
        c->direct_map = value;
        c->has_direct_map = true;
    }
}

/* The kernel's image as far as the region that begins it goes. */
static bool text_in(const struct core *c, const struct vt_ram_region *r, uint64_t *bytes)
{
    if (c->text_bytes == 0 || c->text_pa < r->gpa.v || c->text_pa - r->gpa.v >= r->bytes) {
        return false;
    }
    uint64_t left = r->bytes - (c->text_pa - r->gpa.v);
    *bytes = c->text_bytes < left ? c->text_bytes : left;
    return true;
}

/* ELF header, program headers and notes, into what is all zeros. */
static void fill_head(struct vt_dump_core *out, const struct vt_ram_region *regions, unsigned n,
                      const struct core *c)
{
    Elf64_Phdr loads[VT_RAM_REGIONS_MAX + 2] = {0};
    unsigned count = 1;
    for (unsigned i = 0; i < n; i++) {
        uint64_t bytes;
        if (text_in(c, &regions[i], &bytes)) {
            uint64_t into = c->text_pa - regions[i].gpa.v;
            loads[count++] = (Elf64_Phdr){.p_type = PT_LOAD,
                                          .p_flags = PF_R | PF_W | PF_X,
                                          .p_offset = out->offsets[i] + into,
                                          .p_vaddr = c->text_va,
                                          .p_paddr = c->text_pa,
                                          .p_filesz = bytes,
                                          .p_memsz = bytes};
            break;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t gpa = regions[i].gpa.v;
        loads[count++] = (Elf64_Phdr){.p_type = PT_LOAD,
                                      .p_flags = PF_R | PF_W | PF_X,
                                      .p_offset = out->offsets[i],
                                      .p_vaddr = c->has_direct_map ? c->direct_map + gpa : 0,
                                      .p_paddr = gpa,
                                      .p_filesz = regions[i].bytes,
                                      .p_memsz = regions[i].bytes};
    }
    uint64_t notes_at = sizeof(Elf64_Ehdr) + count * sizeof loads[0];
    loads[0] = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = c->n_notes, .p_memsz = c->n_notes};
    Elf64_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof head,
        .e_ehsize = sizeof head,
        .e_phentsize = sizeof loads[0],
        .e_phnum = (Elf64_Half)count,
    };
    memcpy(out->head, &head, sizeof head);
    memcpy(out->head + sizeof head, loads, count * sizeof loads[0]);
    memcpy(out->head + notes_at, c->notes, c->n_notes);
}

int vt_dump_core_make(const struct vt_dump *dump, struct vt_dump_core *core, struct vt_error *err)
{
    struct core c = {0};
    struct vt_dump_core out = {0};
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(dump->ram, &regions);
    if (dump->kernel != NULL) {
        take_addresses(&c, dump->kernel);
    }
    int rc = make_notes(&c, dump, err);
    if (rc != 0) {
        return rc;
    }
    out.n_head = sizeof(Elf64_Ehdr) + (n + 2) * sizeof(Elf64_Phdr) + c.n_notes;
    out.head = calloc(1, out.n_head);
    if (out.head == NULL) {
        free(c.notes);
        return vt_fail(err, VT_E_NOMEM, "no memory for the headers of a core");
    }
    /* RAM begins on a page, so that whoever opens the core can map it. */
    out.bytes = page_up(out.n_head);
    for (unsigned i = 0; i < n; i++) {
        out.offsets[i] = out.bytes;
        out.bytes += regions[i].bytes;
    }
    fill_head(&out, regions, n, &c);
    free(c.notes);
    *core = out;
    return 0;
}

void vt_dump_core_fini(struct vt_dump_core *core)
{
    free(core->head);
    *core = (struct vt_dump_core){0};
}

static int put_core_head(struct writing *w, struct vt_error *err)
{
    struct vt_dump_core core;
    int rc = vt_dump_core_make(w->dump, &core, err);
    if (rc == 0) {
        memcpy(w->offsets, core.offsets, sizeof w->offsets);
        w->end = core.bytes;
        rc = put(w, core.head, core.n_head, 0, err);
        vt_dump_core_fini(&core);
    }
    return rc;
}

/* ---------------------------------------------------------------- all of it */

int vt_dump_write(const struct vt_dump *dump, enum vt_dump_format format, int fd, const char *path,
                  uint64_t *stored, struct vt_error *err)
{
    struct writing w = {.dump = dump, .fd = fd, .path = path};
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(dump->ram, &regions);
    int rc = 0;
    for (unsigned i = 0; i < n; i++) {
        w.total += regions[i].bytes;
    }
    switch (format) {
    case VT_DUMP_RAW:
        plan_raw(&w, regions, n);
        break;
    case VT_DUMP_LIME:
        plan_lime(&w, regions, n);
        rc = put_lime_heads(&w, regions, n, err);
        break;
    case VT_DUMP_ELF:
        rc = put_core_head(&w, err);
        break;
    }
    if (rc == 0 && ftruncate(fd, (off_t)w.end) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        rc = put_region(&w, &regions[i], w.offsets[i], err);
    }
    if (rc == 0) {
        *stored = w.stored;
    }
    return rc;
}
