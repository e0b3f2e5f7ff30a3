/* plugins/example/writes.c - which instructions write to some addresses, and how often.
 *
 *   -plugin vitrine-writes-7.so,fd=N       or path=FILE; the file: writes.h
 *
 * The smallest plugin on the base that docs/plugins.md describes: both of QEMU's interfaces, a file
 * handed over, no locks, no allocation, steered through the file while the guest runs.
 */
#include "writes.h"
#include "plugins/common/api.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_MAX (1u << 20)

VT_EXPORT int qemu_plugin_version = VT_PLUGIN_API;
VT_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                  char **argv);

static struct vt_writes *shared;
static uint32_t mask; /* our own: the file may be written over by others */

/* The slot of `pc`, taken if nobody has it; NULL: all are taken. */
static struct vt_writes_slot *slot_of(uint64_t pc)
{
    uint64_t at = pc * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    for (uint32_t i = 0; i <= mask; i++) {
        struct vt_writes_slot *slot = &shared->slot[(at + i) & mask];
        uint64_t there = __atomic_load_n(&slot->pc, __ATOMIC_RELAXED);
        if (there == 0) {
            __atomic_compare_exchange_n(&slot->pc, &there, pc, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
            there = there == 0 ? pc : there; /* else another vCPU's, who was first */
        }
        if (there == pc) {
            return slot;
        }
    }
    return NULL;
}

/* On the vCPU's thread, after the write: several vCPUs may be here at once. */
static void on_write(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    (void)vcpu;
    uint64_t first = __atomic_load_n(&shared->first, __ATOMIC_RELAXED);
    uint64_t last = __atomic_load_n(&shared->last, __ATOMIC_RELAXED);
    if (address < first || address > last) {
        return;
    }
    struct vt_writes_slot *slot = slot_of((uint64_t)(uintptr_t)pc);
    if (slot == NULL) {
        __atomic_add_fetch(&shared->ignored, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_add_fetch(&slot->count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&slot->bytes, UINT64_C(1) << qemu_plugin_mem_size_shift(info),
                       __ATOMIC_RELAXED);
    __atomic_store_n(&slot->last, address, __ATOMIC_RELAXED);
}

/* QEMU translates a block once and executes it often: what is done here costs little. */
#if VT_PLUGIN_API >= 7
static void on_translate(struct qemu_plugin_tb *tb, void *udata)
{
    (void)udata;
#else
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
#endif
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_mem_cb(insn, on_write, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W,
                                         (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    }
}

#if VT_PLUGIN_API >= 7
static void on_end(void *udata)
{
#else
static void on_end(qemu_plugin_id_t id, void *udata)
{
    (void)id;
#endif
    (void)udata;
    __atomic_store_n(&shared->ended, 1, __ATOMIC_RELEASE);
}

static int open_file(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "fd=", 3) == 0) {
            return (int)strtol(argv[i] + 3, NULL, 10);
        }
        if (strncmp(argv[i], "path=", 5) == 0) {
            return open(argv[i] + 5, O_RDWR | O_CLOEXEC);
        }
    }
    return -1;
}

/* Nothing in the file is believed but what is checked here, and what is checked is kept. */
static const char *map(int fd)
{
    struct vt_writes head;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || pread(fd, &head, sizeof head, 0) != sizeof head) {
        return "no file: fd=N or path=FILE";
    }
    if (memcmp(head.magic, VT_WRITES_MAGIC, sizeof head.magic) != 0 ||
        head.version != VT_WRITES_VERSION) {
        return "not such a file, or another version";
    }
    size_t bytes = sizeof head + head.slots * sizeof head.slot[0];
    if (head.slots == 0 || head.slots > SLOTS_MAX || (head.slots & (head.slots - 1)) != 0 ||
        st.st_size < (off_t)bytes) {
        return "slots: a power of two, and the file as long";
    }
    shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    mask = head.slots - 1;
    return shared != MAP_FAILED ? NULL : "the file cannot be mapped";
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    int fd = open_file(argc, argv);
    const char *why = map(fd);
    if (fd >= 0) {
        close(fd);
    }
    if (why != NULL) {
        fprintf(stderr, "vitrine-writes: %s\n", why);
        return -1;
    }
#if VT_PLUGIN_API >= 7
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
#else
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
#endif
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    __atomic_store_n(&shared->api, VT_PLUGIN_API, __ATOMIC_RELEASE);
    return 0;
}
