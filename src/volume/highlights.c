/* volume/highlights.c - the highlights of a VM, in a file of its directory. See
 * vitrine/highlight.h.
 *
 *   colours   names, and which one comes next
 *   runs      from anything to whole pages in ascending order
 *   text      read with suspicion, written in one go
 *   file      whoever changes it holds highlights.lock; readers need no lock, since it is replaced
 */
#include "volume/highlights.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE "highlights.lock"

/* ---------------------------------------------------------------- colours */

#define RGB(hex) {(hex) >> 16 & 0xff, (hex) >> 8 & 0xff, (hex) & 0xff, 0xff}

/* Bright and full: classes are shown dimmed beside them. In the order they are given out. */
static const struct {
    const char *name;
    struct vt_colour colour;
} colours[] = {
    {"cyan", RGB(0x00e5ff)},   {"magenta", RGB(0xff3fd8)}, {"lime", RGB(0xa6ff2e)},
    {"orange", RGB(0xff9a1f)}, {"violet", RGB(0xb18cff)},  {"yellow", RGB(0xfff04d)},
    {"red", RGB(0xff4a4a)},    {"blue", RGB(0x4f9bff)},    {"green", RGB(0x2ee88a)},
    {"white", RGB(0xffffff)},
};
enum { COLOURS = sizeof colours / sizeof colours[0] };

