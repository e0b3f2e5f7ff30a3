/* tests/unit/guest/test_dump.c - dumps hold what RAM holds and can be opened again; files that lie
 * are refused. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "tests/unit/memory/ramfile.h"
#include "vitrine/dump.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)

static const struct vt_ram_region two[] = {
    {{0}, {0}, 2 * MIB},
    {{4 * GIB}, {2 * MIB}, 1 * MIB},
};

/* RAM with something at both ends of both regions. */
static struct ramfile make_ram(struct vt_ram **ram)
{
    struct vt_error err = {0};
    struct ramfile f = ramfile_make(3 * MIB);
    ramfile_put(&f, 0, "first", 5);
    ramfile_put(&f, 2 * MIB - 4, "last", 4);
    ramfile_put(&f, 2 * MIB, "high", 4);
    ramfile_put(&f, 3 * MIB - 3, "end", 3);
    assert_int_equal(vt_ram_open(f.path, two, 2, ram, &err), 0);
    return f;
}

static int new_file(const char *dir, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void check_same(const struct vt_ram *want, const struct vt_ram *got)
{
    const struct vt_ram_region *w, *g;
    unsigned n = vt_ram_regions(want, &w);
    assert_int_equal(vt_ram_regions(got, &g), n);
    for (unsigned i = 0; i < n; i++) {
        assert_true(w[i].gpa.v == g[i].gpa.v && w[i].bytes == g[i].bytes);
        for (uint64_t at = 0; at < w[i].bytes; at += VT_PAGE_BYTES) {
            uint8_t a[VT_PAGE_BYTES], b[VT_PAGE_BYTES];
            struct vt_gpa gpa = VT_GPA(w[i].gpa.v + at);
            assert_int_equal(vt_ram_read(want, gpa, a, sizeof a, NULL), 0);
            assert_int_equal(vt_ram_read(got, gpa, b, sizeof b, NULL), 0);
            assert_memory_equal(a, b, sizeof a);
        }
    }
}

static void comes_back(void **state)
{
    struct vt_ram *ram, *again;
    struct vt_error err = {0};
    struct ramfile f = make_ram(&ram);
    uint8_t *copy = calloc(1, 3 * MIB);
    assert_int_equal(pread(f.fd, copy, 3 * MIB, 0), 3 * MIB);
    for (unsigned k = 0; k < 4; k++) {
        enum vt_dump_format want = k / 2 == 0 ? VT_DUMP_ELF : VT_DUMP_LIME, got;
        struct vt_dump dump = {.ram = ram, .copy = k % 2 == 0 ? NULL : copy};
        char path[256];
        struct stat st;
        uint64_t stored;
        int fd = new_file(*state, "dump", path);
        assert_int_equal(vt_dump_write(&dump, want, fd, path, &stored, &err), 0);
        assert_int_equal(stored, 4 * VT_PAGE_BYTES);
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(st.st_blocks * 512 < (off_t)MIB);
        assert_int_equal(vt_dump_probe(path, &got, &err), 0);
        assert_int_equal(got, want);
        assert_int_equal(vt_dump_open(path, got, &again, &err), 0);
        check_same(ram, again);
        vt_ram_close(again);
        close(fd);
    }
    free(copy);
    vt_ram_close(ram);
    close(f.fd);
}

static void raw_is_by_address(void **state)
{
    struct vt_ram *ram;
    struct ramfile f = make_ram(&ram);
    struct vt_dump dump = {.ram = ram};
    char path[256], text[8] = "";
    uint64_t stored;
    struct stat st;
    enum vt_dump_format format;
    int fd = new_file(*state, "raw", path);
    assert_int_equal(vt_dump_write(&dump, VT_DUMP_RAW, fd, path, &stored, NULL), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true((uint64_t)st.st_size == 4 * GIB + MIB);
    assert_int_equal(pread(fd, text, 4, 4 * GIB), 4);
    assert_string_equal(text, "high");
    assert_int_equal(vt_dump_probe(path, &format, NULL), 0);
    assert_int_equal(format, VT_DUMP_RAW);
    assert_int_equal(vt_dump_open(path, format, &ram, NULL), VT_E_INVAL);
    vt_ram_close(ram);
    close(fd);
    close(f.fd);
}

static int stop_at_once(uint64_t done, uint64_t total, void *arg)
{
    assert_true(done <= total && total == 3 * MIB);
    ++*(int *)arg;
    return 1;
}

static void can_be_stopped(void **state)
{
    struct vt_ram *ram;
    int calls = 0;
    struct vt_error err = {0};
    struct ramfile f = make_ram(&ram);
    struct vt_dump dump = {.ram = ram, .progress = stop_at_once, .arg = &calls};
    char path[256];
    uint64_t stored = 7;
    int fd = new_file(*state, "dump", path);
    assert_int_equal(vt_dump_write(&dump, VT_DUMP_LIME, fd, path, &stored, &err), VT_E_INTERRUPTED);
    assert_int_equal(calls, 1);
    assert_int_equal(stored, 7);
    vt_ram_close(ram);
    close(fd);
    close(f.fd);
}

/* ---------------------------------------------------------------- what a core says */

static void tells_of_the_kernel(void **state)
{
    struct synthetic_kernel k = synthetic_default();
    struct synthetic s;
    struct vt_kernel *kernel;
    struct vt_error err = {0};
    synthetic_create(&s);
    synthetic_add(&s, &k);
    /* As in a real image, the symbols' tables do not begin a run of data. */
    synthetic_put(&s, k.text_pa + AT_SYMBOLS - 8, 1, 8);
    struct vt_ram *ram = synthetic_open(&s);
    assert_int_equal(vt_kernel_open(ram, NULL, &kernel, &err), 0);
    struct vt_dump_cpu cpus[2] = {{{0}}, {{0}}};
    cpus[0].reg[0] = 0x1515;  /* r15 */
    cpus[1].reg[16] = 0x1122; /* rip */
    cpus[1].reg[26] = 0x2b;   /* gs */
    struct vt_dump dump = {.ram = ram, .kernel = kernel, .cpus = cpus, .n_cpus = 2};
    char path[256];
    uint64_t stored;
    int fd = new_file(*state, "core", path);
    assert_int_equal(vt_dump_write(&dump, VT_DUMP_ELF, fd, path, &stored, &err), 0);

    Elf64_Ehdr head;
    Elf64_Phdr loads[3];
    assert_int_equal(pread(fd, &head, sizeof head, 0), sizeof head);
    assert_int_equal(head.e_type, ET_CORE);
    assert_int_equal(head.e_machine, EM_X86_64);
    assert_int_equal(head.e_phnum, 3);
    assert_int_equal(pread(fd, loads, sizeof loads, (off_t)head.e_phoff), sizeof loads);
    assert_int_equal(loads[0].p_type, PT_NOTE);
    assert_true(loads[1].p_vaddr == synthetic_text(&k) && loads[1].p_paddr == k.text_pa);
    assert_true(loads[1].p_memsz == AT_END && loads[1].p_filesz == AT_END);
    assert_true(loads[1].p_offset == loads[2].p_offset + k.text_pa);
    assert_true(loads[2].p_vaddr == synthetic_direct(&k, 0) && loads[2].p_paddr == 0);
    assert_true(loads[2].p_memsz == SYNTHETIC_BYTES && loads[2].p_offset % VT_PAGE_BYTES == 0);

    /* Two CPUs, then VMCOREINFO. */
    uint8_t notes[4096] = {0}, *at = notes;
    assert_true(loads[0].p_filesz < sizeof notes);
    assert_int_equal(pread(fd, notes, loads[0].p_filesz, (off_t)loads[0].p_offset),
                     loads[0].p_filesz);
    for (uint32_t i = 0; i < 2; i++) {
        Elf64_Nhdr note;
        uint32_t pid;
        memcpy(&note, at, sizeof note);
        assert_true(note.n_type == NT_PRSTATUS && note.n_descsz == 336);
        assert_string_equal((char *)at + sizeof note, "CORE");
        memcpy(&pid, at + sizeof note + 8 + 32, sizeof pid);
        assert_int_equal(pid, i + 1);
        assert_memory_equal(at + sizeof note + 8 + 112, cpus[i].reg, sizeof cpus[i].reg);
        at += sizeof note + 8 + 336;
    }
    Elf64_Nhdr note;
    memcpy(&note, at, sizeof note);
    assert_string_equal((char *)at + sizeof note, "VMCOREINFO");
    assert_memory_equal(at + sizeof note + 12, "OSRELEASE=6.1.0-test\n", 21);
    assert_true(at + sizeof note + 12 + note.n_descsz <= notes + loads[0].p_filesz);

    /* The core is RAM again, with the same kernel in it. */
    struct vt_ram *again;
    struct vt_kernel *same;
    assert_int_equal(vt_dump_open(path, VT_DUMP_ELF, &again, &err), 0);
    check_same(ram, again);
    assert_int_equal(vt_kernel_open(again, NULL, &same, &err), 0);
    assert_string_equal(vt_kernel_banner(same), vt_kernel_banner(kernel));
    vt_kernel_close(same);
    vt_ram_close(again);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
    close(fd);
    synthetic_destroy(&s);
}

static void reads_registers(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nCPU#0\r\nRAX=0000000000000001 RBX=2 RCX=3 RDX=4\r\nR8 =8 R9 =9 R10=10 R15=f15\r\n"
        "RIP=ffffffff81000000 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n"
        "CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\r\n"
        "FS =0007 00007f0012345678 ffffffff 00c00000\r\nGS =0 ffff888000000000 0 0\r\n"
        "\r\nCPU#1\r\nEAX=11 EIP=000fff0 EFL=2\r\nFPR0=0 XMM00=1\r\n";
    struct vt_dump_cpu cpus[4];
    assert_int_equal(vt_dump_cpus_parse(text, cpus, 4), 2);
    const uint64_t *r = cpus[0].reg;
    assert_true(r[0] == 0xf15 && r[5] == 2 && r[7] == 0x10 && r[8] == 9 && r[9] == 8);
    assert_true(r[10] == 1 && r[11] == 3 && r[12] == 4 && r[15] == UINT64_MAX);
    assert_true(r[16] == UINT64_C(0xffffffff81000000) && r[17] == 0x10 && r[18] == 0x246);
    assert_true(r[21] == UINT64_C(0x7f0012345678) && r[22] == UINT64_C(0xffff888000000000));
    assert_true(r[25] == 7 && r[26] == 0);
    assert_true(cpus[1].reg[10] == 0x11 && cpus[1].reg[16] == 0xfff0 && cpus[1].reg[18] == 2);
    assert_int_equal(vt_dump_cpus_parse(text, cpus, 1), 1);
    assert_int_equal(vt_dump_cpus_parse("", cpus, 4), 0);
    assert_int_equal(vt_dump_cpus_parse("RAX=1\nCPU#0\nRAX=\nRBX", cpus, 4), 1);
    assert_true(cpus[0].reg[10] == 0);
}

/* ---------------------------------------------------------------- files of others */

struct core {
    Elf64_Ehdr head;
    Elf64_Phdr loads[8];
};

static struct core core_of(unsigned n)
{
    return (struct core){
        .head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
                 .e_type = ET_CORE,
                 .e_machine = EM_X86_64,
                 .e_phoff = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = (Elf64_Half)n},
    };
}

static Elf64_Phdr load(uint64_t gpa, uint64_t offset, uint64_t stored, uint64_t bytes)
{
    return (Elf64_Phdr){.p_type = PT_LOAD,
                        .p_paddr = gpa,
                        .p_offset = offset,
                        .p_filesz = stored,
                        .p_memsz = bytes};
}

/* Opens a file of `bytes` that begins with `head`; page n of it is full of byte n + 1. */
static int open_bytes(const void *head, size_t n, size_t bytes, enum vt_dump_format format,
                      struct vt_ram **ram, struct vt_error *err)
{
    struct ramfile f = ramfile_make(bytes);
    for (size_t at = 0; at < bytes; at += VT_PAGE_BYTES) {
        uint8_t page[VT_PAGE_BYTES];
        memset(page, (int)(at / VT_PAGE_BYTES + 1), sizeof page);
        ramfile_put(&f, at, page, bytes - at < sizeof page ? bytes - at : sizeof page);
    }
    ramfile_put(&f, 0, head, n);
    int rc = vt_dump_open(f.path, format, ram, err);
    close(f.fd);
    return rc;
}

static int open_core(const struct core *c, size_t bytes, struct vt_ram **ram, struct vt_error *err)
{
    return open_bytes(c, sizeof *c, bytes, VT_DUMP_ELF, ram, err);
}

static int byte_at(const struct vt_ram *ram, uint64_t gpa)
{
    uint8_t byte;
    return vt_ram_read(ram, VT_GPA(gpa), &byte, 1, NULL) == 0 ? byte : -1;
}

static void takes_cores_as_they_come(void **state)
{
    (void)state;
    struct vt_ram *ram;
    struct vt_error err = {0};

    /* Not in order, overlapping, with a note and an address of nothing between; partial pages. */
    struct core c = core_of(6);
    c.loads[0] = load(0x100000, 0x3000, 0x2000, 0x2000);
    c.loads[1] = load(0x1000, 0x1000, 0x2800, 0x2800);
    c.loads[2] = load(0x101000, 0x6000, 0x2000, 0x2000);
    c.loads[3] = load(UINT64_MAX, 0, 0x1000, 0x1000);
    c.loads[4] = (Elf64_Phdr){.p_type = PT_NOTE, .p_filesz = UINT64_MAX};
    c.loads[5] = load(0x200800, 0x5800, 0x900, 0x900);
    assert_int_equal(open_core(&c, 0x8100, &ram, &err), 0);
    assert_int_equal(byte_at(ram, 0), -1);
    assert_int_equal(byte_at(ram, 0x1000), 2);
    assert_int_equal(byte_at(ram, 0x2fff), 3);
    assert_int_equal(byte_at(ram, 0x3000), -1);
    assert_int_equal(byte_at(ram, 0x101000), 5);
    assert_int_equal(byte_at(ram, 0x102000), 8);
    assert_int_equal(byte_at(ram, 0x200800), -1);
    assert_true(vt_ram_end(ram).v == 0x103000);
    vt_ram_close(ram);

    /* Not on pages of the file, and with zeros that are not stored. */
    c = core_of(2);
    c.loads[0] = load(0, 0x1010, 0x1000, 0x4000);
    c.loads[1] = load(0x4000, 0x2ff0, 0x1000, 0x1000);
    assert_int_equal(open_core(&c, 0x5000, &ram, &err), 0);
    const struct vt_ram_region *regions;
    assert_int_equal(vt_ram_regions(ram, &regions), 1);
    assert_int_equal(byte_at(ram, 0), 2);
    assert_int_equal(byte_at(ram, 0xfef), 2);
    assert_int_equal(byte_at(ram, 0xff0), 3);
    assert_int_equal(byte_at(ram, 0x1000), 0);
    assert_int_equal(byte_at(ram, 0x4000), 3);
    assert_int_equal(byte_at(ram, 0x4010), 4);
    vt_ram_close(ram);

    /* The number of headers in the first section's. */
    struct {
        struct core core;
        Elf64_Shdr section;
    } x = {.core = core_of(PN_XNUM), .section = {.sh_info = 1}};
    x.core.head.e_shoff = offsetof(__typeof__(x), section);
    x.core.loads[0] = load(0x5000, 0x1000, 0x1000, 0x1000);
    assert_int_equal(open_bytes(&x, sizeof x, 0x2000, VT_DUMP_ELF, &ram, &err), 0);
    assert_int_equal(byte_at(ram, 0x5000), 2);
    vt_ram_close(ram);
}

static void refuses_cores_that_lie(void **state)
{
    (void)state;
    struct vt_ram *ram = NULL;
    struct vt_error err = {0};
    struct core good = core_of(1), c;
    good.loads[0] = load(0, 0x1000, 0x1000, 0x1000);
    assert_int_equal(open_core(&good, 0x2000, &ram, &err), 0);
    vt_ram_close(ram);
    ram = NULL;

    assert_int_equal(open_core(&good, 0x1fff, &ram, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, "cut short"));
    c = good;
    c.head.e_type = ET_EXEC;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_UNSUPPORTED);
    c = good;
    c.head.e_machine = EM_AARCH64;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_UNSUPPORTED);
    c = good;
    c.head.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_UNSUPPORTED);
    c = good;
    c.head.e_phentsize = 1;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.head.e_phoff = UINT64_MAX - 8;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.head.e_phnum = 0;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.head.e_phnum = PN_XNUM;
    c.head.e_shoff = 0x1fff;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c.head.e_shoff = 0x1000; /* a number of 0x02020202 */
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_LIMIT);
    c = good;
    c.loads[0].p_filesz = 0x1001;
    assert_int_equal(open_core(&c, 0x3000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.loads[0].p_offset = UINT64_MAX;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.loads[0].p_paddr = UINT64_C(1) << 60;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    c = good;
    c.loads[0].p_memsz = UINT64_C(1) << 50;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_LIMIT);
    c = good;
    c.loads[0].p_memsz = c.loads[0].p_filesz = 0xfff;
    assert_int_equal(open_core(&c, 0x2000, &ram, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, "no RAM"));
    assert_null(ram);

    /* More pieces than a map of RAM has. */
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr loads[VT_RAM_REGIONS_MAX + 1];
    } many = {.head = good.head};
    many.head.e_phnum = VT_RAM_REGIONS_MAX + 1;
    for (unsigned i = 0; i < VT_RAM_REGIONS_MAX + 1; i++) {
        many.loads[i] = load(i * UINT64_C(0x2000), 0x1000, 0x1000, 0x1000);
    }
    assert_int_equal(open_bytes(&many, sizeof many, 0x2000, VT_DUMP_ELF, &ram, &err), VT_E_LIMIT);
}

