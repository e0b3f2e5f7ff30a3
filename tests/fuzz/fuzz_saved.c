/* tests/fuzz/fuzz_saved.c - the file of a saved VM, as somebody else made it. */
#include "tests/fuzz/fuzz.h"

#include "machine/saved.h"
#include "machine/vmdir.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("saved", MFD_CLOEXEC);
    }
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count &&
               lseek(fd, 0, SEEK_SET) == 0);
    json_t *about = NULL;
    if (vt_saved_read(fd, "f", &about, NULL) == 0) {
        FUZZ_CHECK(json_is_object(about));
        off_t at = lseek(fd, 0, SEEK_CUR);
        FUZZ_CHECK(at > 0 && at % 4096 == 0 && (size_t)at < count);
        json_decref(about);
    }
    /* The hash keeps a fuzzer from the JSON: it gets that part bare as well. */
    json_t *config = json_loadb((const char *)bytes, count, 0, NULL);
    struct vt_vm_config c;
    const char **args;
    if (config != NULL && vt_vm_config_from_json(config, &c, &args, NULL) == 0) {
        FUZZ_CHECK(c.memory_bytes > 0 && c.cpus > 0 && c.machine != NULL && c.qemu_args == args);
        free(args);
    }
    json_decref(config);
    return 0;
}
