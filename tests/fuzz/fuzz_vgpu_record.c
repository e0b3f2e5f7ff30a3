/* tests/fuzz/fuzz_vgpu_record.c - a recording of GPU commands that somebody else wrote.
 *
 * What reads as events, written again and read again, is the same bytes.
 */
#include "gpu/record.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int memory_file(char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char from[64];
    char to[64];
    int in = memory_file(from);
    FUZZ_CHECK(write(in, bytes, count) == (ssize_t)count);
    int out = memory_file(to);
    struct vt_error err;
    struct vt_vgpu_reader *reader;
    int rc = vt_vgpu_reader_open(from, &reader, &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_CORRUPT || rc == VT_E_UNSUPPORTED);
    if (rc == 0) {
        struct vt_vgpu_writer *writer;
        FUZZ_CHECK(vt_vgpu_writer_create(to, true, vt_vgpu_reader_origin(reader), &writer, &err) ==
                   0);
        struct vt_vgpu_event_seen event;
        bool cut = false;
        while ((rc = vt_vgpu_reader_next(reader, &event, &cut, &err)) == 1) {
            FUZZ_CHECK(vt_vgpu_writer_put(writer, &event, &err) == 0);
        }
        FUZZ_CHECK(rc == 0 || rc == VT_E_CORRUPT);
        FUZZ_CHECK(vt_vgpu_writer_close(writer, &err) == 0);
        off_t n = lseek(out, 0, SEEK_END);
        const off_t header = sizeof(struct vt_vgpu_file_header);
        FUZZ_CHECK(n >= header && n <= (off_t)count);
        char *again = malloc((size_t)n);
        FUZZ_CHECK(again != NULL && pread(out, again, (size_t)n, 0) == n);
        FUZZ_CHECK(memcmp(again + header, bytes + header, (size_t)(n - header)) == 0);
        free(again);
        vt_vgpu_reader_close(reader);
    }
    close(in);
    close(out);
    return 0;
}
