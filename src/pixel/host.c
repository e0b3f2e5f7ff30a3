/* pixel/host.c - an object file that gcc made of a program becomes an image. See host.h.
 *
 * The object's allocated sections are laid out one after the other and the relocations between
 * them, all relative to the PC, are applied: what is left depends on nothing and lies anywhere. An
 * object that wants more (a library's function, an absolute address) is refused.
 */
#include "pixel/host.h"

#include "base/paths.h"
#include "pixel/jit.h"
#include "pixel/lower.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECT_MAX ((off_t)16 << 20)
#define SECTIONS_MAX 64u
#define PAGE 4096u
#define VECTORISED_MAX 4096u /* operations: with more, gcc's vectoriser may take minutes */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct vt_jit *jit;
static struct vt_error missing;
static char compiler[96];

/* The level of x86-64 that this processor has: libgccjit does not know "native". */
static const char *level(void)
{
    return __builtin_cpu_supports("x86-64-v4")   ? "-march=x86-64-v4"
           : __builtin_cpu_supports("x86-64-v3") ? "-march=x86-64-v3"
           : __builtin_cpu_supports("x86-64-v2") ? "-march=x86-64-v2"
                                                 : "-march=x86-64";
}

/* No calls of memcpy and the like for loops that look like it, nothing that needs a runtime. */
static const char *options[] = {"-fno-strict-aliasing",
                                "-fno-tree-loop-distribute-patterns",
                                "-fno-stack-protector",
                                "-fno-asynchronous-unwind-tables",
                                "-fcf-protection=none",
                                "-falign-loops=32", /* in one line of decoded instructions */
                                "-fno-jump-tables",
                                "--param=max-completely-peel-times=8", /* of lanes */
                                "-fvisibility=hidden",
                                NULL, /* the level */
                                NULL, /* what is beyond it */
                                NULL, /* what this program is not fit for */
                                NULL};
#define N_OPTIONS (sizeof options / sizeof options[0])

static void load(void)
{
    char path[PATH_MAX];
    if (vt_path_lib(VT_JIT_MODULE, path, &missing) != 0) {
        vt_fail(&missing, VT_E_UNSUPPORTED, "no host kernels: vitrine was built without libgccjit");
        return;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    jit = module != NULL ? dlsym(module, VT_JIT_SYMBOL) : NULL;
    if (jit == NULL) {
        vt_fail(&missing, VT_E_UNSUPPORTED, "no host kernels: %s", dlerror());
        return;
    }
    options[N_OPTIONS - 4] = level();
    if (__builtin_cpu_supports("avx512vpopcntdq")) {
        options[N_OPTIONS - 3] = "-mavx512vpopcntdq";
    }
    snprintf(compiler, sizeof compiler, "libgccjit %s, %s", jit->version(), level());
}

const char *vt_pixel_compiler(void)
{
    pthread_once(&once, load);
    return jit != NULL ? compiler : "none";
}

/* ---------------------------------------------------------------- objects */

struct object {
    const uint8_t *bytes;
    size_t n;
    const Elf64_Shdr *sections;
    unsigned n_sections;
    size_t place[SECTIONS_MAX]; /* in the image, of those that are in it */
    bool placed[SECTIONS_MAX];
};

static bool inside(const struct object *o, uint64_t offset, uint64_t n)
{
    return offset <= o->n && n <= o->n - offset;
}

static int open_object(struct object *o, struct vt_error *err)
{
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)o->bytes;
    if (o->n < sizeof *h || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_type != ET_REL ||
        h->e_machine != EM_X86_64 || h->e_shentsize != sizeof(Elf64_Shdr) ||
        h->e_shnum > SECTIONS_MAX || h->e_shoff % _Alignof(Elf64_Shdr) != 0 ||
        !inside(o, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr))) {
        return vt_fail(err, VT_E_REFUSED, "the compiler made no object file of x86-64");
    }
    o->sections = (const Elf64_Shdr *)(o->bytes + h->e_shoff);
    o->n_sections = h->e_shnum;
    for (unsigned i = 0; i < o->n_sections; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        if (s->sh_type != SHT_NOBITS && !inside(o, s->sh_offset, s->sh_size)) {
            return vt_fail(err, VT_E_REFUSED, "the compiler's object file is cut");
        }
    }
    return 0;
}

