/* tests/unit/server/fake_vm.h - a VM without a QEMU: its directory, and RAM with a synthetic guest.
 *
 * All that vitrine keeps lies in a directory of the test's. Whatever needs QMP or the keeper fails.
 */
#ifndef VT_TESTS_SERVER_FAKE_VM_H
#define VT_TESTS_SERVER_FAKE_VM_H

#include "machine/vmdir.h"
#include "tests/unit/guest/synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** For tests and for fuzzers. */
#define FAKE_CHECK(what)                                                                           \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "fake VM: %s\n", #what);                                               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fake_vm {
    struct vt_vmdir dir;
    struct synthetic ram;
    struct synthetic_kernel kernel;
};

/** Moves everything vitrine keeps into `top`. */
static inline void fake_places(const char *top)
{
    static const char *const places[] = {"RUNTIME", "CACHE", "STATE", "DATA"};
    for (unsigned i = 0; i < 4; i++) {
        char name[32], path[PATH_MAX];
        snprintf(name, sizeof name, "VITRINE_%s_DIR", places[i]);
        snprintf(path, sizeof path, "%s/%s", top, places[i]);
        FAKE_CHECK(mkdir(path, 0700) == 0);
        FAKE_CHECK(setenv(name, path, 1) == 0);
    }
}

static inline void fake_vm_write(struct fake_vm *vm, const char *name)
{
    struct vt_vm_info info = {
        .qemu_pid = getpid(),
        .keeper_pid = getpid(),
        .cpus = 1,
        .ram_bytes = SYNTHETIC_BYTES,
        .n_regions = 1,
        .regions = {{VT_GPA(0), VT_OFF(0), SYNTHETIC_BYTES}},
        .qemu_version = "0.0",
        .accel = "tcg",
        .arch = "x86_64",
        .machine = "q35",
        .started_unix_ns = 1,
    };
    snprintf(info.name, sizeof info.name, "%s", name);
    snprintf(info.ram_path, sizeof info.ram_path, "%s", vm->ram.path);
    FAKE_CHECK(vt_vmdir_write(vm->dir.path, &info, NULL, NULL) == 0);
}

static inline void fake_vm_start(struct fake_vm *vm, const char *name)
{
    *vm = (struct fake_vm){.kernel = synthetic_default()};
    vm->kernel.modules = true;
    synthetic_create(&vm->ram);
    synthetic_add(&vm->ram, &vm->kernel);
    FAKE_CHECK(vt_vmdir_create(name, &vm->dir, NULL) == 0);
    fake_vm_write(vm, name);
}

static inline void fake_vm_end(struct fake_vm *vm)
{
    vt_vmdir_remove(&vm->dir);
    synthetic_destroy(&vm->ram);
}

#endif
