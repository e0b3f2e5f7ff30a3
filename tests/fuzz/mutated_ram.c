/* tests/fuzz/mutated_ram.c - see mutated_ram.h. */
#include "tests/fuzz/mutated_ram.h"

#include "tests/fuzz/fuzz.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MAX 400000u
#define NOUNS_MAX 128
#define ROWS_MAX 2000000u
#define MUTATIONS_MAX 64u

/* A word that a walk read: where in RAM, and by which address. */
struct word {
    uint64_t offset, gva;
};

struct trail {
    const struct vt_noun *noun;
    struct word *words;
    size_t n, room;
};

struct mutated_ram {
    int fd;
    uint8_t *bytes;
    uint64_t size;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct trail trails[NOUNS_MAX];
    size_t n_trails;
    uint64_t *pages; /* offsets of populated ones */
    size_t n_pages;
};

/* ---------------------------------------------------------------- noting reads */

static struct trail *noting; /* NULL: nobody listens */
static const struct vt_ram *noting_ram;

static void note(const struct vt_space *space, uint64_t gva, uint64_t len)
{
    if (noting == NULL) {
        return;
    }
    struct trail *t = noting;
    noting = NULL; /* the translation below reads, too */
    for (uint64_t at = gva & ~UINT64_C(7); at < gva + len && t->n < WORDS_MAX; at += 8) {
        struct vt_gpa gpa;
        struct vt_off off;
        if (vt_space_translate(space, VT_GVA(at), &gpa, NULL) != 0 ||
            vt_ram_offset(noting_ram, gpa, &off, NULL, NULL) != 0) {
            continue;
        }
        if (t->n == t->room) {
            t->room = t->room == 0 ? 1024 : 2 * t->room;
            t->words = realloc(t->words, t->room * sizeof *t->words);
            FUZZ_CHECK(t->words != NULL);
        }
        t->words[t->n++] = (struct word){.offset = off.v & ~UINT64_C(7), .gva = at};
    }
    noting = t;
}

/* The linker turns calls of f into __wrap_f (-Wl,--wrap). */
#define WRAPPED(name, ...) __real_##name(__VA_ARGS__)
int __real_vt_space_read(const struct vt_space *, struct vt_gva, void *, uint64_t,
                         struct vt_error *);
int __wrap_vt_space_read(const struct vt_space *, struct vt_gva, void *, uint64_t,
                         struct vt_error *);
int __real_vt_space_read_u64(const struct vt_space *, struct vt_gva, uint64_t *, struct vt_error *);
int __wrap_vt_space_read_u64(const struct vt_space *, struct vt_gva, uint64_t *, struct vt_error *);
int __real_vt_space_read_u32(const struct vt_space *, struct vt_gva, uint32_t *, struct vt_error *);
int __wrap_vt_space_read_u32(const struct vt_space *, struct vt_gva, uint32_t *, struct vt_error *);

int __wrap_vt_space_read(const struct vt_space *space, struct vt_gva gva, void *buf, uint64_t len,
                         struct vt_error *err)
{
    note(space, gva.v, len);
    return WRAPPED(vt_space_read, space, gva, buf, len, err);
}

int __wrap_vt_space_read_u64(const struct vt_space *space, struct vt_gva gva, uint64_t *value,
                             struct vt_error *err)
{
    note(space, gva.v, sizeof *value);
    return WRAPPED(vt_space_read_u64, space, gva, value, err);
}

int __wrap_vt_space_read_u32(const struct vt_space *space, struct vt_gva gva, uint32_t *value,
                             struct vt_error *err)
{
    note(space, gva.v, sizeof *value);
    return WRAPPED(vt_space_read_u32, space, gva, value, err);
}

/* ---------------------------------------------------------------- a walk and what holds of it */

struct seen {
    const struct vt_noun *noun;
    uint64_t rows, torn;
};

static void check_text(const char *text)
{
    FUZZ_CHECK(text == NULL || strlen(text) < (1u << 20));
}