static int lay_out(struct object *o, struct vt_pixel_image *image, struct vt_error *err)
{
    size_t at = 0;
    for (unsigned i = 0; i < o->n_sections; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        bool wanted = (s->sh_flags & SHF_ALLOC) != 0 && s->sh_type == SHT_PROGBITS;
        if ((s->sh_flags & SHF_WRITE) != 0 && s->sh_size != 0 && (s->sh_flags & SHF_ALLOC) != 0) {
            return vt_fail(err, VT_E_REFUSED, "the compiled kernel has data of its own");
        }
        if (wanted && s->sh_size != 0) {
            size_t align = s->sh_addralign != 0 ? s->sh_addralign : 1;
            if (align > PAGE || (align & (align - 1)) != 0 || s->sh_size > (uint64_t)OBJECT_MAX) {
                return vt_fail(err, VT_E_REFUSED, "the compiled kernel cannot be placed");
            }
            at = (at + align - 1) & ~(align - 1);
            o->place[i] = at;
            o->placed[i] = true;
            at += s->sh_size;
        }
    }
    image->bytes = calloc(1, at != 0 ? at : 1);
    image->n = at;
    if (image->bytes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a kernel of %zu bytes", at);
    }
    for (unsigned i = 0; i < o->n_sections; i++) {
        if (o->placed[i]) {
            memcpy(image->bytes + o->place[i], o->bytes + o->sections[i].sh_offset,
                   o->sections[i].sh_size);
        }
    }
    return 0;
}

/* Where a symbol lies in the image; false: outside of it. */
static bool symbol_at(const struct object *o, const Elf64_Sym *s, size_t *at)
{
    if (s->st_shndx >= o->n_sections || !o->placed[s->st_shndx] ||
        s->st_value > o->sections[s->st_shndx].sh_size) {
        return false;
    }
    *at = o->place[s->st_shndx] + s->st_value;
    return true;
}

static const Elf64_Shdr *symbols_of(const struct object *o)
{
    for (unsigned i = 0; i < o->n_sections; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        if (s->sh_type == SHT_SYMTAB && s->sh_entsize == sizeof(Elf64_Sym) &&
            s->sh_offset % _Alignof(Elf64_Sym) == 0 && s->sh_link < o->n_sections) {
            return s;
        }
    }
    return NULL;
}

static const char *name_of(const struct object *o, const Elf64_Shdr *symbols, const Elf64_Sym *s)
{
    const Elf64_Shdr *names = &o->sections[symbols->sh_link];
    const char *all = (const char *)o->bytes + names->sh_offset;
    bool ends = names->sh_size != 0 && all[names->sh_size - 1] == '\0';
    return ends && s->st_name < names->sh_size ? all + s->st_name : "?";
}

static int relocate(const struct object *o, const Elf64_Shdr *symbols, const Elf64_Shdr *list,
                    struct vt_pixel_image *image, struct vt_error *err)
{
    const Elf64_Sym *symbol = (const Elf64_Sym *)(o->bytes + symbols->sh_offset);
    const Elf64_Rela *r = (const Elf64_Rela *)(o->bytes + list->sh_offset);
    uint64_t n_symbols = symbols->sh_size / sizeof *symbol;
    for (uint64_t i = 0; i < list->sh_size / sizeof *r; i++, r++) {
        uint64_t type = ELF64_R_TYPE(r->r_info), which = ELF64_R_SYM(r->r_info);
        uint64_t room = o->sections[list->sh_info].sh_size;
        size_t to;
        if (which >= n_symbols || !symbol_at(o, &symbol[which], &to)) {
            return vt_fail(err, VT_E_REFUSED, "the compiled kernel needs %s",
                           which < n_symbols ? name_of(o, symbols, &symbol[which]) : "?");
        }
        if ((type != R_X86_64_PC32 && type != R_X86_64_PLT32) || room < 4 ||
            r->r_offset > room - 4) {
            return vt_fail(err, VT_E_REFUSED, "the compiled kernel has a relocation of type %llu",
                           (unsigned long long)type);
        }
        size_t at = o->place[list->sh_info] + r->r_offset;
        int64_t value = (int64_t)to + r->r_addend - (int64_t)at;
        int32_t word = (int32_t)value;
        memcpy(image->bytes + at, &word, sizeof word);
    }
    return 0;
}

