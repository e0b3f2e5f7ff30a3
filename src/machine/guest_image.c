/* machine/guest_image.c - the recipe, line by line, into a cpio archive, and that into the cache.
 *
 * A recipe line is a word and its operands (guests/linux/recipe says which). `elf` pulls in shared
 * libraries, `module` kernel modules: both walk a worklist in which each name stands once.
 */
#include "machine/guest_image.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "machine/cpio.h"
#include "machine/guest_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX 5
#define MODULES_MAX 64
#define EXTRA_BYTES_MAX ((size_t)64 << 20)

/* Modules in the order the worklist met them; what each needs is a set of earlier or later ones. */
struct module {
    char name[VT_GUEST_NAME_MAX]; /* '-' written as '_' */
    char path[PATH_MAX];          /* below the release's directory; empty: built in */
    bool wanted;                  /* named by the recipe, not only needed */
    uint64_t needs;               /* bit i: modules[i], directly; in the end with all they need */
    uint8_t *bytes;
    size_t size;
};

struct build {
    struct vt_guest_tree tree;   /* the programs */
    struct vt_guest_tree kernel; /* the kernel and its modules */
    struct vt_cpio cpio;
    struct module modules[MODULES_MAX];
    unsigned n_modules;
    char append[sizeof((struct vt_guest_image *)NULL)->append];
};

/* ---------------------------------------------------------------- recipe words */

static int parse_mode(const char *text, mode_t *mode, struct vt_error *err)
{
    char *end;
    unsigned long v = strtoul(text, &end, 8);
    if (*end != '\0' || end == text || v > 07777) {
        return vt_fail(err, VT_E_CORRUPT, "recipe: '%s' is not a mode", text);
    }
    *mode = (mode_t)v;
    return 0;
}

static int do_dir(struct build *b, char *const *w, struct vt_error *err)
{
    mode_t mode;
    int rc = parse_mode(w[2], &mode, err);
    return rc != 0 ? rc : vt_cpio_add(&b->cpio, w[1], S_IFDIR | mode, NULL, 0, err);
}

static int do_node(struct build *b, char *const *w, struct vt_error *err)
{
    mode_t mode;
    uint64_t major, minor;
    int rc = parse_mode(w[2], &mode, err);
    rc = rc != 0 ? rc : vt_parse_u64(w[3], &major, err);
    rc = rc != 0 ? rc : vt_parse_u64(w[4], &minor, err);
    return rc != 0 ? rc
                   : vt_cpio_add_device(&b->cpio, w[1], S_IFCHR | mode, (unsigned)major,
                                        (unsigned)minor, err);
}

static int do_link(struct build *b, char *const *w, struct vt_error *err)
{
    return vt_cpio_add(&b->cpio, w[1], S_IFLNK | 0777, w[2], strlen(w[2]), err);
}

static int do_applets(struct build *b, char *const *w, struct vt_error *err)
{
    static const char target[] = "busybox";
    char path[PATH_MAX];
    int rc = 0;
    for (const char *name = w[1]; rc == 0 && *name != '\0';) {
        size_t len = strcspn(name, " ");
        rc = vt_path_format(path, err, "/bin/%.*s", (int)len, name);
        rc =
            rc != 0 ? rc : vt_cpio_add(&b->cpio, path, S_IFLNK | 0777, target, strlen(target), err);
        name += len + strspn(name + len, " ");
    }
    return rc;
}

static const struct vt_embedded *embedded(const char *name)
{
    for (const struct vt_embedded *f = vt_guest_files; f->name != NULL; f++) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static int do_own(struct build *b, char *const *w, struct vt_error *err)
{
    mode_t mode;
    const struct vt_embedded *f = embedded(w[3]);
    if (f == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "recipe: no file '%s' of our own", w[3]);
    }
    int rc = parse_mode(w[2], &mode, err);
    return rc != 0 ? rc : vt_cpio_add(&b->cpio, w[1], S_IFREG | mode, f->bytes, f->size, err);
}

