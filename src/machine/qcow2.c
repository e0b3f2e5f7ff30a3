/* machine/qcow2.c - see qcow2.h.
 *
 * Four clusters of 64 KiB: header, refcount table, one refcount block (it covers 32768 clusters,
 * the rest comes when QEMU needs it), and the L1 table, which is empty and one cluster long: 8192
 * entries of 512 MiB each, so 4 TiB at most.
 */
#include "machine/qcow2.h"

#include "base/io.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_BITS 16
#define CLUSTER ((uint64_t)1 << CLUSTER_BITS)
#define L1_COVERS (CLUSTER / 8 * CLUSTER) /* what the L2 table of one L1 entry maps */

enum { AT_HEADER, AT_REFCOUNT_TABLE, AT_REFCOUNT_BLOCK, AT_L1, CLUSTERS };

struct header { /* big-endian, no padding */
    uint32_t magic, version;
    uint64_t backing_offset;
    uint32_t backing_bytes, cluster_bits;
    uint64_t size;
    uint32_t crypt_method, l1_entries;
    uint64_t l1_offset, refcount_table_offset;
    uint32_t refcount_table_clusters, n_snapshots;
    uint64_t snapshots_offset, incompatible, compatible, autoclear;
    uint32_t refcount_order, header_bytes;
};
_Static_assert(sizeof(struct header) == 104, "the header of version 3 without extensions");

static int put(int fd, unsigned cluster, const void *bytes, size_t n, const char *path,
               struct vt_error *err)
{
    if (pwrite(fd, bytes, n, (off_t)(cluster * CLUSTER)) != (ssize_t)n) {
        return vt_fail_errno(err, VT_E_IO, errno, "writing %s", path);
    }
    return 0;
}

int vt_qcow2_create(const char *path, uint64_t bytes, struct vt_error *err)
{
    if (bytes == 0 || bytes % 512 != 0 || bytes > VT_QCOW2_BYTES_MAX) {
        return vt_fail(err, VT_E_INVAL, "%s: a disk has a multiple of 512 bytes, up to 4 TiB",
                       path);
    }
    const struct header h = {
        .magic = htobe32(0x514649fb), /* "QFI\xfb" */
        .version = htobe32(3),
        .cluster_bits = htobe32(CLUSTER_BITS),
        .size = htobe64(bytes),
        .l1_entries = htobe32((uint32_t)((bytes + L1_COVERS - 1) / L1_COVERS)),
        .l1_offset = htobe64(AT_L1 * CLUSTER),
        .refcount_table_offset = htobe64(AT_REFCOUNT_TABLE * CLUSTER),
        .refcount_table_clusters = htobe32(1),
        .refcount_order = htobe32(4), /* 16 bits each */
        .header_bytes = htobe32(sizeof h),
    };
    const uint64_t table = htobe64(AT_REFCOUNT_BLOCK * CLUSTER);
    uint16_t counts[CLUSTERS];
    for (unsigned i = 0; i < CLUSTERS; i++) {
        counts[i] = htobe16(1);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    int rc = put(fd, AT_HEADER, &h, sizeof h, path, err);
    rc = rc != 0 ? rc : put(fd, AT_REFCOUNT_TABLE, &table, sizeof table, path, err);
    rc = rc != 0 ? rc : put(fd, AT_REFCOUNT_BLOCK, counts, sizeof counts, path, err);
    if (rc == 0 && ftruncate(fd, (off_t)(CLUSTERS * CLUSTER)) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "writing %s", path);
    }
    if (close(fd) != 0 && rc == 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "writing %s", path);
    }
    if (rc != 0) {
        unlink(path);
    }
    return rc;
}