static int find_entry(const struct object *o, const Elf64_Shdr *symbols,
                      struct vt_pixel_image *image, struct vt_error *err)
{
    const Elf64_Sym *s = (const Elf64_Sym *)(o->bytes + symbols->sh_offset);
    for (uint64_t i = 0; i < symbols->sh_size / sizeof *s; i++) {
        if (strcmp(name_of(o, symbols, &s[i]), VT_JIT_ENTRY) == 0 &&
            symbol_at(o, &s[i], &image->entry)) {
            return 0;
        }
    }
    return vt_fail(err, VT_E_REFUSED, "the compiled kernel has no entry");
}

static int link_object(const uint8_t *bytes, size_t n, struct vt_pixel_image *image,
                       struct vt_error *err)
{
    struct object o = {.bytes = bytes, .n = n};
    int rc = open_object(&o, err);
    rc = rc != 0 ? rc : lay_out(&o, image, err);
    const Elf64_Shdr *symbols = rc == 0 ? symbols_of(&o) : NULL;
    if (rc == 0 && symbols == NULL) {
        rc = vt_fail(err, VT_E_REFUSED, "the compiled kernel has no symbols");
    }
    for (unsigned i = 0; rc == 0 && i < o.n_sections; i++) {
        const Elf64_Shdr *s = &o.sections[i];
        if (s->sh_type == SHT_RELA && s->sh_info < o.n_sections && o.placed[s->sh_info]) {
            rc = s->sh_offset % _Alignof(Elf64_Rela) != 0
                     ? vt_fail(err, VT_E_REFUSED, "the compiler's object file is askew")
                     : relocate(&o, symbols, s, image, err);
        }
    }
    return rc != 0 ? rc : find_entry(&o, symbols, image, err);
}

static int link_file(const char *path, struct vt_pixel_image *image, struct vt_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > OBJECT_MAX) {
        if (fd >= 0) {
            close(fd);
        }
        return vt_fail(err, VT_E_REFUSED, "the compiler left no object file");
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, errno, "%s", path);
    }
    int rc = link_object(bytes, (size_t)st.st_size, image, err);
    munmap(bytes, (size_t)st.st_size);
    return rc;
}

/* ---------------------------------------------------------------- images */

/* What the compiler's process has to say. */
struct verdict {
    int rc;
    struct vt_error err;
};

/* Whether accesses of different iterations to one stream are to the same bytes or to others, never
 * to some of the same: gcc's vectoriser (12.2) takes accesses that are not equal for apart. */
static bool is_regular(const struct vt_pixel_program *p)
{
    uint32_t bytes[VT_PIXEL_STREAMS_MAX] = {0};
    uint64_t first[VT_PIXEL_STREAMS_MAX];
    for (uint32_t i = 0; i < p->n_insns; i++) {
        const struct vt_pixel_insn *insn = &p->insns[i];
        bool stores = insn->op == VT_PIXEL_STORE;
        if (!(stores || insn->op == VT_PIXEL_LOAD) || !p->streams[insn->stream].writes) {
            continue;
        }
        const struct vt_pixel_stream *s = &p->streams[insn->stream];
        uint32_t here = (stores ? p->insns[insn->b].bits : insn->bits) / 8U;
        if (bytes[insn->stream] == 0) {
            bytes[insn->stream] = here;
            first[insn->stream] = insn->imm;
        }
        if (here != bytes[insn->stream] || (int64_t)(insn->imm - first[insn->stream]) % here != 0 ||
            (here > 1 && (insn->a != VT_PIXEL_NONE || s->stride_input != VT_PIXEL_NONE ||
                          s->stride % here != 0))) {
            return false;
        }
    }
    return true;
}

