/* machine/guest_tree.c - see guest_tree.h. */
#include "machine/guest_tree.h"

#include "base/io.h"
#include "base/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <linux/openat2.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)

static int open_in(const struct vt_guest_tree *tree, const char *file, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, tree->fd, file, &how, sizeof how);
}

/* The greatest name in `dir` that begins with `prefix`, the way versions compare. */
static bool newest(const struct vt_guest_tree *tree, const char *dir, const char *prefix, char *out,
                   size_t out_bytes)
{
    int fd = open_in(tree, dir, O_RDONLY | O_DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        vt_close(&fd);
        return false;
    }
    bool found = false;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && e->d_name[0] != '.' &&
            strlen(e->d_name) < out_bytes && (!found || strverscmp(e->d_name, out) > 0)) {
            snprintf(out, out_bytes, "%s", e->d_name);
            found = true;
        }
    }
    closedir(d);
    return found;
}

/* Up to Debian 13 the image lies in /boot, later beside its modules. */
static int find_kernel(struct vt_guest_tree *tree, struct vt_error *err)
{
    static const char vmlinuz[] = "vmlinuz-";
    char name[sizeof vmlinuz - 1 + sizeof tree->release];
    if (newest(tree, "boot", vmlinuz, name, sizeof name)) {
        snprintf(tree->release, sizeof tree->release, "%s", name + strlen(vmlinuz));
        return vt_path_format(tree->kernel, err, "boot/%s", name);
    }
    if (newest(tree, "usr/lib/modules", "", tree->release, sizeof tree->release)) {
        return vt_path_format(tree->kernel, err, "usr/lib/modules/%s/vmlinuz", tree->release);
    }
    return vt_fail(err, VT_E_NOT_FOUND, "%s holds no kernel (tools/setup guest makes it)",
                   tree->path);
}

int vt_guest_tree_open(const char *path, struct vt_guest_tree *tree, struct vt_error *err)
{
    struct vt_guest_tree t = {.fd = -1};
    int rc = vt_path_format(t.path, err, "%s", path);
    if (rc != 0) {
        return rc;
    }
    t.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (t.fd < 0) {
        return errno == ENOENT ? vt_fail(err, VT_E_NOT_FOUND,
                                         "%s is not there (tools/setup guest makes it)", path)
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    rc = find_kernel(&t, err);
    if (rc != 0) {
        vt_close(&t.fd);
        return rc;
    }
    *tree = t;
    return 0;
}

void vt_guest_tree_close(struct vt_guest_tree *tree)
{
    vt_close(&tree->fd);
}

static int read_file(const struct vt_guest_tree *tree, const char *file, uint8_t **bytes,
                     size_t *size, struct vt_error *err)
{
    int fd = open_in(tree, file, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s/%s", tree->path, file);
        vt_close(&fd);
        return rc;
    }
    int rc = 0;
    uint8_t *buf = NULL;
    if (!S_ISREG(st.st_mode)) {
        rc = vt_fail(err, VT_E_INVAL, "%s/%s is not a file", tree->path, file);
    } else if ((uint64_t)st.st_size > FILE_BYTES_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "%s/%s is larger than 256 MiB", tree->path, file);
    } else {
        buf = malloc((size_t)st.st_size + 1);
        rc = buf == NULL ? vt_fail(err, VT_E_NOMEM, "%s: out of memory", file)
                         : vt_read_all(fd, buf, (size_t)st.st_size, file, err);
    }
    vt_close(&fd);
    if (rc != 0) {
        free(buf);
        return rc;
    }
    buf[st.st_size] = '\0';
    *bytes = buf;
    *size = (size_t)st.st_size;
    return 0;
}

/* The buffer grows fourfold: a module unpacks to some four times its size. */
static int unpack_xz(const uint8_t *packed, size_t packed_bytes, const char *file, uint8_t **bytes,
                     size_t *size, struct vt_error *err)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    uint8_t *buf = NULL;
    size_t room = packed_bytes;
    lzma_ret got = lzma_stream_decoder(&stream, FILE_BYTES_MAX, 0);
    stream.next_in = packed;
    stream.avail_in = packed_bytes;
    while (got == LZMA_OK && room < FILE_BYTES_MAX) {
        room = room < FILE_BYTES_MAX / 4 ? room * 4 : FILE_BYTES_MAX;
        uint8_t *larger = realloc(buf, room + 1);
        if (larger == NULL) {
            got = LZMA_MEM_ERROR;
            break;
        }
        buf = larger;
        stream.next_out = buf + stream.total_out;
        stream.avail_out = room - stream.total_out;
        got = lzma_code(&stream, LZMA_FINISH);
        // A full buffer only: what was cut short stays short of input.
        got = got == LZMA_BUF_ERROR && stream.avail_out == 0 ? LZMA_OK : got;
    }
    size_t n = stream.total_out;
    lzma_end(&stream);
    if (got != LZMA_STREAM_END || buf == NULL) {
        free(buf);
        return got == LZMA_MEM_ERROR ? vt_fail(err, VT_E_NOMEM, "%s: out of memory", file)
               : got == LZMA_OK      ? vt_fail(err, VT_E_LIMIT, "%s is larger than 256 MiB", file)
                                     : vt_fail(err, VT_E_CORRUPT, "%s is damaged", file);
    }
    buf[n] = '\0';
    *bytes = buf;
    *size = n;
    return 0;
}

