/* synth/file_write.c - kernels to JSON. See file.h. */
#include "pixel/json.h"
#include "synth/file.h"

#include <string.h>

#define TEN(tens)                                                                                  \
    "place." #tens "0", "place." #tens "1", "place." #tens "2", "place." #tens "3",                \
        "place." #tens "4", "place." #tens "5", "place." #tens "6", "place." #tens "7",            \
        "place." #tens "8", "place." #tens "9"

const char *vt_linear_register(uint32_t reg)
{
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                        "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                        "r12", "r13", "r14", "r15", "fs",  "gs"};
    static const char *const places[] = {TEN(0), TEN(1), TEN(2), TEN(3),  TEN(4),  TEN(5), TEN(6),
                                         TEN(7), TEN(8), TEN(9), TEN(10), TEN(11), TEN(12)};
    uint32_t place = reg - VT_LINEAR_PLACE;
    return reg < sizeof names / sizeof names[0]                                 ? names[reg]
           : reg >= VT_LINEAR_PLACE && place < sizeof places / sizeof places[0] ? places[place]
                                                                                : NULL;
}

static void write_linear(struct vt_json_writer *w, const struct vt_linear *l)
{
    vt_json_object(w);
    vt_json_kv_hex(w, "constant", l->constant);
    vt_json_key(w, "sum");
    vt_json_array(w);
    for (uint32_t i = 0; i < l->n; i++) {
        vt_json_object(w);
        vt_json_kv_string(w, "register", vt_linear_register(l->part[i].reg));
        vt_json_kv_hex(w, "times", l->part[i].coefficient);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
}

static void write_place(struct vt_json_writer *w, const struct vt_place *p)
{
    static const char *const kinds[] = {
        [VT_PLACE_GPR] = "register",      [VT_PLACE_XMM_LOW] = "xmm.low",
        [VT_PLACE_XMM_HIGH] = "xmm.high", [VT_PLACE_YMM_LOW] = "ymm.low",
        [VT_PLACE_YMM_HIGH] = "ymm.high", [VT_PLACE_FS_BASE] = "fs.base",
        [VT_PLACE_GS_BASE] = "gs.base",   [VT_PLACE_CELL] = "cell",
    };
    vt_json_object(w);
    vt_json_kv_string(w, "kind", kinds[p->kind]);
    if (p->kind == VT_PLACE_GPR) {
        vt_json_kv_string(w, "register", vt_linear_register(p->reg));
    } else if (vt_place_is_vector(p->kind)) {
        vt_json_kv_u64(w, "number", p->reg);
    } else if (p->kind == VT_PLACE_CELL) {
        vt_json_kv_u64(w, "bytes", p->bytes);
        vt_json_key(w, "address");
        write_linear(w, &p->address);
    }
    vt_json_object_end(w);
}

static void write_places(struct vt_json_writer *w, const char *key, const struct vt_place *places,
                         uint32_t n)
{
    vt_json_key(w, key);
    vt_json_array(w);
    for (uint32_t i = 0; i < n; i++) {
        write_place(w, &places[i]);
    }
    vt_json_array_end(w);
}

static void write_bytes(struct vt_json_writer *w, const struct vt_synth_loop *loop)
{
    vt_json_key(w, "x86_bytes");
    vt_json_array(w);
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        const struct vt_synth_block *b = &loop->blocks[i];
        char hex[2 * VT_SYNTH_BYTES_MAX + 1];
        for (uint32_t j = 0; j < b->n; j++) {
            snprintf(hex + 2 * (size_t)j, 3, "%02x", loop->bytes[b->first + j]);
        }
        hex[2 * (size_t)b->n] = '\0';
        vt_json_object(w);
        vt_json_kv_i64(w, "at", b->at);
        vt_json_kv_string(w, "bytes", hex);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

/* Streams that are aligned to so much. Of 32 bytes only where there are such. */
static void write_aligned(struct vt_json_writer *w, const char *key, unsigned to,
                          const struct vt_synth_kernel *k)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        n += k->aligned[i] == to;
    }
    if (n == 0 && to != 16) {
        return;
    }
    vt_json_key(w, key);
    vt_json_array(w);
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        if (k->aligned[i] == to) {
            vt_json_u64(w, i);
        }
    }
    vt_json_array_end(w);
}

