/* synth/file_read.c - kernels from JSON that anybody may have written. See file.h.
 *
 * Every member is there, of its type and in its range, and there is no other one; programs are
 * validated. What it all means is for a proof to say.
 */
#include "base/text.h"
#include "pixel/json.h"
#include "synth/file.h"

#include <stdlib.h>
#include <string.h>

#define OBLIGATIONS_MAX 4096u

static int wrong(struct vt_error *err, const char *member)
{
    return vt_fail(err, VT_E_CORRUPT, "member \"%s\" is missing or not what it should be", member);
}

/* Whole numbers up to `most`. */
static bool get_number(const json_t *object, const char *key, uint64_t most, uint64_t *value)
{
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0 ||
        (uint64_t)json_integer_value(number) > most) {
        return false;
    }
    *value = (uint64_t)json_integer_value(number);
    return true;
}

static bool get_hex(const json_t *object, const char *key, uint64_t *value)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && strncmp(text, "0x", 2) == 0 && vt_parse_u64(text, value, NULL) == 0;
}

static bool get_text(const json_t *object, const char *key, char *to, size_t room)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    size_t n = text != NULL ? json_string_length(value) : room;
    if (n >= room || memchr(text, '\0', n) != NULL) {
        return false;
    }
    memcpy(to, text, n + 1);
    return true;
}

/* A word of a list; its number, or the list's length. */
static uint32_t get_word(const json_t *object, const char *key, const char *const *words,
                         uint32_t n)
{
    const char *text = json_string_value(json_object_get(object, key));
    uint32_t i = text != NULL ? 0 : n;
    while (i < n && strcmp(words[i], text) != 0) {
        i++;
    }
    return i;
}

static bool get_register(const json_t *object, uint32_t most, uint32_t *reg)
{
    const char *text = json_string_value(json_object_get(object, "register"));
    for (*reg = 0; text != NULL && *reg < most; ++*reg) {
        const char *name = vt_linear_register(*reg);
        if (name != NULL && strcmp(name, text) == 0) {
            return true;
        }
    }
    return false;
}

#define PLACES (VT_PIXEL_INPUTS_MAX + VT_PIXEL_CARRIES_MAX)

static bool read_linear(const json_t *object, struct vt_linear *l)
{
    const json_t *sum = json_object_get(object, "sum");
    size_t n = json_array_size(sum);
    *l = (struct vt_linear){0};
    if (!json_is_array(sum) || n > sizeof l->part / sizeof l->part[0] ||
        json_object_size(object) != 2 || !get_hex(object, "constant", &l->constant)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *part = json_array_get(sum, i);
        if (json_object_size(part) != 2 ||
            !get_register(part, VT_LINEAR_PLACE + PLACES, &l->part[i].reg) ||
            !get_hex(part, "times", &l->part[i].coefficient)) {
            return false;
        }
    }
    l->n = (uint32_t)n;
    return true;
}

static bool read_place(const json_t *object, struct vt_place *p)
{
    static const char *const kinds[] = {"register", "xmm.low", "xmm.high", "ymm.low",
                                        "ymm.high", "fs.base", "gs.base",  "cell"};
    static const uint8_t kind_of[] = {VT_PLACE_GPR,     VT_PLACE_XMM_LOW,  VT_PLACE_XMM_HIGH,
                                      VT_PLACE_YMM_LOW, VT_PLACE_YMM_HIGH, VT_PLACE_FS_BASE,
                                      VT_PLACE_GS_BASE, VT_PLACE_CELL};
    uint32_t kind = get_word(object, "kind", kinds, 8), reg;
    uint64_t number = 0;
    *p = (struct vt_place){0};
    if (kind == 8) {
        return false;
    }
    p->kind = kind_of[kind];
    switch (p->kind) {
    case VT_PLACE_GPR:
        if (json_object_size(object) != 2 || !get_register(object, 16, &reg)) {
            return false;
        }
        p->reg = (uint8_t)reg;
        return true;
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        if (json_object_size(object) != 2 || !get_number(object, "number", 15, &number)) {
            return false;
        }
        p->reg = (uint8_t)number;
        return true;
    case VT_PLACE_CELL:
        if (json_object_size(object) != 3 || !get_number(object, "bytes", 8, &number) ||
            !read_linear(json_object_get(object, "address"), &p->address)) {
            return false;
        }
        p->bytes = (uint8_t)number;
        return true;
    default:
        return json_object_size(object) == 1;
    }
}

static bool read_places(const json_t *object, const char *key, uint32_t n, struct vt_place *places)
{
    const json_t *array = json_object_get(object, key);
    bool good = json_is_array(array) && json_array_size(array) == n;
    for (uint32_t i = 0; i < n && good; i++) {
        good = read_place(json_array_get(array, i), &places[i]);
    }
    return good;
}

