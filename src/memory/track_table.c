/* memory/track_table.c - making, mapping and filling the epoch table. See track_table.h. */
#include "memory/track_table.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct vt_table_header) <= VT_PAGE_BYTES, "the header is one page");

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1);
}

/* Sets everything but the mapping. */
static int lay_out(struct vt_table *table, uint64_t ram_bytes, uint64_t *groups_bytes,
                   struct vt_error *err)
{
    if (ram_bytes == 0 || ram_bytes > VT_TABLE_RAM_MAX || ram_bytes % VT_PAGE_BYTES != 0) {
        return vt_fail(err, VT_E_INVAL, "no epoch table for %llu bytes of RAM",
                       (unsigned long long)ram_bytes);
    }
    *table = (struct vt_table){.pages = ram_bytes >> VT_PAGE_SHIFT, .fd = -1};
    uint64_t groups = (table->pages + VT_EPOCH_GROUP - 1) / VT_EPOCH_GROUP;
    *groups_bytes = page_up(groups * sizeof(uint32_t));
    table->bytes = VT_PAGE_BYTES + *groups_bytes + page_up(table->pages * sizeof(uint32_t));
    return 0;
}

static int map(struct vt_table *table, int fd, int protection, uint64_t groups_bytes,
               struct vt_error *err)
{
    uint8_t *p = mmap(NULL, table->bytes, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (p == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, errno, "cannot map the epoch table");
    }
    table->header = (struct vt_table_header *)(void *)p;
    table->group_epochs = (uint32_t *)(void *)(p + VT_PAGE_BYTES);
    table->epochs = (uint32_t *)(void *)(p + VT_PAGE_BYTES + groups_bytes);
    return 0;
}

int vt_table_create(struct vt_table *table, uint64_t ram_bytes, struct vt_error *err)
{
    struct vt_table t;
    uint64_t groups_bytes;
    int rc = lay_out(&t, ram_bytes, &groups_bytes, err);
    if (rc != 0) {
        return rc;
    }
    t.fd = memfd_create("vitrine-epochs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (t.fd < 0 || ftruncate(t.fd, (off_t)t.bytes) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "cannot make the epoch table");
    } else {
        rc = map(&t, t.fd, PROT_READ | PROT_WRITE, groups_bytes, err);
    }
    /* Our own mapping stays writable; every later one is read-only. */
    if (rc == 0 && fcntl(t.fd, F_ADD_SEALS,
                         F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "cannot seal the epoch table");
    }
    if (rc != 0) {
        vt_table_close(&t);
        return rc;
    }
    t.header->magic = VT_TABLE_MAGIC;
    t.header->version = VT_TABLE_VERSION;
    t.header->ram_bytes = ram_bytes;
    *table = t;
    return 0;
}

int vt_table_open(struct vt_table *table, int fd, uint64_t ram_bytes, struct vt_error *err)
{
    struct vt_table t;
    uint64_t groups_bytes;
    int rc = lay_out(&t, ram_bytes, &groups_bytes, err);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != t.bytes || seals < 0 ||
        (seals & F_SEAL_SHRINK) == 0) {
        return vt_fail(err, VT_E_CORRUPT, "the tracker sent something that is no epoch table");
    }
    rc = map(&t, fd, PROT_READ, groups_bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (t.header->magic != VT_TABLE_MAGIC || t.header->version != VT_TABLE_VERSION ||
        t.header->ram_bytes != ram_bytes) {
        vt_table_close(&t);
        return vt_fail(err, VT_E_CORRUPT, "the tracker sent an epoch table of another kind");
    }
    *table = t;
    return 0;
}

void vt_table_close(struct vt_table *table)
{
    if (table->header != NULL) {
        munmap(table->header, table->bytes);
        table->header = NULL;
    }
    if (table->bytes != 0) {
        vt_close(&table->fd);
    }
}

void vt_table_start(struct vt_table *table, uint32_t tick)
{
    atomic_store_explicit(&table->header->started, tick, memory_order_relaxed);
    /* Before any mark is cleared: who then misses a mark finds `started` moved (vt_track_started).
     */
    atomic_thread_fence(memory_order_seq_cst);
}

void vt_table_mark(struct vt_table *table, uint64_t first, uint64_t end, uint32_t tick)
{
    for (uint64_t i = first; i < end; i++) {
        __atomic_store_n(&table->epochs[i], tick, __ATOMIC_RELAXED);
    }
    for (uint64_t g = first / VT_EPOCH_GROUP; g * VT_EPOCH_GROUP < end; g++) {
        __atomic_store_n(&table->group_epochs[g], tick, __ATOMIC_RELAXED);
    }
}

void vt_table_publish(struct vt_table *table, uint32_t tick, uint64_t dirty_pages, uint64_t scan_ns,
                      uint64_t now_ns)
{
    struct vt_table_header *h = table->header;
    uint32_t turn = atomic_load_explicit(&h->stats_turn, memory_order_relaxed);
    atomic_store_explicit(&h->stats_turn, turn + 1, memory_order_relaxed);
    /* Release on each number: who sees one of them sees the odd turn too (seqlock, writer's side;
     * the reader's side is vt_track_stats). */
    if (tick > 1) {
        atomic_fetch_add_explicit(&h->dirty_pages_total, dirty_pages, memory_order_release);
    }
    atomic_store_explicit(&h->last_dirty_pages, dirty_pages, memory_order_release);
    atomic_store_explicit(&h->last_scan_ns, scan_ns, memory_order_release);
    atomic_fetch_add_explicit(&h->scan_ns_total, scan_ns, memory_order_release);
    atomic_store_explicit(&h->last_scan_at_ns, now_ns, memory_order_release);
    /* Pairs with vt_track_tick's acquire: the epochs up to `tick` are visible with it. */
    atomic_store_explicit(&h->tick, tick, memory_order_release);
    atomic_store_explicit(&h->stats_turn, turn + 2, memory_order_release);
}

static bool newer(const uint32_t *epoch, uint32_t since)
{
    return __atomic_load_n(epoch, __ATOMIC_RELAXED) > since;
}

bool vt_table_next(const struct vt_table *t, uint32_t since, uint64_t from, uint64_t *first,
                   uint64_t *end)
{
    uint64_t page = from;
    while (page < t->pages && !newer(&t->epochs[page], since)) {
        page++;
        while (page % VT_EPOCH_GROUP == 0 && page < t->pages &&
               !newer(&t->group_epochs[page / VT_EPOCH_GROUP], since)) {
            page += VT_EPOCH_GROUP;
        }
    }
    if (page >= t->pages) {
        return false;
    }
    *first = page++;
    while (page < t->pages && newer(&t->epochs[page], since)) {
        page++;
    }
    *end = page;
    return true;
}
