/* trace/export_csv.c - a line an instruction, a block or an access (RFC 4180: CRLF, quotes
 * doubled).
 *
 * Instructions are those that completed; a block's line says how far it came. What a block's
 * instructions are is written once and kept while there is room: decoding and naming take longest.
 */
#include "trace/export_parts.h"

#include "base/text.h"
#include "trace/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const heads[] = {
    [VT_TRACE_CSV_INSTRUCTIONS] =
        "vcpu,time_ns,root,pid,process,pc,object,function,offset,bytes,class,text",
    [VT_TRACE_CSV_BLOCKS] = ("vcpu,sequence,time_ns,root,pid,process,block,pc,physical,object,"
                             "function,offset,instructions,executed,end,from,to"),
    [VT_TRACE_CSV_ACCESSES] =
        "vcpu,time_ns,root,pid,process,pc,object,function,offset,access,bytes,address,value,device",
};

/** Of texts that are kept, in all; and blocks they are of. */
#define KEPT_BYTES_MAX ((size_t)256 << 20)
#define KEPT_BLOCKS_MAX ((uint32_t)1 << 22)

/* The ends of a block's lines, from the PC on. */
struct kept {
    char *text;   /* NULL: none yet */
    uint32_t *at; /* where each begins; one more: the end */
    uint64_t root;
};
struct csv {
    struct kept *blocks;
    uint32_t n_blocks;
    size_t bytes;
};

static int begin(struct vt_trace_export *x, struct vt_error *err)
{
    x->own = calloc(1, sizeof(struct csv));
    if (x->own == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a table");
    }
    fprintf(x->out, "%s\r\n", heads[x->options->rows]);
    return 0;
}

/* A field of text that somebody else chose. */
static void put_text(FILE *out, const char *text)
{
    char safe[VT_TRACE_TEXT];
    if (text == NULL) {
        return;
    }
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    if (strpbrk(safe, ",\"") == NULL) {
        fputs(safe, out);
        return;
    }
    putc('"', out);
    for (const char *at = safe; *at != '\0'; at++) {
        if (*at == '"') {
            putc('"', out);
        }
        putc(*at, out);
    }
    putc('"', out);
}

static void put_root(FILE *out, uint64_t root)
{
    if (root != UINT64_MAX) {
        fprintf(out, ",0x%" PRIx64, root);
    } else {
        putc(',', out);
    }
}

static void put_process(FILE *out, const struct vt_trace_place *place)
{
    if (place->process != NULL) {
        fprintf(out, ",%" PRId64 ",", place->pid);
        put_text(out, place->process);
    } else {
        fputs(",,", out);
    }
}

static void put_place(FILE *out, const struct vt_trace_place *place)
{
    putc(',', out);
    put_text(out, place->object);
    putc(',', out);
    put_text(out, place->function);
    if (place->object != NULL || place->function != NULL) {
        fprintf(out, ",0x%" PRIx64, place->offset);
    } else {
        putc(',', out);
    }
}

static void find_place(const struct vt_trace_export *x, const struct vt_trace_event *e, uint64_t pc,
                       struct vt_trace_place *place)
{
    (void)vt_trace_place(x->names, e->root, e->block, pc, place);
}

/* Writes what a block's instructions are; *at has room for each of them and one more. */
static void put_tails(struct vt_trace_export *x, const struct vt_trace_event *e, FILE *out,
                      uint32_t *at)
{
    struct vt_trace_instruction insn;
    struct vt_trace_place place;
    for (unsigned i = 0; i < e->block->n; i++) {
        at[i] = (uint32_t)ftell(out);
        vt_trace_decode(e->block, i, &insn);
        find_place(x, e, insn.pc, &place);
        fprintf(out, ",0x%" PRIx64, insn.pc);
        put_place(out, &place);
        putc(',', out);
        for (unsigned b = 0; insn.bytes != NULL && b < insn.size; b++) {
            fprintf(out, "%02x", insn.bytes[b]);
        }
        fprintf(out, ",%s,", vt_trace_class_name(insn.class));
        put_text(out, insn.text);
        fputs("\r\n", out);
    }
    at[e->block->n] = (uint32_t)ftell(out);
}

static int make_kept(struct vt_trace_export *x, const struct vt_trace_event *e, struct kept *kept,
                     struct vt_error *err)
{
    size_t n = 0;
    struct kept made = {.root = e->root};
    FILE *out = open_memstream(&made.text, &n);
    made.at = calloc(e->block->n + 1u, sizeof *made.at);
    if (out != NULL && made.at != NULL) {
        put_tails(x, e, out, made.at);
    }
    bool ok = out != NULL && fclose(out) == 0 && made.at != NULL;
    if (!ok) {
        free(made.text);
        free(made.at);
        return vt_fail(err, VT_E_NOMEM, "no memory for the lines of a block");
    }
    *kept = made;
    ((struct csv *)x->own)->bytes += n;
    return 0;
}

static void drop(struct kept *kept)
{
    free(kept->text);
    free(kept->at);
    *kept = (struct kept){0};
}