/* The child: as if it had just begun, as far as signals go. */
static void compile_in_child(const struct vt_pixel_program *p, unsigned optimise,
                             const char *object, int to)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], SIG_DFL);
    }
    struct verdict verdict;
    memset(&verdict, 0, sizeof verdict);
    if (!is_regular(p) || p->n_insns > VECTORISED_MAX) {
        options[N_OPTIONS - 2] = "-fno-tree-vectorize";
        optimise = optimise < 2 ? optimise : 2; /* what comes after it asks the same question */
    }
    verdict.rc = jit->compile(p, optimise, options, object, &verdict.err);
    _exit(write(to, &verdict, sizeof verdict) == sizeof verdict ? 0 : 1);
}

/* gcc's driver, which libgccjit is, changes what signals do, and one that is pending as it does is
 * lost; so it is another process's. libgccjit is one thread's: each process has its own. */
static int compile_apart(const struct vt_pixel_program *p, unsigned optimise, const char *object,
                         struct vt_error *err)
{
    struct verdict verdict;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "a compiler");
    }
    pid_t child = fork();
    if (child == 0) {
        compile_in_child(p, optimise, object, ends[1]);
    }
    int failed = errno;
    close(ends[1]);
    ssize_t n = 0;
    while (child > 0 && (n = read(ends[0], &verdict, sizeof verdict)) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    if (child < 0) {
        return vt_fail_errno(err, vt_code_of_errno(failed), failed, "a compiler");
    }
    if (n != sizeof verdict) {
        return vt_fail(err, VT_E_REFUSED, "the compiler ended without a word");
    }
    if (verdict.rc != 0 && err != NULL) {
        *err = verdict.err;
    }
    return verdict.rc;
}

int vt_pixel_compile(const struct vt_pixel_program *p, unsigned optimise,
                     struct vt_pixel_image *image, struct vt_error *err)
{
    pthread_once(&once, load);
    if (jit == NULL) {
        return vt_fail(err, missing.code, "%s", missing.message);
    }
    const char *top = getenv("TMPDIR");
    char directory[PATH_MAX], object[PATH_MAX + 8];
    int length = snprintf(directory, sizeof directory, "%s/vitrine-jit-XXXXXX",
                          top != NULL && top[0] == '/' ? top : "/tmp");
    if (length >= (int)sizeof directory || mkdtemp(directory) == NULL) {
        return vt_fail_errno(err, VT_E_IO, errno, "a directory for the compiler");
    }
    snprintf(object, sizeof object, "%s/kernel", directory);
    struct vt_pixel_program plain;
    int rc = vt_pixel_lower(p, VT_LOWER_PACKED, &plain, err);
    if (rc == 0) {
        rc = compile_apart(&plain, optimise <= 3 ? optimise : 3, object, err);
        vt_pixel_fini(&plain);
    }
    struct vt_pixel_image made = {0};
    rc = rc != 0 ? rc : link_file(object, &made, err);
    unlink(object);
    rmdir(directory);
    if (rc != 0) {
        vt_pixel_image_fini(&made);
        return rc;
    }
    *image = made;
    return 0;
}

void vt_pixel_image_fini(struct vt_pixel_image *image)
{
    free(image->bytes);
    memset(image, 0, sizeof *image);
}

vt_pixel_entry *vt_pixel_image_map(const struct vt_pixel_image *image, struct vt_error *err)
{
    uint8_t *at = mmap(NULL, image->n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        vt_fail_errno(err, VT_E_MAP, errno, "a kernel of %zu bytes", image->n);
        return NULL;
    }
    memcpy(at, image->bytes, image->n);
    if (mprotect(at, image->n, PROT_READ | PROT_EXEC) != 0) {
        vt_fail_errno(err, VT_E_MAP, errno, "a kernel that may be executed");
        munmap(at, image->n);
        return NULL;
    }
    union {
        void *data;
        vt_pixel_entry *code;
    } entry = {.data = at + image->entry};
    return entry.code;
}

void vt_pixel_image_unmap(vt_pixel_entry *entry, const struct vt_pixel_image *image)
{
    union {
        vt_pixel_entry *code;
        uint8_t *data;
    } at = {.code = entry};
    if (entry != NULL) {
        munmap(at.data - image->entry, image->n);
    }
}