/* Where Debian's dynamic loader looks, in its order. A library keeps its place. */
static int add_library(struct build *b, const char *name, uint8_t **bytes, size_t *size,
                       struct vt_error *err)
{
    static const char *const places[] = {"lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib",
                                         "usr/lib"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[PATH_MAX];
        int rc = vt_path_format(path, err, "/%s/%s", places[i], name);
        if (rc != 0) {
            return rc;
        }
        struct vt_error why;
        rc = vt_guest_tree_read(&b->tree, path + 1, bytes, size, &why);
        if (rc == VT_E_NOT_FOUND) {
            continue;
        }
        if (rc != 0) {
            return vt_fail(err, why.code, "%s", why.message);
        }
        rc = vt_cpio_has(&b->cpio, path)
                 ? 0 /* another program's, too */
                 : vt_cpio_add(&b->cpio, path, S_IFREG | 0755, *bytes, *size, err);
        if (rc != 0) {
            free(*bytes);
        }
        return rc;
    }
    return vt_fail(err, VT_E_NOT_FOUND, "%s: no library %s in it (tools/setup guest)", b->tree.path,
                   name);
}

/* Library names that are in the image or wait for it. */
struct libraries {
    char name[VT_GUEST_NEEDS_MAX * 2][VT_GUEST_NAME_MAX];
    unsigned n;
};

/* The interpreter is a library too, but in memory before any other: it needs no second copy. */
static int want_libraries(struct libraries *libs, const struct vt_guest_needs *needs,
                          const char *interpreter, struct vt_error *err)
{
    const char *slash = strrchr(interpreter, '/');
    for (unsigned i = 0; i < needs->n; i++) {
        unsigned j = 0;
        if (slash != NULL && strcmp(slash + 1, needs->name[i]) == 0) {
            continue;
        }
        while (j < libs->n && strcmp(libs->name[j], needs->name[i]) != 0) {
            j++;
        }
        if (j == sizeof libs->name / sizeof libs->name[0]) {
            return vt_fail(err, VT_E_LIMIT, "recipe: a program needs too many libraries");
        }
        if (j == libs->n) {
            memcpy(libs->name[libs->n++], needs->name[i], VT_GUEST_NAME_MAX);
        }
    }
    return 0;
}

static int add_needed(struct build *b, const struct vt_guest_needs *first, struct vt_error *err)
{
    struct libraries libs = {.n = 0};
    int rc = want_libraries(&libs, first, first->interpreter, err);
    for (unsigned i = 0; rc == 0 && i < libs.n; i++) {
        uint8_t *bytes;
        size_t size;
        struct vt_guest_needs needs;
        rc = add_library(b, libs.name[i], &bytes, &size, err);
        if (rc == 0) {
            rc = vt_guest_elf_needs(bytes, size, libs.name[i], &needs, err);
            rc = rc != 0 ? rc : want_libraries(&libs, &needs, first->interpreter, err);
            free(bytes);
        }
    }
    return rc;
}

/* The interpreter is named by an absolute path; every dynamic program has the same. */
static int add_interpreter(struct build *b, const char *path, struct vt_error *err)
{
    uint8_t *bytes;
    size_t size;
    if (path[0] == '\0' || vt_cpio_has(&b->cpio, path)) {
        return 0;
    }
    int rc = vt_guest_tree_read(&b->tree, path, &bytes, &size, err);
    if (rc == 0) {
        rc = vt_cpio_add(&b->cpio, path, S_IFREG | 0755, bytes, size, err);
        free(bytes);
    }
    return rc;
}

