/* plugins/trace/alias.c - at which address a block executes.
 *
 * QEMU's code is relative to the PC, and one translation serves all virtual addresses of its
 * physical page, while the interface tells the one it was made at. A block that begins has the true
 * PC in the register, and the register in memory. To ask the interface for it costs twenty
 * nanoseconds; so its place in QEMU's vCPU is found by search: the one word that agreed with what
 * the interface said at the beginnings of many blocks. From then on a block costs one comparison
 * of pages. Where no such place is found the interface is asked each time.
 */
#include "plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define WINDOW 65536 /* of QEMU's vCPU, from its beginning on */
#define CANDIDATES 64
#define ROUNDS 64 /* PCs that differ from the one before and agree */
#define ROUNDS_MAX 65536
#define ATTEMPTS 16

/* Pages of the PC register with which blocks were translated, and what x86 adds to it outside of
 * 64-bit code. Slot 0 is of blocks whose PC cannot be checked. */
uint64_t vt_alias_pages[VT_ALIAS_SLOTS] = {UINT64_MAX};
static uint32_t bases[VT_ALIAS_SLOTS];
static uint32_t n_slots = 1;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t *table; /* slots by what they hold; 0: free */
static size_t room;     /* a power of two */

const uint64_t vt_alias_nowhere = UINT64_MAX;

struct search {
    const uint8_t *cpu;
    unsigned rounds, attempts, n;
    uint32_t at[CANDIDATES];
    uint64_t last;
};
static struct search searches[VT_TRACE_VCPUS_MAX];

static size_t place_of(uint64_t page, uint32_t base)
{
    uint64_t h = (page ^ (uint64_t)base << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) & (room - 1);
}

static bool grow(void)
{
    size_t before = room;
    uint32_t *wider = calloc(before == 0 ? 4096 : before * 2, sizeof *wider);
    if (wider == NULL) {
        return false;
    }
    free(table);
    table = wider;
    room = before == 0 ? 4096 : before * 2;
    for (uint32_t slot = 1; slot < n_slots; slot++) {
        size_t at = place_of(vt_alias_pages[slot], bases[slot]);
        while (table[at] != 0) {
            at = (at + 1) & (room - 1);
        }
        table[at] = slot;
    }
    return true;
}

static uint32_t slot_of(uint64_t page, uint32_t base)
{
    uint32_t slot = 0;
    pthread_mutex_lock(&lock);
    if (n_slots < room / 2 || grow()) {
        size_t at = place_of(page, base);
        while (table[at] != 0 && (vt_alias_pages[table[at]] != page || bases[table[at]] != base)) {
            at = (at + 1) & (room - 1);
        }
        slot = table[at];
        if (slot == 0 && n_slots < VT_ALIAS_SLOTS) {
            slot = table[at] = n_slots++;
            vt_alias_pages[slot] = page;
            bases[slot] = base;
        }
    }
    pthread_mutex_unlock(&lock);
    return slot;
}

uint32_t vt_alias_slot(uint64_t pc)
{
    static _Thread_local GByteArray *bytes;
    if (bytes == NULL) {
        bytes = g_byte_array_new();
    }
    uint64_t value;
    bool narrow;
    if (!vt_arch_pc(bytes, &value, &narrow) || (!narrow && value != pc)) {
        return 0; /* aarch64 in its 32-bit state has its PC elsewhere */
    }
    return slot_of(value >> VT_ALIAS_SHIFT, narrow ? (uint32_t)(pc - value) : 0);
}

/* What the window holds of one page of memory; false: the memory ends here. */
static bool copy(const uint8_t *from, uint64_t *to, size_t bytes)
{
    struct iovec here = {.iov_base = to, .iov_len = bytes};
    struct iovec there = {.iov_base = (void *)from, .iov_len = bytes};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static void collect(struct search *s, uint64_t value)
{
    uint64_t words[512];
    s->n = 0;
    for (uint32_t at = 0; at < WINDOW;) {
        size_t bytes = sizeof words - ((uintptr_t)(s->cpu + at) & (sizeof words - 1));
        if (!copy(s->cpu + at, words, bytes)) {
            break;
        }
        for (uint32_t i = 0; i < bytes / 8 && s->n < CANDIDATES; i++) {
            if (words[i] == value) {
                s->at[s->n++] = at + i * 8;
            }
        }
        at += (uint32_t)bytes;
    }
}

static const uint64_t *word_at(const struct search *s, unsigned i)
{
    return (const uint64_t *)(const void *)(s->cpu + s->at[i]);
}

static void search(struct vt_trace_writer *w, uint64_t value)
{
    struct search *s = w->index < VT_TRACE_VCPUS_MAX ? &searches[w->index] : NULL;
    if (s == NULL || s->attempts == ATTEMPTS || value == s->last || value < WINDOW) {
        return;
    }
    s->last = value;
    if (s->rounds == 0) {
        void **current = dlsym(RTLD_DEFAULT, "current_cpu");
        s->cpu = current != NULL ? *current : NULL;
        s->attempts = s->cpu != NULL && (uintptr_t)s->cpu % 8 == 0 ? s->attempts + 1 : ATTEMPTS;
        if (s->attempts == ATTEMPTS) {
            return;
        }
        collect(s, value);
    }
    unsigned n = 0;
    for (unsigned i = 0; i < s->n; i++) {
        if (__atomic_load_n(word_at(s, i), __ATOMIC_RELAXED) == value) {
            s->at[n++] = s->at[i];
        }
    }
    s->n = n;
    s->rounds = n != 0 ? s->rounds + 1 : 0;
    if (n == 1 && s->rounds >= ROUNDS) {
        w->pc = word_at(s, 0);
    } else if (s->rounds == ROUNDS_MAX) {
        s->attempts = ATTEMPTS;
    }
}

void vt_alias_check(struct vt_trace_writer *w)
{
    uint64_t value;
    bool narrow;
    if (w->pc != &vt_alias_nowhere && vt_arch_pc(w->bytes, &value, &narrow) && value != *w->pc) {
        w->pc = &vt_alias_nowhere;
        searches[w->index].attempts = ATTEMPTS;
    }
}

int64_t vt_alias_distance(struct vt_trace_writer *w, uint32_t slot, uint64_t *pc)
{
    uint64_t value = *w->pc;
    if (slot == 0) {
        return 0;
    }
    if (w->pc == &vt_alias_nowhere) {
        bool narrow;
        if (!vt_arch_pc(w->bytes, &value, &narrow)) {
            return 0;
        }
        search(w, value);
    }
    uint64_t offset = value & ((1U << VT_ALIAS_SHIFT) - 1);
    uint64_t told = vt_alias_pages[slot] << VT_ALIAS_SHIFT | offset;
    if (bases[slot] != 0) {
        told = (uint32_t)(told + bases[slot]);
        value = (uint32_t)(value + bases[slot]);
    }
    *pc = value;
    return (int64_t)(value >> VT_ALIAS_SHIFT) - (int64_t)(told >> VT_ALIAS_SHIFT);
}