static int check_row(const struct vt_row *row, void *arg)
{
    struct seen *seen = arg;
    seen->rows++;
    seen->torn += row->trust == VT_TRUST_TORN;
    FUZZ_CHECK(row->trust == VT_TRUST_OK || row->trust == VT_TRUST_TORN);
    FUZZ_CHECK(memchr(row->why, '\0', sizeof row->why) != NULL);
    FUZZ_CHECK((row->trust == VT_TRUST_TORN) == (row->why[0] != '\0'));
    for (unsigned i = 0; i < seen->noun->n_columns; i++) {
        const struct vt_column *c = &seen->noun->columns[i];
        const uint8_t *at = (const uint8_t *)row + c->offset;
        if (c->kind == VT_CELL_CHARS) {
            FUZZ_CHECK(memchr(at, '\0', c->size) != NULL);
        } else if (c->kind == VT_CELL_TEXT) {
            const char *text;
            memcpy(&text, at, sizeof text);
            check_text(text);
        }
    }
    return seen->rows > ROWS_MAX ? 1 : 0;
}

static int walk(struct mutated_ram *ram, const struct vt_noun *noun)
{
    struct seen seen = {.noun = noun};
    struct vt_noun_result result;
    struct vt_noun_query query = {0};
    struct vt_error err = {0};
    vt_kernel_refresh(ram->kernel);
    int rc = vt_noun_walk(ram->kernel, noun, &query, check_row, &seen, &result, &err);
    if (rc == 0) {
        FUZZ_CHECK(result.rows == seen.rows && result.torn_rows == seen.torn);
        FUZZ_CHECK(result.torn == (result.why[0] != '\0'));
    } else {
        FUZZ_CHECK(rc < 0 && err.message[0] != '\0'); /* rc > 0: more rows than RAM can hold */
    }
    return rc;
}

/* ---------------------------------------------------------------- making one */

static bool copy_file(struct mutated_ram *ram, const char *path)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) != 0 || ftruncate(ram->fd, st.st_size) != 0) {
        perror(path);
        return false;
    }
    ram->size = (uint64_t)st.st_size;
    ram->bytes = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED, ram->fd, 0);
    FUZZ_CHECK(ram->bytes != MAP_FAILED);
    for (off_t at = 0, end; (at = lseek(from, at, SEEK_DATA)) >= 0; at = end) {
        end = lseek(from, at, SEEK_HOLE);
        for (off_t done = at; done < end;) {
            ssize_t n = pread(from, ram->bytes + done, (size_t)(end - done), done);
            FUZZ_CHECK(n > 0);
            done += n;
        }
    }
    close(from);
    return true;
}

static void find_pages(struct mutated_ram *ram)
{
    struct vt_off at = VT_OFF(0), end;
    ram->pages = calloc(ram->size / VT_PAGE_BYTES, sizeof *ram->pages);
    FUZZ_CHECK(ram->pages != NULL);
    while (at.v < ram->size && vt_ram_next_data(ram->ram, at, &at, &end, NULL) == 0) {
        for (; at.v < end.v; at.v += VT_PAGE_BYTES) {
            ram->pages[ram->n_pages++] = at.v;
        }
    }
    FUZZ_CHECK(ram->n_pages > 0);
}

/* Walks of RAM as it is: which nouns there are, and where they look. */
static void find_trails(struct mutated_ram *ram)
{
    for (const struct vt_noun *const *noun = vt_nouns; *noun != NULL; noun++) {
        struct trail *t = &ram->trails[ram->n_trails];
        FUZZ_CHECK(ram->n_trails < NOUNS_MAX);
        /* Once for the layouts, which do not count; and again, noting. */
        if (walk(ram, *noun) != 0) {
            continue;
        }
        t->noun = *noun;
        noting_ram = ram->ram;
        noting = t;
        walk(ram, *noun);
        noting = NULL;
        ram->n_trails += t->n > 0;
    }
}