static int do_elf(struct build *b, char *const *w, struct vt_error *err)
{
    mode_t mode;
    uint8_t *bytes;
    size_t size;
    struct vt_guest_needs needs;
    int rc = parse_mode(w[2], &mode, err);
    rc = rc != 0 ? rc : vt_guest_tree_read(&b->tree, w[3], &bytes, &size, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_guest_elf_needs(bytes, size, w[3], &needs, err);
    rc = rc != 0 ? rc : vt_cpio_add(&b->cpio, w[1], S_IFREG | mode, bytes, size, err);
    rc = rc != 0 ? rc : add_interpreter(b, needs.interpreter, err);
    rc = rc != 0 ? rc : add_needed(b, &needs, err);
    free(bytes);
    return rc;
}

static int do_file(struct build *b, char *const *w, struct vt_error *err)
{
    mode_t mode;
    uint8_t *bytes;
    size_t size;
    int rc = parse_mode(w[2], &mode, err);
    rc = rc != 0 ? rc : vt_guest_tree_read(&b->tree, w[3], &bytes, &size, err);
    if (rc == 0) {
        rc = vt_cpio_add(&b->cpio, w[1], S_IFREG | mode, bytes, size, err);
        free(bytes);
    }
    return rc;
}

static int do_append(struct build *b, char *const *w, struct vt_error *err)
{
    if (strlen(w[1]) >= sizeof b->append) {
        return vt_fail(err, VT_E_CORRUPT, "recipe: the command line is too long");
    }
    memcpy(b->append, w[1], strlen(w[1]) + 1);
    return 0;
}

/* ---------------------------------------------------------------- kernel modules */

/* The index of module `name` (`len` bytes), put on the worklist when it is new. */
static int want_module(struct build *b, const char *name, size_t len, unsigned *index,
                       struct vt_error *err)
{
    char key[VT_GUEST_NAME_MAX];
    if (len == 0 || len >= sizeof key) {
        return vt_fail(err, VT_E_CORRUPT, "recipe: a module's name is empty or too long");
    }
    for (size_t i = 0; i < len; i++) {
        key[i] = name[i] == '-' ? '_' : name[i];
    }
    key[len] = '\0';
    for (unsigned i = 0; i < b->n_modules; i++) {
        if (strcmp(b->modules[i].name, key) == 0) {
            *index = i;
            return 0;
        }
    }
    if (b->n_modules == MODULES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "recipe: more than %d modules", MODULES_MAX);
    }
    memcpy(b->modules[b->n_modules].name, key, len + 1);
    *index = b->n_modules++;
    return 0;
}

static int add_module(struct build *b, const char *name, struct vt_error *err)
{
    unsigned i;
    int rc = want_module(b, name, strlen(name), &i, err);
    if (rc == 0) {
        b->modules[i].wanted = true;
    }
    return rc;
}

static int do_module(struct build *b, char *const *w, struct vt_error *err)
{
    return add_module(b, w[1], err);
}

/* Whether a path of modules.order ("kernel/…/virtio-rng.ko") is the module called `key`. */
static bool path_is_module(const char *path, size_t len, const char *key)
{
    const char *slash = memrchr(path, '/', len);
    const char *name = slash != NULL ? slash + 1 : path;
    size_t key_len = strlen(key);
    if ((size_t)(path + len - name) != key_len + 3 || strncmp(name + key_len, ".ko", 3) != 0) {
        return false;
    }
    for (size_t i = 0; i < key_len; i++) {
        if ((name[i] == '-' ? '_' : name[i]) != key[i]) {
            return false;
        }
    }
    return true;
}

/* Finds the line of `list` that names module `key`; returns its length, 0 when there is none. */
static size_t find_line(const char *list, const char *key, const char **line)
{
    while (*list != '\0') {
        size_t len = strcspn(list, "\n");
        if (path_is_module(list, len, key)) {
            *line = list;
            return len;
        }
        list += len + (list[len] == '\n');
    }
    return 0;
}

