/* machine/saved.c - see saved.h. */
#include "machine/saved.h"

#include "base/cursor.h"
#include "base/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "vitrine\x1a"
#define VERSION 1u
#define ALIGN 4096u
#define STREAM_LENGTH_AT 32

static uint64_t hash_of(const char *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

static void put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

int vt_saved_begin(int fd, const char *path, const json_t *about, struct vt_error *err)
{
    char *json = json_dumps(about, JSON_COMPACT);
    size_t n = json != NULL ? strlen(json) : 0;
    if (json == NULL || n > VT_SAVED_JSON_MAX) {
        free(json);
        return vt_fail(err, VT_E_LIMIT, "%s: the configuration is too long", path);
    }
    uint64_t stream_at = (VT_SAVED_HEADER_BYTES + n + ALIGN - 1) / ALIGN * ALIGN;
    uint8_t *block = calloc(1, stream_at);
    if (block == NULL) {
        free(json);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    memcpy(block, MAGIC, 8);
    put32(block + 8, VERSION);
    put32(block + 12, (uint32_t)n);
    put64(block + 16, hash_of(json, n));
    put64(block + 24, stream_at);
    memcpy(block + VT_SAVED_HEADER_BYTES, json, n);
    int rc = vt_write_all(fd, block, stream_at, path, err);
    free(block);
    free(json);
    return rc;
}

int vt_saved_finish(int fd, const char *path, struct vt_error *err)
{
    uint8_t field[8];
    struct stat st;
    if (pread(fd, field, 8, 24) != 8 || fstat(fd, &st) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    put64(field, (uint64_t)st.st_size - vt_le64(field));
    if (pwrite(fd, field, 8, STREAM_LENGTH_AT) != 8 || fsync(fd) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    return 0;
}

int vt_saved_check_header(const uint8_t header[VT_SAVED_HEADER_BYTES], uint64_t file_bytes,
                          const char *path, uint32_t *json_bytes, uint64_t *hash,
                          uint64_t *stream_at, struct vt_error *err)
{
    if (memcmp(header, MAGIC, 8) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "%s is not a saved VM", path);
    }
    uint32_t version = vt_le32(header + 8), n = vt_le32(header + 12);
    uint64_t at = vt_le64(header + 24), length = vt_le64(header + STREAM_LENGTH_AT);
    if (version != VERSION) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "%s: version %u of the format; this is for version %u", path, version,
                       VERSION);
    }
    if (length == 0 || at > file_bytes || length != file_bytes - at) {
        return vt_fail(err, VT_E_CORRUPT, "%s is cut short, or was never finished", path);
    }
    if (n == 0 || n > VT_SAVED_JSON_MAX || at % ALIGN != 0 || at < VT_SAVED_HEADER_BYTES + n) {
        return vt_fail(err, VT_E_CORRUPT, "%s: its header is damaged", path);
    }
    *json_bytes = n;
    *hash = vt_le64(header + 16);
    *stream_at = at;
    return 0;
}

int vt_saved_read(int fd, const char *path, json_t **about, struct vt_error *err)
{
    uint8_t header[VT_SAVED_HEADER_BYTES];
    uint32_t n = 0;
    uint64_t hash = 0, stream_at = 0;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof header) {
        return vt_fail(err, VT_E_CORRUPT, "%s is not a saved VM", path);
    }
    int rc = vt_read_all(fd, header, sizeof header, path, err);
    rc = rc != 0 ? rc
                 : vt_saved_check_header(header, (uint64_t)st.st_size, path, &n, &hash, &stream_at,
                                         err);
    if (rc != 0) {
        return rc;
    }
    char *json = malloc(n);
    if (json == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    rc = vt_read_all(fd, json, n, path, err);
    json_t *value = rc == 0 && hash_of(json, n) == hash ? json_loadb(json, n, 0, NULL) : NULL;
    free(json);
    if (rc == 0 && !json_is_object(value)) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s: its configuration is damaged", path);
    }
    if (rc == 0 && lseek(fd, (off_t)stream_at, SEEK_SET) < 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    if (rc != 0) {
        json_decref(value);
        return rc;
    }
    *about = value;
    return 0;
}