struct lime {
    uint32_t magic, version;
    uint64_t first, last, reserved;
};

static void checks_lime(void **state)
{
    (void)state;
    struct vt_ram *ram = NULL;
    struct vt_error err = {0};
    struct lime good = {0x4c694d45, 1, 0x5000, 0x5fff, 0}, l;
    size_t bytes = sizeof good + 0x1000;
    assert_int_equal(open_bytes(&good, sizeof good, bytes, VT_DUMP_LIME, &ram, &err), 0);
    assert_int_equal(byte_at(ram, 0x4fff), -1);
    assert_int_equal(byte_at(ram, 0x5000), 1);
    assert_int_equal(byte_at(ram, 0x5fff), 2);
    assert_int_equal(byte_at(ram, 0x6000), -1);
    vt_ram_close(ram);
    ram = NULL;
    assert_int_equal(open_bytes(&good, sizeof good, bytes - 1, VT_DUMP_LIME, &ram, &err),
                     VT_E_CORRUPT);
    assert_int_equal(open_bytes(&good, sizeof good, bytes + 1, VT_DUMP_LIME, &ram, &err),
                     VT_E_CORRUPT);
    l = good;
    l.version = 2;
    assert_int_equal(open_bytes(&l, sizeof l, bytes, VT_DUMP_LIME, &ram, &err), VT_E_UNSUPPORTED);
    l = good;
    l.last = 0x4fff;
    assert_int_equal(open_bytes(&l, sizeof l, bytes, VT_DUMP_LIME, &ram, &err), VT_E_CORRUPT);
    l = good;
    l.first = 0;
    l.last = UINT64_MAX;
    assert_int_equal(open_bytes(&l, sizeof l, bytes, VT_DUMP_LIME, &ram, &err), VT_E_CORRUPT);
    assert_int_equal(open_bytes("", 0, 0, VT_DUMP_LIME, &ram, &err), VT_E_CORRUPT);
    assert_null(ram);
}