static bool same_colour(struct vt_colour a, struct vt_colour b)
{
    return a.r == b.r && a.g == b.g && a.b == b.b;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vt_colour_parse(const char *text, struct vt_colour *colour, struct vt_error *err)
{
    for (unsigned i = 0; i < COLOURS; i++) {
        if (strcasecmp(text, colours[i].name) == 0) {
            *colour = colours[i].colour;
            return 0;
        }
    }
    uint8_t rgb[3] = {0};
    bool hex = text[0] == '#' && strlen(text) == 7;
    for (unsigned i = 0; i < 6 && hex; i++) {
        int digit = hex_digit(text[1 + i]);
        hex = digit >= 0;
        rgb[i / 2] = (uint8_t)(rgb[i / 2] << 4 | (digit & 15));
    }
    if (hex) {
        *colour = (struct vt_colour){rgb[0], rgb[1], rgb[2], 0xff};
        return 0;
    }
    char names[160] = "";
    size_t n = 0;
    for (unsigned i = 0; i < COLOURS; i++) {
        n += (size_t)snprintf(names + n, sizeof names - n, "%s, ", colours[i].name);
    }
    return vt_fail(err, VT_E_INVAL, "no colour '%.32s': %sor #rrggbb", text, names);
}

/* The one that the fewest have. */
static struct vt_colour next_colour(const struct vt_highlights *set)
{
    size_t fewest = SIZE_MAX;
    unsigned next = 0;
    for (unsigned c = 0; c < COLOURS; c++) {
        size_t n = 0;
        for (size_t i = 0; i < set->n; i++) {
            n += same_colour(set->all[i].colour, colours[c].colour);
        }
        if (n < fewest) {
            fewest = n;
            next = c;
        }
    }
    return colours[next].colour;
}

/* ---------------------------------------------------------------- runs */

static int by_address(const void *a, const void *b)
{
    const struct vt_gpa_run *x = a, *y = b;
    return (x->gpa.v > y->gpa.v) - (x->gpa.v < y->gpa.v);
}

/* Whether all of [gpa, gpa + bytes) is RAM; regions ascend, and some touch. */
static bool is_ram(struct vt_gpa gpa, uint64_t bytes, const struct vt_ram_region *regions,
                   unsigned n)
{
    uint64_t at = gpa.v, end = gpa.v + bytes;
    for (unsigned i = 0; i < n && at < end; i++) {
        if (at >= regions[i].gpa.v && at - regions[i].gpa.v < regions[i].bytes) {
            at = regions[i].gpa.v + regions[i].bytes;
        }
    }
    return at >= end;
}

int vt_runs_join(const struct vt_gpa_run *runs, size_t n, const struct vt_ram_region *regions,
                 unsigned n_regions, struct vt_gpa_run **joined, size_t *n_joined,
                 struct vt_error *err)
{
    const uint64_t mask = ~(VT_PAGE_BYTES - 1);
    uint64_t ram_end =
        n_regions > 0 ? regions[n_regions - 1].gpa.v + regions[n_regions - 1].bytes : 0;
    struct vt_gpa_run *all = calloc(n + 1, sizeof *all);
    size_t have = 0, kept = 0;
    if (all == NULL) {
        return vt_fail(err, VT_E_NOMEM, "runs: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t from = runs[i].gpa.v, bytes = runs[i].bytes;
        if (bytes == 0) {
            continue;
        }
        if (from >= ram_end || bytes > ram_end - from ||
            !is_ram(VT_GPA(from), bytes, regions, n_regions)) {
            free(all);
            return vt_fail_addr(err, "guest-physical RAM", from, bytes, ram_end);
        }
        uint64_t end = (from + bytes + VT_PAGE_BYTES - 1) & mask;
        all[have++] = (struct vt_gpa_run){VT_GPA(from & mask), end - (from & mask)};
    }
    qsort(all, have, sizeof *all, by_address);
    for (size_t i = 0; i < have; i++) {
        struct vt_gpa_run *last = kept > 0 ? &all[kept - 1] : NULL;
        uint64_t end = all[i].gpa.v + all[i].bytes;
        if (last == NULL || all[i].gpa.v > last->gpa.v + last->bytes) {
            all[kept++] = all[i];
        } else if (end > last->gpa.v + last->bytes) {
            last->bytes = end - last->gpa.v;
        }
    }
    if (kept == 0 || kept > VT_HIGHLIGHT_RUNS_MAX) {
        free(all);
        return kept == 0 ? vt_fail(err, VT_E_INVAL, "a highlight of no memory")
                         : vt_fail(err, VT_E_LIMIT, "%zu runs in one highlight: at most %d", kept,
                                   VT_HIGHLIGHT_RUNS_MAX);
    }
    *joined = all;
    *n_joined = kept;
    return 0;
}

/* ---------------------------------------------------------------- text */

static bool is_name(const char *name)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(name);
    return n > 0 && n <= VT_HIGHLIGHT_NAME_MAX && strspn(name, letters) == n &&
           strchr("._-", name[0]) == NULL;
}

/* Guest text as it will be read again: what is not UTF-8 is marked, what is too long cut. */
static void copy_label(char out[VT_HIGHLIGHT_LABEL_MAX + 1], const char *text)
{
    size_t n = 0, left = strlen(text);
    while (left > 0) {
        size_t length = vt_utf8_length(text, left), step = length > 0 ? length : 1;
        const char *from = length > 0 ? text : "\ufffd";
        size_t bytes = length > 0 ? length : 3;
        if (n + bytes > VT_HIGHLIGHT_LABEL_MAX) {
            break;
        }
        memcpy(out + n, from, bytes);
        n += bytes;
        text += step;
        left -= step;
    }
    out[n] = '\0';
}

static bool take_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_run(const json_t *pair, const struct vt_gpa_run *before, struct vt_gpa_run *run)
{
    const char *at = json_string_value(json_array_get(pair, 0));
    json_int_t bytes = json_integer_value(json_array_get(pair, 1));
    uint64_t gpa;
    if (json_array_size(pair) != 2 || at == NULL || strncmp(at, "0x", 2) != 0 ||
        vt_parse_u64(at, &gpa, NULL) != 0 || bytes <= 0 || (uint64_t)bytes > UINT64_MAX - gpa ||
        (gpa | (uint64_t)bytes) % VT_PAGE_BYTES != 0 ||
        (before != NULL && gpa <= before->gpa.v + before->bytes)) {
        return false;
    }
    *run = (struct vt_gpa_run){VT_GPA(gpa), (uint64_t)bytes};
    return true;
}

static bool take_runs(const json_t *array, struct vt_highlight *h, size_t *left)
{
    size_t n = json_array_size(array);
    if (n == 0 || n > VT_HIGHLIGHT_RUNS_MAX || n > *left) {
        return false;
    }
    *left -= n;
    h->runs = calloc(n, sizeof *h->runs);
    for (size_t i = 0; h->runs != NULL && i < n; i++) {
        if (!take_run(json_array_get(array, i), i > 0 ? &h->runs[i - 1] : NULL, &h->runs[i])) {
            return false;
        }
        h->n_runs = i + 1;
        h->bytes += h->runs[i].bytes;
    }
    return h->runs != NULL;
}

static struct vt_highlight *find(const struct vt_highlights *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->all[i].name, name) == 0) {
            return &set->all[i];
        }
    }
    return NULL;
}