static int read_list(const struct build *b, const char *name, uint8_t **text, struct vt_error *err)
{
    char path[PATH_MAX];
    size_t size;
    int rc = vt_path_format(path, err, "lib/modules/%s/%s", b->kernel.release, name);
    return rc != 0 ? rc : vt_guest_tree_read(&b->kernel, path, text, &size, err);
}

static int read_module(struct build *b, unsigned i, struct vt_error *err)
{
    struct module *m = &b->modules[i];
    char path[PATH_MAX];
    int rc = vt_path_format(path, err, "lib/modules/%s/%s", b->kernel.release, m->path);
    rc = rc != 0 ? rc : vt_guest_tree_read(&b->kernel, path, &m->bytes, &m->size, err);
    if (rc != 0) {
        return rc;
    }
    size_t at = 0;
    const char *depends = vt_guest_modinfo(m->bytes, m->size, "depends", &at);
    while (rc == 0 && depends != NULL && *depends != '\0') {
        unsigned index;
        size_t len = strcspn(depends, ",");
        rc = want_module(b, depends, len, &index, err);
        if (rc == 0) {
            m->needs |= UINT64_C(1) << index;
            depends += len + (depends[len] == ',');
        }
    }
    return rc;
}

static int read_modules(struct build *b, const char *order, const char *builtin,
                        struct vt_error *err)
{
    for (unsigned i = 0; i < b->n_modules; i++) {
        const char *line;
        size_t len = find_line(order, b->modules[i].name, &line);
        if (len > 0) {
            int rc = vt_path_format(b->modules[i].path, err, "%.*s", (int)len, line);
            rc = rc != 0 ? rc : read_module(b, i, err);
            if (rc != 0) {
                return rc;
            }
        } else if (find_line(builtin, b->modules[i].name, &line) == 0) {
            return vt_fail(err, VT_E_NOT_FOUND, "kernel %s has no module %s", b->kernel.release,
                           b->modules[i].name);
        }
    }
    return 0;
}

/* Closes `needs` over itself: a fixed point, reached in at most n rounds. */
static void close_needs(struct build *b)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned i = 0; i < b->n_modules; i++) {
            uint64_t all = b->modules[i].needs;
            for (unsigned j = 0; j < b->n_modules; j++) {
                all |= (all >> j & 1) != 0 ? b->modules[j].needs : 0;
            }
            changed |= all != b->modules[i].needs;
            b->modules[i].needs = all;
        }
    }
}

/* modprobe loads what follows the colon from right to left, so the one that needs most comes first:
 * a module has strictly more needs than any it needs. */
static void print_needs(const struct build *b, uint64_t needs, FILE *out)
{
    while (needs != 0) {
        unsigned most = 0;
        int most_bits = -1;
        for (unsigned j = 0; j < b->n_modules; j++) {
            int bits = __builtin_popcountll(b->modules[j].needs);
            if ((needs >> j & 1) != 0 && bits > most_bits) {
                most = j;
                most_bits = bits;
            }
        }
        needs &= ~(UINT64_C(1) << most);
        if (b->modules[most].path[0] != '\0') {
            fprintf(out, " %s", b->modules[most].path);
        }
    }
}

static void print_aliases(const struct module *m, FILE *out)
{
    size_t at = 0;
    for (const char *a = vt_guest_modinfo(m->bytes, m->size, "alias", &at); a != NULL;
         a = vt_guest_modinfo(m->bytes, m->size, "alias", &at)) {
        fprintf(out, "alias %s %s\n", a, m->name);
    }
}

enum list { LIST_DEP, LIST_ALIAS, LIST_WANTED };