/* ---------------------------------------------------------------- code */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_block(const json_t *object, struct vt_synth_loop *loop)
{
    const json_t *at = json_object_get(object, "at"), *bytes = json_object_get(object, "bytes");
    const char *hex = json_string_value(bytes);
    size_t n = hex != NULL ? json_string_length(bytes) : 0;
    if (!json_is_integer(at) || json_object_size(object) != 2 || n == 0 || n % 2 != 0 ||
        n / 2 > VT_SYNTH_BYTES_MAX - loop->n_bytes) {
        return false;
    }
    int64_t where = json_integer_value(at);
    if (where < INT32_MIN || where > INT32_MAX) {
        return false;
    }
    struct vt_synth_block *b = &loop->blocks[loop->n_blocks++];
    *b = (struct vt_synth_block){.at = where, .first = loop->n_bytes, .n = (uint32_t)(n / 2)};
    for (size_t i = 0; i < n; i += 2) {
        int high = digit(hex[i]), low = digit(hex[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        loop->bytes[loop->n_bytes++] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static int read_code(const json_t *object, struct vt_synth_loop *loop, struct vt_error *err)
{
    const json_t *blocks = json_object_get(object, "x86_bytes");
    char hash[sizeof loop->hash];
    size_t n = json_array_size(blocks);
    bool good = json_is_array(blocks) && n <= VT_SYNTH_BLOCKS_MAX;
    for (size_t i = 0; i < n && good; i++) {
        good = read_block(json_array_get(blocks, i), loop);
    }
    if (!good) {
        return wrong(err, "x86_bytes");
    }
    struct vt_error why;
    if (vt_synth_loop_finish(loop, &why) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "\"x86_bytes\": %s", why.message);
    }
    if (!get_text(object, "x86_hash", hash, sizeof hash)) {
        return wrong(err, "x86_hash");
    }
    return strcmp(hash, loop->hash) == 0
               ? 0
               : vt_fail(err, VT_E_CORRUPT, "\"x86_hash\" is not that of \"x86_bytes\"");
}

/* ---------------------------------------------------------------- claims */

/* Numbers of streams. */
static bool read_aligned(const json_t *streams, uint8_t to, struct vt_synth_kernel *k)
{
    bool good = json_is_array(streams);
    for (size_t i = 0; i < json_array_size(streams) && good; i++) {
        const json_t *stream = json_array_get(streams, i);
        good = json_is_integer(stream) && json_integer_value(stream) >= 0 &&
               json_integer_value(stream) < k->program.n_streams;
        if (good) {
            k->aligned[json_integer_value(stream)] = to;
        }
    }
    return good;
}

static bool read_guards(const json_t *guards, struct vt_synth_kernel *k)
{
    const json_t *more = json_object_get(guards, "aligned_32"),
                 *disjoint = json_object_get(guards, "disjoint");
    size_t n = json_array_size(disjoint), members = json_array_size(more) != 0 ? 3 : 2;
    if (json_object_size(guards) != members || !json_is_array(disjoint) ||
        !read_aligned(json_object_get(guards, "aligned"), 16, k) ||
        (more != NULL && !read_aligned(more, 32, k)) ||
        n > sizeof k->disjoint / sizeof k->disjoint[0]) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(disjoint, i),
                     *parallel = json_object_get(pair, "only_parallel");
        uint64_t a, b;
        if (json_object_size(pair) != 3 || !get_number(pair, "a", UINT8_MAX, &a) ||
            !get_number(pair, "b", UINT8_MAX, &b) || !json_is_boolean(parallel)) {
            return false;
        }
        k->disjoint[i] = (struct vt_disjoint){
            .a = (uint8_t)a, .b = (uint8_t)b, .only_parallel = json_is_true(parallel)};
    }
    k->n_disjoint = (uint32_t)n;
    return true;
}

/* There where there are some. */
static bool read_equal(const json_t *array, struct vt_synth_kernel *k)
{
    size_t n = json_array_size(array);
    bool good = array == NULL || (n > 0 && n <= VT_SYNTH_EQUAL_MAX);
    for (size_t i = 0; i < n && good; i++) {
        const json_t *one = json_array_get(array, i);
        good = json_object_size(one) == 2 &&
               read_place(json_object_get(one, "place"), &k->equal[i].place) &&
               read_linear(json_object_get(one, "is"), &k->equal[i].sum);
        k->n_equal = (uint32_t)i + 1;
    }
    return good;
}

static bool read_streams(const json_t *object, struct vt_synth_kernel *k)
{
    const json_t *array = json_object_get(object, "streams");
    bool good = json_is_array(array) && json_array_size(array) == k->program.n_streams;
    for (uint32_t i = 0; i < k->program.n_streams && good; i++) {
        good = read_linear(json_array_get(array, i), &k->streams[i]);
    }
    return good;
}

static bool read_obligations(const json_t *proof, struct vt_synth_kernel *k)
{
    static const char *const results[] = {"open", "holds", "false", "unknown"};
    const json_t *array = json_object_get(proof, "obligations"),
                 *proven = json_object_get(proof, "proven"),
                 *time = json_object_get(proof, "time_ms");
    size_t n = json_array_size(array);
    char by[32];
    if (json_object_size(proof) != 4 || !json_is_array(array) || n > OBLIGATIONS_MAX ||
        !json_is_boolean(proven) || !json_is_number(time) || json_number_value(time) < 0 ||
        json_number_value(time) > 1e12 || !get_text(proof, "solver", by, sizeof by)) {
        return false;
    }
    k->obligations = calloc(n + 1, sizeof *k->obligations);
    if (k->obligations == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(array, i);
        struct vt_obligation *o = &k->obligations[i];
        uint64_t took;
        uint32_t result = get_word(one, "result", results, 4);
        if (json_object_size(one) != 5 || result == 4 ||
            !get_text(one, "name", o->name, sizeof o->name) ||
            !get_text(one, "solver", o->solver, sizeof o->solver) ||
            !get_number(one, "took_us", UINT32_MAX, &took) ||
            !get_text(one, "hash", o->hash, sizeof o->hash)) {
            return false;
        }
        o->result = (uint8_t)result;
        o->took_us = (uint32_t)took;
    }
    k->n_obligations = (uint32_t)n;
    k->proof_us = (uint64_t)(json_number_value(time) * 1000);
    return true;
}

static int read_trips(const json_t *object, struct vt_synth_kernel *k, struct vt_error *err)
{
    const json_t *trips = json_object_get(object, "trips");
    if (json_is_null(trips)) {
        return 0;
    }
    if (!json_is_object(trips) || json_object_size(trips) != 5) {
        return wrong(err, "trips");
    }
    k->trips = calloc(1, sizeof *k->trips);
    return k->trips != NULL ? vt_pixel_json_read(trips, k->trips, err)
                            : vt_fail(err, VT_E_NOMEM, "a kernel");
}

static int check_members(const json_t *object, struct vt_error *err)
{
    static const char *const known[] = {
        "version",   "hash",         "x86_hash",      "x86_bytes",     "instructions",
        "pixel_ops", "pixel_inputs", "pixel_carries", "pixel_streams", "pixel_loops",
        "inputs",    "carries",      "streams",       "guards",        "equal",
        "trips",     "proof",        "head"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && strcmp(known[i], key) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof known[0]) {
            char shown[64];
            (void)vt_text_printable(shown, sizeof shown, key, strlen(key));
            return vt_fail(err, VT_E_CORRUPT, "a member \"%s\" that no kernel has", shown);
        }
    }
    return 0;
}

int vt_synth_json_read(const json_t *object, struct vt_synth_kernel *k, struct vt_error *err)
{
    uint64_t version, instructions;
    int rc = json_is_object(object) ? check_members(object, err)
                                    : vt_fail(err, VT_E_CORRUPT, "not a JSON object");
    if (rc == 0 && (!get_number(object, "version", UINT32_MAX, &version) ||
                    version != VT_SYNTH_FILE_VERSION)) {
        rc = vt_fail(err, VT_E_CORRUPT, "not a kernel of version %u", VT_SYNTH_FILE_VERSION);
    }
    rc = rc != 0 ? rc : read_code(object, &k->loop, err);
    rc = rc != 0 ? rc : vt_pixel_json_read(object, &k->program, err);
    if (rc == 0 && !get_number(object, "instructions", UINT32_MAX, &instructions)) {
        rc = wrong(err, "instructions");
    }
    k->instructions = rc == 0 ? (uint32_t)instructions : 0;
    if (rc == 0 && !read_places(object, "inputs", k->program.n_inputs, k->inputs)) {
        rc = wrong(err, "inputs");
    }
    if (rc == 0 && !read_places(object, "carries", k->program.n_carries, k->carries)) {
        rc = wrong(err, "carries");
    }
    if (rc == 0 && !read_streams(object, k)) {
        rc = wrong(err, "streams");
    }
    if (rc == 0 && !read_guards(json_object_get(object, "guards"), k)) {
        rc = wrong(err, "guards");
    }
    if (rc == 0 && !read_equal(json_object_get(object, "equal"), k)) {
        rc = wrong(err, "equal");
    }
    rc = rc != 0 ? rc : read_trips(object, k, err);
    if (rc == 0 && !get_hex(object, "head", &k->loop.head)) {
        rc = wrong(err, "head");
    }
    if (rc == 0 && !read_obligations(json_object_get(object, "proof"), k)) {
        rc = wrong(err, "proof");
    }
    return rc;
}