static bool take(const json_t *object, struct vt_highlights *set, size_t *left)
{
    struct vt_highlight *h = &set->all[set->n];
    char colour[8];
    bool ok = take_text(object, "name", h->name, sizeof h->name) && is_name(h->name) &&
              find(set, h->name) == NULL && take_text(object, "label", h->label, sizeof h->label) &&
              take_text(object, "colour", colour, sizeof colour) && colour[0] == '#' &&
              vt_colour_parse(colour, &h->colour, NULL) == 0;
    h->made_unix_s = json_number_value(json_object_get(object, "made"));
    set->n++; /* whatever it holds is freed with the set */
    return ok && take_runs(json_object_get(object, "runs"), h, left);
}

int vt_highlights_parse(const char *what, const char *text, size_t bytes, struct vt_highlights *set,
                        struct vt_error *err)
{
    json_error_t why;
    struct vt_highlights found = {0};
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "%s, line %d: %s", what, why.line, why.text);
    }
    const json_t *array = json_object_get(root, "highlights");
    size_t n = json_array_size(array), left = VT_HIGHLIGHTS_RUNS_MAX;
    int rc = 0;
    if (!json_is_array(array) || n > VT_HIGHLIGHTS_MAX) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s: not a list of at most %d highlights", what,
                     VT_HIGHLIGHTS_MAX);
    } else if ((found.all = calloc(n + 1, sizeof *found.all)) == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "%s: out of memory", what);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (!take(json_array_get(array, i), &found, &left)) {
            rc = vt_fail(err, VT_E_CORRUPT, "%s: highlight number %zu is not as it was written",
                         what, i + 1);
        }
    }
    json_decref(root);
    if (rc != 0) {
        vt_highlights_fini(&found);
        return rc;
    }
    *set = found;
    return 0;
}

