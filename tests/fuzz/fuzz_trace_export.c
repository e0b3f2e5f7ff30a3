/* tests/fuzz/fuzz_trace_export.c - any blocks in any order: what is exported of them is bounded and
 * adds up, and a recording is equal to itself.
 *
 * Ten bytes an event: kind and end, vCPU and root, place, length, executed, id, size, where in the
 * input its code lies, time, an access. The first bytes of the input choose architecture and
 * format.
 */
#include "tests/fuzz/fuzz.h"

#include "trace/diff.h"
#include "trace/export.h"
#include "trace/source.h"

#include <stdlib.h>
#include <string.h>

#define EVENT 10u
#define EVENTS_MAX 2048u

struct made {
    struct vt_trace_source source;
    struct vt_trace_info info;
    const uint8_t *data;
    size_t size, at, n, changed; /* that one has another place */
    uint64_t time_ns;
    /* of the event that came last, or of the id that was asked for */
    struct vt_trace_block block;
    uint8_t sizes[16], code[64];
    struct vt_trace_access access;
    uint64_t registers[4];
};

/* A block is what its id says, wherever it is run: as sources have it. */
static void make_block(struct made *m, uint32_t id)
{
    static const uint64_t bases[] = {0x401000, 0xffffffff81000000u, 0, UINT64_MAX - 200};
    size_t from = (size_t)id * 7 % m->size;
    m->block =
        (struct vt_trace_block){.id = id,
                                .pc = bases[id & 3] + (id >> 2),
                                .n = (uint16_t)(1 + m->data[from] % sizeof m->sizes),
                                .sizes = m->sizes,
                                .code = m->code,
                                .code_bytes = (uint16_t)(m->data[from] / 2 % sizeof m->code)};
    for (size_t i = 0; i < sizeof m->sizes; i++) {
        m->sizes[i] = (uint8_t)(m->data[(from + i) % m->size] % 16);
    }
    for (size_t i = 0; i < sizeof m->code; i++) {
        m->code[i] = m->data[(from + i) % m->size];
    }
}

static int next(struct vt_trace_source *source, uint64_t timeout_ms, struct vt_trace_event *e,
                struct vt_error *err)
{
    struct made *m = (struct made *)source;
    const uint8_t *b = m->data + m->at;
    (void)timeout_ms;
    (void)err;
    if (m->n == EVENTS_MAX || m->at + EVENT > m->size) {
        return 0;
    }
    m->at += EVENT;
    make_block(m, b[5] ^ (m->n == m->changed));
    m->time_ns += (b[8] & 7) == 0 ? (uint64_t)b[8] << (b[8] >> 3) : 0;
    m->access = (struct vt_trace_access){.instruction = b[9] & 31,
                                         .bytes = (uint8_t)(1u << (b[9] >> 5) % 5),
                                         .store = (b[9] & 1) != 0,
                                         .has_value = (b[9] & 2) != 0,
                                         .address = (uint64_t)b[7] << (b[6] & 31)};
    *e = (struct vt_trace_event){
        .kind = (b[0] & 7) < 7 ? (enum vt_trace_kind)((b[0] & 7) * (b[0] >> 7)) : VT_TRACE_EV_CUT,
        .end = (enum vt_trace_end)((b[0] >> 3) % 6),
        .vcpu = b[1] & 3,
        .sequence = m->n++,
        .time_ns = m->time_ns,
        .root = (b[1] >> 6) == 3 ? ~(uint64_t)0 : b[1] >> 6,
        .block = &m->block,
        .executed = (uint16_t)(b[4] % (m->block.n + 1u)),
        .from = m->block.pc + (b[4] & 15),
        .to = (uint64_t)(int64_t)(int8_t)b[2],
        .n_accesses = b[3] & 1,
        .accesses = &m->access,
        .n_registers = b[3] & 3,
        .registers = m->registers,
        .detail = b[2] & 7,
        .lost_words = b[2]};
    return 1;
}

static const struct vt_trace_block *block(const struct vt_trace_source *source, uint32_t id)
{
    struct made *m = (struct made *)source;
    make_block(m, id);
    return &m->block;
}