/* One of modprobe's two tables, or /etc/modules: what the recipe names. */
static int add_list(struct build *b, enum list which, const char *path, struct vt_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "initramfs: out of memory");
    }
    for (unsigned i = 0; i < b->n_modules; i++) {
        const struct module *m = &b->modules[i];
        if (m->path[0] == '\0') {
            continue;
        }
        if (which == LIST_ALIAS) {
            print_aliases(m, out);
        } else if (which == LIST_DEP) {
            fprintf(out, "%s:", m->path);
            print_needs(b, m->needs, out);
            fputc('\n', out);
        } else if (m->wanted) {
            fprintf(out, "%s\n", m->name);
        }
    }
    int rc = fclose(out) != 0 ? vt_fail(err, VT_E_NOMEM, "initramfs: out of memory")
                              : vt_cpio_add(&b->cpio, path, S_IFREG | 0644, text, size, err);
    free(text);
    return rc;
}

static int add_modules(struct build *b, struct vt_error *err)
{
    char path[PATH_MAX];
    uint8_t *order = NULL, *builtin = NULL;
    int rc = read_list(b, "modules.order", &order, err);
    rc = rc != 0 ? rc : read_list(b, "modules.builtin", &builtin, err);
    rc = rc != 0 ? rc : read_modules(b, (const char *)order, (const char *)builtin, err);
    free(order);
    free(builtin);
    for (unsigned i = 0; rc == 0 && i < b->n_modules; i++) {
        const struct module *m = &b->modules[i];
        if (m->path[0] != '\0') {
            rc = vt_path_format(path, err, "/lib/modules/%s/%s", b->kernel.release, m->path);
            rc = rc != 0 ? rc : vt_cpio_add(&b->cpio, path, S_IFREG | 0644, m->bytes, m->size, err);
        }
    }
    close_needs(b);
    rc = rc != 0 ? rc : vt_path_format(path, err, "/lib/modules/%s/modules.dep", b->kernel.release);
    rc = rc != 0 ? rc : add_list(b, LIST_DEP, path, err);
    rc = rc != 0 ? rc
                 : vt_path_format(path, err, "/lib/modules/%s/modules.alias", b->kernel.release);
    rc = rc != 0 ? rc : add_list(b, LIST_ALIAS, path, err);
    return rc != 0 ? rc : add_list(b, LIST_WANTED, "/etc/modules", err);
}

/* ---------------------------------------------------------------- the recipe */

static const struct word {
    const char *name;
    unsigned n; /* words on the line, this one included */
    bool rest;  /* the last one is the rest of the line, spaces and all */
    int (*run)(struct build *b, char *const *words, struct vt_error *err);
} words[] = {
    {"append", 2, true, do_append},  {"applets", 2, true, do_applets}, {"dir", 3, false, do_dir},
    {"elf", 4, false, do_elf},       {"file", 4, false, do_file},      {"link", 3, false, do_link},
    {"module", 2, false, do_module}, {"node", 5, false, do_node},      {"own", 4, false, do_own},
};

static const struct word *find_word(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].name) == len && strncmp(words[i].name, text, len) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

static int follow_line(struct build *b, char *line, struct vt_error *err)
{
    char *split[WORDS_MAX];
    char *at = line + strspn(line, " ");
    if (*at == '\0' || *at == '#') {
        return 0;
    }
    const struct word *word = find_word(at, strcspn(at, " "));
    if (word == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "recipe: unknown word in '%s'", line);
    }
    unsigned n = 0;
    while (n < word->n && *at != '\0') {
        size_t len = n + 1 == word->n && word->rest ? strlen(at) : strcspn(at, " ");
        split[n++] = at;
        at += len;
        if (*at != '\0') {
            *at++ = '\0';
            at += strspn(at, " ");
        }
    }
    if (n != word->n || *at != '\0') {
        return vt_fail(err, VT_E_CORRUPT, "recipe: '%s' wants %u operands", word->name,
                       word->n - 1);
    }
    return word->run(b, split, err);
}