struct mutated_ram *mutated_ram_create(const char *path)
{
    struct mutated_ram *ram = calloc(1, sizeof *ram);
    struct vt_error err;
    char name[64];
    FUZZ_CHECK(ram != NULL);
    ram->fd = memfd_create("mutated", MFD_CLOEXEC);
    FUZZ_CHECK(ram->fd >= 0);
    if (path == NULL) {
        struct synthetic s;
        struct synthetic_kernel k = synthetic_default();
        k.modules = true;
        synthetic_create(&s);
        synthetic_add(&s, &k);
        bool copied = copy_file(ram, s.path);
        synthetic_destroy(&s);
        FUZZ_CHECK(copied);
    } else if (!copy_file(ram, path)) {
        mutated_ram_destroy(ram);
        return NULL;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", ram->fd);
    if (vt_ram_open(name, NULL, 0, &ram->ram, &err) != 0 ||
        vt_kernel_open(ram->ram, NULL, &ram->kernel, &err) != 0) {
        fprintf(stderr, "%s: %s\n", path != NULL ? path : "synthetic guest", err.message);
        mutated_ram_destroy(ram);
        return NULL;
    }
    find_pages(ram);
    find_trails(ram);
    return ram;
}

void mutated_ram_destroy(struct mutated_ram *ram)
{
    if (ram == NULL) {
        return;
    }
    vt_kernel_close(ram->kernel);
    vt_ram_close(ram->ram);
    for (size_t i = 0; i < ram->n_trails; i++) {
        free(ram->trails[i].words);
    }
    free(ram->pages);
    if (ram->bytes != NULL) {
        munmap(ram->bytes, ram->size);
    }
    close(ram->fd);
    free(ram);
}

size_t mutated_ram_nouns(const struct mutated_ram *ram)
{
    return ram->n_trails;
}

const struct vt_noun *mutated_ram_noun(const struct mutated_ram *ram, size_t i)
{
    return ram->trails[i].noun;
}

/* ---------------------------------------------------------------- mutations */

static uint64_t load(const struct mutated_ram *ram, uint64_t offset)
{
    uint64_t value;
    memcpy(&value, ram->bytes + offset, sizeof value);
    return value;
}

static uint64_t changed(const struct mutated_ram *ram, const struct trail *t,
                        const struct mutation *m, const struct word *word)
{
    uint64_t was = load(ram, word->offset);
    switch (m->kind) {
    case MUTATE_POINTER:
        return t->words[m->value % t->n].gva;
    case MUTATE_SELF:
        return word->gva + (uint64_t)(int8_t)m->value;
    case MUTATE_ADD:
        return was + (uint64_t)(int64_t)(int16_t)m->value;
    case MUTATE_COPY:
        return load(ram, t->words[m->value % t->n].offset);
    case MUTATE_SMALL:
        return m->value % 256;
    case MUTATE_BIT:
        return was ^ UINT64_C(1) << (m->value % 64);
    default:
        return m->value;
    }
}

void mutated_ram_walk(struct mutated_ram *ram, size_t noun, const struct mutation *mutations,
                      size_t n)
{
    const struct trail *t = &ram->trails[noun % ram->n_trails];
    struct {
        uint64_t offset, before;
    } undo[MUTATIONS_MAX];
    n = n < MUTATIONS_MAX ? n : MUTATIONS_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct mutation *m = &mutations[i];
        struct word word = t->words[m->word % t->n];
        if (m->kind == MUTATE_PAGE) {
            size_t words = (size_t)(VT_PAGE_BYTES / 8);
            word.offset = ram->pages[m->word / words % ram->n_pages] + 8 * (m->word % words);
        }
        undo[i].offset = word.offset;
        undo[i].before = load(ram, word.offset);
        uint64_t value = changed(ram, t, m, &word);
        memcpy(ram->bytes + word.offset, &value, sizeof value);
    }
    walk(ram, t->noun);
    while (n-- > 0) { /* in reverse: a word may have changed twice */
        memcpy(ram->bytes + undo[n].offset, &undo[n].before, sizeof undo[n].before);
    }
}
