/* tests/fuzz/fuzz_dump.c - ELF cores and LiME files, and the text QEMU shows of its CPUs, as
 * somebody else made them. */
#include "tests/fuzz/fuzz.h"

#include "vitrine/dump.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void open_as(const char *path, enum vt_dump_format format)
{
    struct vt_ram *ram;
    struct vt_error err;
    const struct vt_ram_region *regions;
    if (vt_dump_open(path, format, &ram, &err) != 0) {
        FUZZ_CHECK(err.code != VT_OK && err.message[0] != '\0');
        return;
    }
    unsigned n = vt_ram_regions(ram, &regions);
    FUZZ_CHECK(n > 0 && n <= VT_RAM_REGIONS_MAX);
    for (unsigned i = 0; i < n; i++) {
        uint8_t byte;
        uint64_t last = regions[i].gpa.v + regions[i].bytes - 1;
        FUZZ_CHECK(vt_ram_read(ram, regions[i].gpa, &byte, 1, NULL) == 0);
        FUZZ_CHECK(vt_ram_read(ram, VT_GPA(last), &byte, 1, NULL) == 0);
    }
    vt_ram_close(ram);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static char path[64];
    static int fd = -1;
    enum vt_dump_format format;
    if (fd < 0) {
        fd = memfd_create("dump", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
    vt_dump_probe(path, &format, NULL);
    open_as(path, VT_DUMP_ELF);
    open_as(path, VT_DUMP_LIME);

    struct vt_dump_cpu cpus[2];
    char *text = malloc(count + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, bytes, count);
    text[count] = '\0';
    FUZZ_CHECK(vt_dump_cpus_parse(text, cpus, 2) <= 2);
    free(text);
    return 0;
}