static int follow_recipe(struct build *b, const char *name, struct vt_error *err)
{
    const struct vt_embedded *recipe = embedded(name);
    char *text = recipe != NULL ? strndup((const char *)recipe->bytes, recipe->size) : NULL;
    if (text == NULL) {
        return vt_fail(err, VT_E_NOMEM, "recipe: out of memory");
    }
    int rc = 0;
    char *at = text;
    for (char *line = strsep(&at, "\n"); rc == 0 && line != NULL; line = strsep(&at, "\n")) {
        rc = follow_line(b, line, err);
    }
    free(text);
    return rc;
}

/* "FILE" or "FILE:PATH": a host's file, executable when it is one there. */
static int add_file(struct build *b, const char *what, struct vt_error *err)
{
    char file[PATH_MAX], path[PATH_MAX], *bytes;
    size_t size;
    const char *colon = strrchr(what, ':');
    const int len = colon != NULL ? (int)(colon - what) : (int)strlen(what);
    const char *slash = memrchr(what, '/', (size_t)len);
    const char *name = slash != NULL ? slash + 1 : what;
    int rc = vt_path_format(file, err, "%.*s", len, what);
    rc = rc != 0         ? rc
         : colon != NULL ? vt_path_format(path, err, "%s", colon + 1)
                         : vt_path_format(path, err, "/bin/%.*s", (int)(what + len - name), name);
    if (rc == 0 && path[0] != '/') {
        rc = vt_fail(err, VT_E_INVAL, "'%s': the path in the guest begins with a slash", what);
    }
    rc = rc != 0 ? rc : vt_read_file(file, EXTRA_BYTES_MAX, &bytes, &size, err);
    if (rc == 0) {
        const mode_t mode = access(file, X_OK) == 0 ? 0755 : 0644;
        rc = vt_cpio_add(&b->cpio, path, S_IFREG | mode, bytes, size, err);
        free(bytes);
    }
    return rc;
}

static int add_wants(struct build *b, const struct vt_guest_wants *wants, struct vt_error *err)
{
    int rc = 0;
    for (const char **f = wants->files; rc == 0 && f != NULL && *f != NULL; f++) {
        rc = add_file(b, *f, err);
    }
    for (const char **m = wants->modules; rc == 0 && m != NULL && *m != NULL; m++) {
        rc = add_module(b, *m, err);
    }
    return rc;
}

int vt_guest_initramfs(const char *source, const struct vt_guest_wants *wants,
                       struct vt_guest_image *image, uint8_t **bytes, size_t *size,
                       struct vt_error *err)
{
    static const struct vt_guest_wants nothing;
    struct build *b = calloc(1, sizeof *b);
    wants = wants != NULL ? wants : &nothing;
    if (b == NULL) {
        return vt_fail(err, VT_E_NOMEM, "initramfs: out of memory");
    }
    vt_cpio_init(&b->cpio);
    b->tree.fd = b->kernel.fd = -1;
    char kernel[PATH_MAX];
    const char *kernel_tree = wants->kernel_tree != NULL ? wants->kernel_tree : source;
    int rc = vt_guest_tree_open(source, &b->tree, err);
    rc = rc != 0 ? rc : vt_guest_tree_open(kernel_tree, &b->kernel, err);
    rc = rc != 0 ? rc : vt_path_format(kernel, err, "%s/%s", kernel_tree, b->kernel.kernel);
    rc = rc != 0 ? rc : follow_recipe(b, "recipe", err);
    rc = rc != 0 || !wants->mesa ? rc : follow_recipe(b, "recipe.mesa", err);
    rc = rc != 0 ? rc : add_wants(b, wants, err);
    rc = rc != 0 ? rc : add_modules(b, err);
    rc = rc != 0 ? rc : vt_cpio_finish(&b->cpio, bytes, size, err);
    if (rc == 0) {
        memcpy(image->kernel, kernel, sizeof kernel);
        memcpy(image->append, b->append, sizeof b->append);
    }
    vt_guest_tree_close(&b->tree);
    vt_guest_tree_close(&b->kernel);
    for (unsigned i = 0; i < b->n_modules; i++) {
        free(b->modules[i].bytes);
    }
    vt_cpio_fini(&b->cpio);
    free(b);
    return rc;
}