int vt_guest_tree_read(const struct vt_guest_tree *tree, const char *file, uint8_t **bytes,
                       size_t *size, struct vt_error *err)
{
    char path[PATH_MAX];
    struct vt_error why;
    uint8_t *packed;
    size_t packed_bytes;
    int rc = read_file(tree, file, bytes, size, err);
    if (rc != VT_E_NOT_FOUND || vt_path_format(path, &why, "%s.xz", file) != 0 ||
        read_file(tree, path, &packed, &packed_bytes, &why) != 0) {
        return rc;
    }
    rc = unpack_xz(packed, packed_bytes, path, bytes, size, err);
    free(packed);
    return rc;
}

static Elf *elf_of(uint8_t *bytes, size_t size)
{
    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)bytes, size);
    if (elf != NULL && elf_kind(elf) != ELF_K_ELF) {
        elf_end(elf);
        elf = NULL;
    }
    return elf;
}

static Elf_Data *section_data(Elf *elf, const char *name, GElf_Shdr *header)
{
    size_t names;
    if (elf_getshdrstrndx(elf, &names) != 0) {
        return NULL;
    }
    for (Elf_Scn *s = elf_nextscn(elf, NULL); s != NULL; s = elf_nextscn(elf, s)) {
        const char *here =
            gelf_getshdr(s, header) != NULL ? elf_strptr(elf, names, header->sh_name) : NULL;
        if (here != NULL && strcmp(here, name) == 0) {
            return elf_getdata(s, NULL);
        }
    }
    return NULL;
}

static int copy_name(char out[VT_GUEST_NAME_MAX], const char *name, const char *what,
                     struct vt_error *err)
{
    if (name == NULL || strlen(name) >= VT_GUEST_NAME_MAX) {
        return vt_fail(err, VT_E_CORRUPT, "%s: a name in it is broken", what);
    }
    memcpy(out, name, strlen(name) + 1);
    return 0;
}

static int read_interpreter(Elf *elf, const uint8_t *bytes, size_t size, const char *what,
                            char out[VT_GUEST_NAME_MAX], struct vt_error *err)
{
    size_t n;
    if (elf_getphdrnum(elf, &n) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "%s: %s", what, elf_errmsg(-1));
    }
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr ph;
        if (gelf_getphdr(elf, (int)i, &ph) == NULL || ph.p_type != PT_INTERP) {
            continue;
        }
        if (ph.p_offset >= size || ph.p_filesz > size - ph.p_offset || ph.p_filesz == 0 ||
            bytes[ph.p_offset + ph.p_filesz - 1] != '\0') {
            return vt_fail(err, VT_E_CORRUPT, "%s: its interpreter lies outside it", what);
        }
        return copy_name(out, (const char *)bytes + ph.p_offset, what, err);
    }
    return 0;
}

static int read_needed(Elf *elf, const char *what, struct vt_guest_needs *needs,
                       struct vt_error *err)
{
    GElf_Shdr header;
    Elf_Data *data = section_data(elf, ".dynamic", &header);
    if (data == NULL || header.sh_entsize == 0) {
        return 0;
    }
    for (size_t i = 0; i < header.sh_size / header.sh_entsize; i++) {
        GElf_Dyn dyn;
        if (gelf_getdyn(data, (int)i, &dyn) == NULL || dyn.d_tag != DT_NEEDED) {
            continue;
        }
        if (needs->n == VT_GUEST_NEEDS_MAX) {
            return vt_fail(err, VT_E_LIMIT, "%s needs too many libraries", what);
        }
        int rc = copy_name(needs->name[needs->n], elf_strptr(elf, header.sh_link, dyn.d_un.d_val),
                           what, err);
        if (rc != 0) {
            return rc;
        }
        needs->n++;
    }
    return 0;
}

int vt_guest_elf_needs(uint8_t *bytes, size_t size, const char *what, struct vt_guest_needs *needs,
                       struct vt_error *err)
{
    Elf *elf = elf_of(bytes, size);
    if (elf == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "%s is not an ELF file", what);
    }
    struct vt_guest_needs found = {0};
    int rc = read_interpreter(elf, bytes, size, what, found.interpreter, err);
    rc = rc != 0 ? rc : read_needed(elf, what, &found, err);
    elf_end(elf);
    if (rc == 0) {
        *needs = found;
    }
    return rc;
}

/* .modinfo is a run of zero-terminated "key=value". */
const char *vt_guest_modinfo(uint8_t *bytes, size_t size, const char *key, size_t *at)
{
    const char *found = NULL;
    GElf_Shdr header;
    Elf *elf = elf_of(bytes, size);
    Elf_Data *data = elf != NULL ? section_data(elf, ".modinfo", &header) : NULL;
    size_t n = data != NULL ? data->d_size : 0, key_len = strlen(key);
    const char *text = n > 0 ? data->d_buf : "";
    while (found == NULL && *at < n) {
        const char *here = text + *at;
        size_t len = strnlen(here, n - *at);
        if (len == n - *at) {
            break;
        }
        *at += len + 1;
        if (len > key_len && strncmp(here, key, key_len) == 0 && here[key_len] == '=') {
            found = here + key_len + 1;
        }
    }
    elf_end(elf);
    return found;
}