/* Where the lines of the event's block are kept, NULL: nowhere. */
static struct kept *keep(struct csv *c, const struct vt_trace_event *e)
{
    uint32_t id = e->block->id;
    if (id >= KEPT_BLOCKS_MAX || c->bytes > KEPT_BYTES_MAX) {
        return id < c->n_blocks && c->blocks[id].text != NULL ? &c->blocks[id] : NULL;
    }
    if (id >= c->n_blocks) {
        uint32_t n = c->n_blocks > 0 ? c->n_blocks : 4096;
        while (n <= id) {
            n *= 2;
        }
        struct kept *more = reallocarray(c->blocks, n, sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        memset(more + c->n_blocks, 0, (n - c->n_blocks) * sizeof *more);
        c->blocks = more;
        c->n_blocks = n;
    }
    return &c->blocks[id];
}

static int put_instructions(struct vt_trace_export *x, const struct vt_trace_event *e,
                            struct vt_error *err)
{
    struct vt_trace_place place;
    struct kept once = {0}, *kept = keep(x->own, e);
    int rc = 0;
    kept = kept != NULL ? kept : &once;
    if (kept->text != NULL && kept->root != e->root) { /* another process: other names */
        drop(kept);
    }
    if (kept->text == NULL) {
        rc = make_kept(x, e, kept, err);
    }
    find_place(x, e, e->block->pc, &place);
    for (unsigned i = 0; rc == 0 && i < e->executed && i < e->block->n; i++) {
        fprintf(x->out, "%u,%" PRIu64, e->vcpu, e->time_ns);
        put_root(x->out, e->root);
        put_process(x->out, &place);
        fwrite(kept->text + kept->at[i], 1, kept->at[i + 1] - kept->at[i], x->out);
    }
    drop(&once);
    return rc;
}

static void put_block(struct vt_trace_export *x, const struct vt_trace_event *e)
{
    struct vt_trace_place place;
    find_place(x, e, e->block->pc, &place);
    fprintf(x->out, "%u,%" PRIu64 ",%" PRIu64, e->vcpu, e->sequence, e->time_ns);
    put_root(x->out, e->root);
    put_process(x->out, &place);
    fprintf(x->out, ",%" PRIu32 ",0x%" PRIx64 ",", e->block->id, e->block->pc);
    if (e->block->physical != UINT64_MAX) {
        fprintf(x->out, "0x%" PRIx64, e->block->physical);
    }
    put_place(x->out, &place);
    fprintf(x->out, ",%u,%u,%s", e->block->n, e->executed, vt_trace_end_name(e->end));
    if (e->end == VT_TRACE_END_INTERRUPT || e->end == VT_TRACE_END_EXCEPTION ||
        e->end == VT_TRACE_END_HOST) {
        fprintf(x->out, ",0x%" PRIx64 ",0x%" PRIx64 "\r\n", e->from, e->to);
    } else {
        fputs(",,\r\n", x->out);
    }
}

static void put_accesses(struct vt_trace_export *x, const struct vt_trace_event *e)
{
    struct vt_trace_place place;
    uint64_t pc = e->block->pc;
    unsigned at = 0;
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        const struct vt_trace_access *a = &e->accesses[i];
        if (a->instruction < at) { /* they are in order, as a rule */
            pc = e->block->pc;
            at = 0;
        }
        for (; at < a->instruction && at < e->block->n; at++) {
            pc += e->block->sizes[at];
        }
        find_place(x, e, pc, &place);
        fprintf(x->out, "%u,%" PRIu64, e->vcpu, e->time_ns);
        put_root(x->out, e->root);
        put_process(x->out, &place);
        fprintf(x->out, ",0x%" PRIx64, pc);
        put_place(x->out, &place);
        fprintf(x->out, ",%s,%u,0x%" PRIx64 ",", a->store ? "store" : "load", a->bytes, a->address);
        if (a->has_value && a->bytes == 16) {
            fprintf(x->out, "0x%016" PRIx64 "%016" PRIx64, a->value[1], a->value[0]);
        } else if (a->has_value) {
            fprintf(x->out, "0x%" PRIx64, a->value[0]);
        }
        fprintf(x->out, ",%d\r\n", a->device);
    }
}

static int put(struct vt_trace_export *x, const struct vt_trace_event *event, struct vt_error *err)
{
    if (event->kind != VT_TRACE_EV_BLOCK) {
        return 0;
    }
    switch (x->options->rows) {
    case VT_TRACE_CSV_INSTRUCTIONS:
        return put_instructions(x, event, err);
    case VT_TRACE_CSV_BLOCKS:
        put_block(x, event);
        break;
    case VT_TRACE_CSV_ACCESSES:
        put_accesses(x, event);
        break;
    }
    return 0;
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    struct csv *c = x->own;
    (void)whole;
    (void)err;
    for (uint32_t i = 0; c != NULL && i < c->n_blocks; i++) {
        drop(&c->blocks[i]);
    }
    if (c != NULL) {
        free(c->blocks);
    }
    free(c);
    return 0;
}

const struct vt_trace_exporter vt_trace_exporter_csv = {
    .name = "csv", .begin = begin, .put = put, .end = end};