/* ---------------------------------------------------------------- where it is kept */

static int make(const struct vt_guest_wants *wants, struct vt_guest_image *image, uint8_t **bytes,
                size_t *size, struct vt_error *err)
{
    char cache[PATH_MAX], source[PATH_MAX];
    int rc = vt_path_cache(cache, err);
    const bool mesa = wants != NULL && wants->mesa;
    rc = rc != 0
             ? rc
             : vt_path_format(source, err, "%s/%s", cache, mesa ? "mesa-guest" : "guest-source");
    if (rc == 0 && mesa && access(source, F_OK) != 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "%s is not there: tools/setup mesa-guest", source);
    }
    return rc != 0 ? rc : vt_guest_initramfs(source, wants, image, bytes, size, err);
}

/* FNV-1a, 64 bits: a name, not a proof; what lies under it is compared byte for byte. */
static uint64_t name_of(const uint8_t *bytes, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static bool file_holds(const char *path, const uint8_t *bytes, size_t size)
{
    char *text;
    size_t n;
    if (vt_read_file(path, size, &text, &n, NULL) != 0) {
        return false;
    }
    bool same = n == size && memcmp(text, bytes, size) == 0;
    free(text);
    return same;
}

int vt_guest_default(const struct vt_guest_wants *wants, struct vt_guest_image *image,
                     struct vt_error *err)
{
    struct vt_guest_image made;
    char cache[PATH_MAX], dir[PATH_MAX];
    uint8_t *bytes;
    size_t size;
    int rc = make(wants, &made, &bytes, &size, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_path_cache(cache, err);
    rc = rc != 0 ? rc
                 : vt_path_format(dir, err, "%s/guest/%016" PRIx64, cache, name_of(bytes, size));
    rc = rc != 0 ? rc : vt_path_format(made.initrd, err, "%s/initrd", dir);
    if (rc == 0 && !file_holds(made.initrd, bytes, size)) {
        rc = vt_make_dirs(dir, 0755, err);
        rc = rc != 0 ? rc : vt_write_file_atomic(made.initrd, bytes, size, 0644, err);
    }
    free(bytes);
    if (rc == 0) {
        *image = made;
    }
    return rc;
}

static int copy_kernel(const char *from, const char *to, struct vt_error *err)
{
    char *bytes;
    size_t size;
    int rc = vt_read_file(from, (size_t)256 << 20, &bytes, &size, err);
    if (rc == 0) {
        rc = vt_write_file_atomic(to, bytes, size, 0644, err);
        free(bytes);
    }
    return rc;
}

int vt_guest_build(const char *dir, const struct vt_guest_wants *wants,
                   struct vt_guest_image *image, struct vt_error *err)
{
    struct vt_guest_image made, out;
    char append[PATH_MAX], line[sizeof made.append + 1];
    uint8_t *bytes;
    size_t size;
    int rc = make(wants, &made, &bytes, &size, err);
    if (rc != 0) {
        return rc;
    }
    out = made;
    int n = snprintf(line, sizeof line, "%s\n", made.append);
    rc = vt_path_format(out.kernel, err, "%s/kernel", dir);
    rc = rc != 0 ? rc : vt_path_format(out.initrd, err, "%s/initrd", dir);
    rc = rc != 0 ? rc : vt_path_format(append, err, "%s/append", dir);
    rc = rc != 0 ? rc : vt_make_dirs(dir, 0755, err);
    rc = rc != 0 ? rc : copy_kernel(made.kernel, out.kernel, err);
    rc = rc != 0 ? rc : vt_write_file_atomic(out.initrd, bytes, size, 0644, err);
    rc = rc != 0 ? rc : vt_write_file_atomic(append, line, (size_t)n, 0644, err);
    free(bytes);
    if (rc == 0) {
        *image = out;
    }
    return rc;
}
