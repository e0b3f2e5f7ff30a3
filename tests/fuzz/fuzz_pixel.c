/* tests/fuzz/fuzz_pixel.c - a program of any bytes, as text or, if they begin with '{', as JSON:
 * refused, or it comes back the same when it is written and read again in either form, and running
 * it touches nothing but its windows (each stream's are a block of its own). */
#include "tests/fuzz/fuzz.h"

#include "pixel/json.h"

#include <string.h>

enum { ITERATIONS = 3, STRIDE_MAX = 4096 };

static int read_json(struct vt_pixel_program *p, const char *bytes, size_t count)
{
    json_t *root = json_loadb(bytes, count, 0, NULL);
    int rc = root != NULL ? vt_pixel_json_read(root, p, NULL) : -1;
    json_decref(root);
    return rc;
}

static char *write_form(const struct vt_pixel_program *p, bool json, size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    FUZZ_CHECK(out != NULL);
    if (json) {
        struct vt_json_writer w;
        vt_json_init(&w, out, false);
        vt_json_object(&w);
        vt_pixel_json_write(p, &w);
        vt_json_object_end(&w);
        vt_json_finish(&w);
    } else {
        FUZZ_CHECK(vt_pixel_write(p, out, NULL) == 0);
    }
    FUZZ_CHECK(fclose(out) == 0);
    return text;
}

static void check_again(const struct vt_pixel_program *p, bool json)
{
    struct vt_pixel_program again;
    size_t bytes, second_bytes;
    char *text = write_form(p, json, &bytes);
    FUZZ_CHECK((json ? read_json(&again, text, bytes) : vt_pixel_read(&again, text, bytes, NULL)) ==
               0);
    FUZZ_CHECK(again.n_insns == p->n_insns);
    FUZZ_CHECK(p->n_insns == 0 ||
               memcmp(again.insns, p->insns, p->n_insns * sizeof *p->insns) == 0);
    char *second = write_form(&again, json, &second_bytes);
    FUZZ_CHECK(bytes == second_bytes && memcmp(text, second, bytes) == 0);
    vt_pixel_fini(&again);
    free(second);
    free(text);
}

/** Whether all its accesses are known to lie in windows, and these are small. */
static bool may_run(const struct vt_pixel_program *p)
{
    for (uint32_t i = 0; i < p->n_insns; i++) {
        bool access = p->insns[i].op == VT_PIXEL_LOAD || p->insns[i].op == VT_PIXEL_STORE;
        if (access && p->insns[i].a != VT_PIXEL_NONE) {
            return false;
        }
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        if (p->streams[i].stride < -STRIDE_MAX || p->streams[i].stride > STRIDE_MAX) {
            return false;
        }
    }
    return p->n_insns < 2000;
}

static void run(struct vt_pixel_program *p)
{
    uint64_t inputs[VT_PIXEL_INPUTS_MAX], carries[VT_PIXEL_CARRIES_MAX];
    uint8_t *blocks[VT_PIXEL_STREAMS_MAX], *streams[VT_PIXEL_STREAMS_MAX];
    for (uint32_t i = 0; i < VT_PIXEL_INPUTS_MAX; i++) {
        inputs[i] = 16; /* also where it is a stride */
        carries[i] = UINT64_MAX - i;
    }
    for (uint32_t i = 0; i < p->n_loops; i++) {
        p->loops[i].max_trips = 1 + p->loops[i].max_trips % 4;
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i];
        int64_t stride = s->stride_input == VT_PIXEL_NONE ? s->stride : 16;
        int64_t way = stride * (ITERATIONS - 1);
        blocks[i] = calloc(1, (size_t)(s->high - s->low + (way < 0 ? -way : way)));
        FUZZ_CHECK(blocks[i] != NULL);
        uintptr_t at = (uintptr_t)blocks[i] - (uintptr_t)(int64_t)s->low;
        streams[i] = (uint8_t *)(at + (uintptr_t)(way < 0 ? -way : 0));
    }
    struct vt_pixel_call call = {
        .count = ITERATIONS, .inputs = inputs, .carries = carries, .streams = streams};
    uint64_t ran = vt_pixel_interpret(p, &call);
    FUZZ_CHECK(ran == ITERATIONS || (ran < ITERATIONS && !p->counted));
    for (uint32_t i = 0; i < p->n_carries; i++) {
        FUZZ_CHECK(p->carries[i].bits == 64 || carries[i] >> p->carries[i].bits == 0);
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        free(blocks[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_pixel_program p;
    const char *text = (const char *)bytes;
    bool json = count > 0 && text[0] == '{';
    if ((json ? read_json(&p, text, count) : vt_pixel_read(&p, text, count, NULL)) == 0) {
        check_again(&p, false);
        check_again(&p, true);
        if (may_run(&p)) {
            run(&p);
        }
        vt_pixel_fini(&p);
    }
    return 0;
}