static const struct vt_trace_info *info(struct vt_trace_source *source)
{
    return &((struct made *)source)->info;
}

static const struct vt_trace_source_kind kind = {.next = next, .block = block, .info = info};

static void begin(struct made *m, const uint8_t *data, size_t size, size_t changed)
{
    static const char *const archs[] = {"x86_64", "x86_64", "aarch64", "riscv64", "other"};
    *m = (struct made){.source = {.kind = &kind}, .data = data, .size = size, .changed = changed};
    m->at = 2;
    m->info.vcpus = 4;
    snprintf(m->info.arch, sizeof m->info.arch, "%s", archs[data[0] % 5]);
}

/* ---- exports ---- */

static void check_collapsed(char *text, const struct vt_trace_export_done *done)
{
    uint64_t sum = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *blank = strrchr(line, ' ');
        FUZZ_CHECK(blank != NULL);
        sum += strtoull(blank, NULL, 10);
    }
    FUZZ_CHECK(sum == done->instructions);
}

static void export(struct made *m, uint8_t how)
{
    const struct vt_trace_export_options options = {
        .format = (enum vt_trace_export_format)(how % VT_TRACE_EXPORT_FORMATS),
        .clock = (enum vt_trace_clock)(how / 8 % 3),
        .rows = (enum vt_trace_csv_rows)(how / 32 % 3),
        .shortest_ns = (how & 128) != 0 ? 50 : 0};
    struct vt_trace_export_done done;
    struct vt_error err;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    FUZZ_CHECK(out != NULL);
    FUZZ_CHECK(vt_trace_export(&m->source, NULL, &options, out, &done, &err) == 0);
    fclose(out);
    if (options.format == VT_TRACE_EXPORT_COLLAPSED && options.clock != VT_TRACE_CLOCK_TIME) {
        check_collapsed(text, &done);
    }
    free(text);
}

/* ---- the same twice, and with a change ---- */

struct both {
    const uint8_t *data;
    size_t size, changed;
    struct made sides[2];
};

static int open_side(void *arg, enum vt_trace_diff_side side, struct vt_trace_source **source,
                     struct vt_trace_names **names, struct vt_error *err)
{
    struct both *both = arg;
    (void)err;
    begin(&both->sides[side], both->data, both->size,
          side == VT_TRACE_DIFF_B ? both->changed : SIZE_MAX);
    *source = &both->sides[side].source;
    *names = NULL;
    return 0;
}

static void close_side(void *arg, enum vt_trace_diff_side side)
{
    (void)arg;
    (void)side;
}

static int tell(void *arg, const struct vt_trace_divergence *d, struct vt_error *err)
{
    (void)arg;
    (void)err;
    for (uint32_t i = 0; i < d->n_before; i++) {
        FUZZ_CHECK(i == 0 || d->before[i].number > d->before[i - 1].number);
    }
    FUZZ_CHECK(!(d->ended[0] && d->ended[1]));
    return 0;
}

static void compare(const uint8_t *data, size_t size, size_t changed)
{
    static struct both both;
    const struct vt_trace_diff_opener opener = {
        .open = open_side, .close = close_side, .tell = tell, .arg = &both};
    const struct vt_trace_diff_options options = {.ignore_interrupts = (data[1] & 1) != 0,
                                                  .user = (data[1] & 2) != 0,
                                                  .relocate = (data[1] & 4) != 0,
                                                  .data = (data[1] & 8) != 0,
                                                  .by_root = (data[1] & 16) != 0,
                                                  .context = 3,
                                                  .window = 200};
    struct vt_trace_diff_result result;
    struct vt_error err;
    both.data = data;
    both.size = size;
    both.changed = changed;
    FUZZ_CHECK(vt_trace_diff(&opener, &options, &result, &err) == 0);
    FUZZ_CHECK(changed != SIZE_MAX || result.divergences == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct made made;
    if (size < 3) {
        return 0;
    }
    begin(&made, data, size, SIZE_MAX);
    export(&made, data[1]);
    compare(data, size, SIZE_MAX);
    compare(data, size, data[0] / 8u);
    return 0;
}