static void write_guards(struct vt_json_writer *w, const struct vt_synth_kernel *k)
{
    vt_json_key(w, "guards");
    vt_json_object(w);
    write_aligned(w, "aligned", 16, k);
    write_aligned(w, "aligned_32", 32, k);
    vt_json_key(w, "disjoint");
    vt_json_array(w);
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        vt_json_object(w);
        vt_json_kv_u64(w, "a", k->disjoint[i].a);
        vt_json_kv_u64(w, "b", k->disjoint[i].b);
        vt_json_kv_bool(w, "only_parallel", k->disjoint[i].only_parallel);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
}

static void write_equal(struct vt_json_writer *w, const struct vt_synth_kernel *k)
{
    vt_json_key(w, "equal");
    vt_json_array(w);
    for (uint32_t i = 0; i < k->n_equal; i++) {
        vt_json_object(w);
        vt_json_key(w, "place");
        write_place(w, &k->equal[i].place);
        vt_json_key(w, "is");
        write_linear(w, &k->equal[i].sum);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

void vt_synth_json_content(const struct vt_synth_kernel *k, struct vt_json_writer *w)
{
    vt_json_kv_u64(w, "version", VT_SYNTH_FILE_VERSION);
    vt_json_kv_string(w, "x86_hash", k->loop.hash);
    write_bytes(w, &k->loop);
    vt_json_kv_u64(w, "instructions", k->instructions);
    vt_pixel_json_write(&k->program, w);
    write_places(w, "inputs", k->inputs, k->program.n_inputs);
    write_places(w, "carries", k->carries, k->program.n_carries);
    vt_json_key(w, "streams");
    vt_json_array(w);
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        write_linear(w, &k->streams[i]);
    }
    vt_json_array_end(w);
    write_guards(w, k);
    if (k->n_equal > 0) {
        write_equal(w, k);
    }
    vt_json_key(w, "trips");
    if (k->trips == NULL) {
        vt_json_null(w);
    } else {
        vt_json_object(w);
        vt_pixel_json_write(k->trips, w);
        vt_json_object_end(w);
    }
}

/* "z3", or both by name, or "structure" where no solver was needed. */
static const char *solvers(const struct vt_synth_kernel *k)
{
    bool z3 = false, bitwuzla = false;
    for (uint32_t i = 0; i < k->n_obligations; i++) {
        z3 = z3 || strcmp(k->obligations[i].solver, "z3") == 0;
        bitwuzla = bitwuzla || strcmp(k->obligations[i].solver, "bitwuzla") == 0;
    }
    return z3 && bitwuzla ? "z3, bitwuzla" : z3 ? "z3" : bitwuzla ? "bitwuzla" : "structure";
}

void vt_synth_json_proof(const struct vt_synth_kernel *k, struct vt_json_writer *w)
{
    static const char *const results[] = {"open", "holds", "false", "unknown"};
    vt_json_key(w, "proof");
    vt_json_object(w);
    vt_json_kv_bool(w, "proven", k->proven);
    vt_json_kv_string(w, "solver", solvers(k));
    vt_json_kv_f64(w, "time_ms", (double)k->proof_us / 1000, 6);
    vt_json_key(w, "obligations");
    vt_json_array(w);
    for (uint32_t i = 0; i < k->n_obligations; i++) {
        const struct vt_obligation *o = &k->obligations[i];
        vt_json_object(w);
        vt_json_kv_string(w, "name", o->name);
        vt_json_kv_string(w, "result", results[o->result]);
        vt_json_kv_string(w, "solver", o->solver);
        vt_json_kv_u64(w, "took_us", o->took_us);
        vt_json_kv_string(w, "hash", o->hash);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
}