void vt_highlights_print(const struct vt_highlights *set, FILE *out)
{
    struct vt_json_writer w;
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_key(&w, "highlights");
    vt_json_array(&w);
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_highlight *h = &set->all[i];
        char colour[8];
        snprintf(colour, sizeof colour, "#%02x%02x%02x", h->colour.r, h->colour.g, h->colour.b);
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", h->name);
        vt_json_kv_string(&w, "label", h->label);
        vt_json_kv_string(&w, "colour", colour);
        vt_json_kv_f64(&w, "made", h->made_unix_s, 16);
        vt_json_key(&w, "runs");
        vt_json_array(&w);
        for (size_t k = 0; k < h->n_runs; k++) {
            vt_json_array(&w);
            vt_json_hex(&w, h->runs[k].gpa.v);
            vt_json_u64(&w, h->runs[k].bytes);
            vt_json_array_end(&w);
        }
        vt_json_array_end(&w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

/* ---------------------------------------------------------------- file */

static int path_of(const struct vt_vm *vm, const char *file, char path[PATH_MAX],
                   struct vt_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", vt_vm_info(vm)->dir, file);
    return n < PATH_MAX ? 0 : vt_fail(err, VT_E_INVAL, "path too long");
}

int vt_highlights_load(const struct vt_vm *vm, struct vt_highlights *set, struct vt_error *err)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    struct vt_error why;
    int rc = path_of(vm, VT_HIGHLIGHTS_FILE, path, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_read_file(path, VT_HIGHLIGHTS_FILE_MAX, &text, &bytes, &why);
    if (rc == VT_E_NOT_FOUND) {
        *set = (struct vt_highlights){0};
        return 0;
    }
    if (rc == 0) {
        rc = vt_highlights_parse(path, text, bytes, set, &why);
        free(text);
    } else if (rc == VT_E_LIMIT) {
        rc = vt_fail(&why, VT_E_CORRUPT, "%s: larger than any such file", path);
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

void vt_highlights_fini(struct vt_highlights *set)
{
    for (size_t i = 0; i < set->n; i++) {
        free(set->all[i].runs);
    }
    free(set->all);
    *set = (struct vt_highlights){0};
}

/* Waits for whoever has it: they only replace a file. */
static int lock(const struct vt_vm *vm, int *fd, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = path_of(vm, LOCK_FILE, path, err);
    if (rc != 0) {
        return rc;
    }
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f < 0) {
        return errno == ENOENT ? vt_fail(err, VT_E_GONE, "VM '%s' has ended", vt_vm_info(vm)->name)
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    while (flock(f, LOCK_EX) != 0) {
        if (errno != EINTR) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
            close(f);
            return rc;
        }
    }
    *fd = f;
    return 0;
}

static int store(const struct vt_vm *vm, const struct vt_highlights *set, struct vt_error *err)
{
    char path[PATH_MAX], *text = NULL;
    size_t bytes = 0, runs = 0;
    int rc = path_of(vm, VT_HIGHLIGHTS_FILE, path, err);
    for (size_t i = 0; i < set->n; i++) {
        runs += set->all[i].n_runs;
    }
    if (rc == 0 && runs > VT_HIGHLIGHTS_RUNS_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "%zu runs in all highlights of a VM: at most %d", runs,
                     VT_HIGHLIGHTS_RUNS_MAX);
    }
    FILE *out = rc == 0 ? open_memstream(&text, &bytes) : NULL;
    if (rc == 0 && out == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
    }
    if (rc != 0) {
        return rc;
    }
    vt_highlights_print(set, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        rc = vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
    }
    if (rc == 0) {
        rc = vt_write_file_atomic(path, text, bytes, 0600, err);
    }
    free(text);
    return rc;
}

/* Puts `h` behind the others, or where the one of its name was. `h` gives its runs away. */
static int add(struct vt_highlights *set, struct vt_highlight *h, const struct vt_colour *colour,
               struct vt_error *err)
{
    struct vt_highlight *old = find(set, h->name);
    if (old == NULL && set->n == VT_HIGHLIGHTS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a VM has at most %d highlights", VT_HIGHLIGHTS_MAX);
    }
    if (old == NULL) {
        struct vt_highlight *more = realloc(set->all, (set->n + 1) * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
        }
        set->all = more;
        h->colour = colour != NULL ? *colour : next_colour(set);
        set->all[set->n++] = *h;
    } else {
        h->colour = colour != NULL ? *colour : old->colour;
        free(old->runs);
        *old = *h;
    }
    h->runs = NULL;
    return 0;
}

int vt_highlights_put(struct vt_vm *vm, const char *name, const char *label,
                      const struct vt_colour *colour, const struct vt_gpa_run *runs, size_t n_runs,
                      struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(vm);
    struct vt_highlights set;
    struct vt_highlight h = {0};
    struct timespec now;
    int fd;
    if (!is_name(name)) {
        return vt_fail(err, VT_E_INVAL,
                       "'%.64s' is not a highlight's name: 1 to %d letters, digits, '.', '_', '-'",
                       name, VT_HIGHLIGHT_NAME_MAX);
    }
    int rc = vt_runs_join(runs, n_runs, info->regions, info->n_regions, &h.runs, &h.n_runs, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(h.name, name, strlen(name) + 1);
    copy_label(h.label, label != NULL ? label : name);
    clock_gettime(CLOCK_REALTIME, &now);
    h.made_unix_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    for (size_t i = 0; i < h.n_runs; i++) {
        h.bytes += h.runs[i].bytes;
    }
    rc = lock(vm, &fd, err);
    if (rc == 0) {
        rc = vt_highlights_load(vm, &set, err);
        if (rc == 0) {
            rc = add(&set, &h, colour, err);
            rc = rc == 0 ? store(vm, &set, err) : rc;
            vt_highlights_fini(&set);
        }
        close(fd);
    }
    free(h.runs);
    return rc;
}

int vt_highlights_remove(struct vt_vm *vm, const char *name, struct vt_error *err)
{
    struct vt_highlights set;
    int fd;
    int rc = lock(vm, &fd, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_highlights_load(vm, &set, err);
    if (rc == 0) {
        struct vt_highlight *h = find(&set, name);
        if (h == NULL) {
            rc = vt_fail(err, VT_E_NOT_FOUND, "no highlight named '%.64s'", name);
        } else {
            size_t behind = (size_t)(&set.all[set.n] - (h + 1));
            free(h->runs);
            memmove(h, h + 1, behind * sizeof *h);
            set.n--;
            rc = store(vm, &set, err);
        }
        vt_highlights_fini(&set);
    }
    close(fd);
    return rc;
}

int vt_highlights_clear(struct vt_vm *vm, struct vt_error *err)
{
    char path[PATH_MAX];
    int fd;
    int rc = lock(vm, &fd, err);
    if (rc != 0) {
        return rc;
    }
    rc = path_of(vm, VT_HIGHLIGHTS_FILE, path, err);
    if (rc == 0 && unlink(path) != 0 && errno != ENOENT) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    close(fd);
    return rc;
}
