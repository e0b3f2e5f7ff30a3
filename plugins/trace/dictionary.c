/* plugins/trace/dictionary.c - blocks to ids.
 *
 * QEMU translates a block again whenever it flushed its cache: equal blocks (address and bytes)
 * keep their id. The table is ours alone; what it compares with lies in the segment, at places that
 * the table remembers, so that a segment written over by others costs wrong ids and no more. The
 * segment is sparse: what is written to is there before, or a full file system would end QEMU.
 */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t offset; /* of the entry, plus 1; 0: free */
    uint32_t hash;
    uint32_t id;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static size_t n_slots; /* a power of two */
static size_t n_used;
static uint8_t *dictionary;
static uint64_t size;
static uint64_t used;
static uint64_t backed; /* bytes that the file has */
static int file;
static uint64_t file_offset;

#define BACK ((uint64_t)1 << 20)

bool vt_dictionary_init(uint8_t *base, uint64_t offset, uint64_t bytes, int fd)
{
    n_slots = (size_t)1 << 16;
    slots = calloc(n_slots, sizeof *slots);
    dictionary = base + offset;
    file_offset = offset;
    file = fd;
    size = bytes;
    return slots != NULL;
}

static uint32_t hash(uint64_t h, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    }
    h ^= h >> 32;
    return (uint32_t)(h ^ h >> 15);
}

static bool grow(void)
{
    size_t n = n_slots * 2;
    struct slot *wider = calloc(n, sizeof *wider);
    if (wider == NULL) {
        return false;
    }
    for (size_t i = 0; i < n_slots; i++) {
        if (slots[i].offset != 0) {
            size_t at = slots[i].hash & (n - 1);
            while (wider[at].offset != 0) {
                at = (at + 1) & (n - 1);
            }
            wider[at] = slots[i];
        }
    }
    free(slots);
    slots = wider;
    n_slots = n;
    return true;
}

static bool equal(const struct slot *slot, const struct vt_trace_block_entry *head,
                  const uint8_t *sizes, const uint8_t *code)
{
    struct vt_trace_block_entry there;
    const uint8_t *entry = dictionary + slot->offset - 1;
    memcpy(&there, entry, sizeof there);
    return there.pc == head->pc && there.n == head->n && there.code_bytes == head->code_bytes &&
           there.bytes == head->bytes && slot->offset - 1 + head->bytes <= used &&
           memcmp(entry + sizeof there, sizes, head->n) == 0 &&
           memcmp(entry + sizeof there + head->n, code, head->code_bytes) == 0;
}

/* A file system that cannot say so is not one that is full. */
static bool back(uint64_t upto)
{
    while (backed < upto) {
        uint64_t bytes = size - backed < BACK ? size - backed : BACK;
        if (fallocate(file, 0, (off_t)(file_offset + backed), (off_t)bytes) == 0 ||
            errno == EOPNOTSUPP || errno == ENOSYS) {
            backed += bytes;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool append(struct slot *slot, uint32_t h, struct vt_trace_block_entry *head,
                   const uint8_t *sizes, const uint8_t *code)
{
    if (head->bytes > size - used || n_used == UINT32_MAX || !back(used + head->bytes)) {
        __atomic_store_n(&vt_header->dictionary_full, vt_header->dictionary_full + 1,
                         __ATOMIC_RELAXED);
        return false;
    }
    uint8_t *entry = dictionary + used;
    head->id = (uint32_t)n_used;
    memcpy(entry, head, sizeof *head);
    memcpy(entry + sizeof *head, sizes, head->n);
    memcpy(entry + sizeof *head + head->n, code, head->code_bytes);
    *slot = (struct slot){.offset = used + 1, .hash = h, .id = head->id};
    used += head->bytes;
    n_used++;
    /* Pairs with the reader's acquire: entries below are whole. Before any record names the id. */
    __atomic_store_n(&vt_header->dictionary_head, used, __ATOMIC_RELEASE);
    __atomic_store_n(&vt_header->blocks, n_used, __ATOMIC_RELEASE);
    return true;
}

bool vt_dictionary_add(struct vt_trace_block_entry *head, const uint8_t *sizes, const uint8_t *code,
                       uint32_t *id)
{
    head->bytes = (uint32_t)((sizeof *head + head->n + head->code_bytes + 7) & ~(size_t)7);
    uint32_t h = hash(head->pc * UINT64_C(0x9e3779b97f4a7c15), code, head->code_bytes);
    bool have = false;
    pthread_mutex_lock(&lock);
    if (n_used < n_slots / 2 || grow()) {
        struct slot *slot = &slots[h & (n_slots - 1)];
        while (slot->offset != 0 && (slot->hash != h || !equal(slot, head, sizes, code))) {
            slot = slot == slots + n_slots - 1 ? slots : slot + 1;
        }
        have = slot->offset != 0 || append(slot, h, head, sizes, code);
        if (have) {
            *id = slot->id;
        }
    }
    pthread_mutex_unlock(&lock);
    return have;
}