static void knows_what_it_cannot_open(void **state)
{
    static const char *const heads[] = {"KDUMP   ", "DISKDUMP", "makedumpfile"};
    enum vt_dump_format format;
    struct vt_error err = {0};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char path[256];
        int fd = new_file(*state, "compressed", path);
        assert_true(write(fd, heads[i], strlen(heads[i])) > 0);
        close(fd);
        assert_int_equal(vt_dump_probe(path, &format, &err), VT_E_UNSUPPORTED);
        assert_non_null(strstr(err.message, "makedumpfile"));
    }
    assert_int_equal(vt_dump_probe("/nonexistent/dump", &format, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_dump_probe("/", &format, &err), VT_E_INVAL);
    assert_int_equal(vt_dump_format_parse("lime", &format, &err), 0);
    assert_int_equal(format, VT_DUMP_LIME);
    assert_int_equal(vt_dump_format_parse("zip", &format, &err), VT_E_INVAL);
    assert_string_equal(vt_dump_format_name(VT_DUMP_ELF), "elf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(comes_back),
        vt_test_in_dir(raw_is_by_address),
        vt_test_in_dir(can_be_stopped),
        vt_test_in_dir(tells_of_the_kernel),
        cmocka_unit_test(reads_registers),
        cmocka_unit_test(takes_cores_as_they_come),
        cmocka_unit_test(refuses_cores_that_lie),
        cmocka_unit_test(checks_lime),
        vt_test_in_dir(knows_what_it_cannot_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
