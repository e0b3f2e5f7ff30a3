/* venus/run.c - the loop that carries out a stream of commands: count, time, observe, and keep the
 * last ones' bytes for whoever asks why a context ended.
 *
 * Nothing in it takes a lock, allocates or reads a clock for most commands. A run's counts are
 * written by its thread alone and read by others at any time.
 */
#include "venus/inside.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_BYTES 8u
/* Commands whose number of executions is a multiple of this are timed. */
#define TIMED_EVERY 64u

/* What was run lately. Bytes stay in the stream until `settle`, which copies those of the last
 * ones before the stream is given back. */
struct vt_venus_last {
    struct {
        const uint8_t *at;
        uint32_t size; /* of the whole command, or up to the stream's end while it runs */
        bool kept;     /* `at` is in `bytes` */
    } entries[VT_VENUS_LAST_COMMANDS];
    uint64_t sequence; /* commands so far */
    uint8_t bytes[VT_VENUS_LAST_COMMANDS][VT_VENUS_LAST_BYTES];
};

static _Thread_local struct vt_venus_run *current;

struct vt_venus_run *vt_venus_run_current(void)
{
    return current;
}

int vt_venus_run_init(struct vt_venus_run *run, struct vt_venus_context *context,
                      struct vt_venus_ring *ring, struct vt_error *err)
{
    struct vt_venus_counts *counts = calloc(1, sizeof *counts);
    struct vt_venus_last *last = calloc(1, sizeof *last);
    if (counts == NULL || last == NULL) {
        free(counts);
        free(last);
        return vt_fail(err, VT_E_NOMEM, "no memory to run commands");
    }
    *run = (struct vt_venus_run){.context = context, .ring = ring, .counts = counts, .last = last};
    vt_venus_arena_init(&run->arena, VT_VENUS_COMMAND_MAX_BYTES);
    vt_venus_out_fixed(&run->reply, NULL, 0);
    run->in.arena = &run->arena;
    run->in.objects = context->objects;
    vt_venus_visitor_add(context->objects, &run->visitor);
    return 0;
}

void vt_venus_run_fini(struct vt_venus_run *run)
{
    if (run->counts == NULL) {
        return;
    }
    vt_venus_visitor_pause(run->context->objects, &run->visitor);
    vt_venus_visitor_remove(run->context->objects, &run->visitor);
    vt_venus_arena_fini(&run->arena);
    vt_venus_shared_put(run->reply_memory);
    free(run->counts);
    free(run->last);
    free(run->copy);
    *run = (struct vt_venus_run){0};
}

void vt_venus_counts_sum(struct vt_venus_counts *to, const struct vt_venus_counts *from)
{
    /* All members are counters. */
    _Atomic uint64_t *sum = (_Atomic uint64_t *)to;
    const _Atomic uint64_t *more = (const _Atomic uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++) {
        vt_venus_count_add(&sum[i], atomic_load_explicit(&more[i], memory_order_relaxed));
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void settle(struct vt_venus_last *last)
{
    for (uint64_t n = 1; n <= least(last->sequence, VT_VENUS_LAST_COMMANDS); n++) {
        unsigned i = (last->sequence - n) % VT_VENUS_LAST_COMMANDS;
        if (last->entries[i].kept) {
            return;
        }
        memcpy(last->bytes[i], last->entries[i].at,
               least(last->entries[i].size, VT_VENUS_LAST_BYTES));
        last->entries[i].at = last->bytes[i];
        last->entries[i].kept = true;
    }
}

/* ---- observers ---- */

static bool pass_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    (void)sink, (void)name, (void)type, (void)array;
    return true;
}
static bool pass_shut(struct vt_venus_sink *sink)
{
    (void)sink;
    return true;
}
static bool pass_number(struct vt_venus_sink *sink, const char *name, const char *type,
                        uint64_t value, bool is_signed)
{
    (void)sink, (void)name, (void)type, (void)value, (void)is_signed;
    return true;
}
static bool pass_real(struct vt_venus_sink *sink, const char *name, const char *type, double value)
{
    (void)sink, (void)name, (void)type, (void)value;
    return true;
}
static bool pass_word(struct vt_venus_sink *sink, const char *name, const char *type,
                      const char *text, uint64_t value)
{
    (void)sink, (void)name, (void)type, (void)text, (void)value;
    return true;
}
static bool pass_text(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes)
{
    (void)sink, (void)name, (void)text, (void)bytes;
    return true;
}
static bool pass_blob(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size)
{
    (void)sink, (void)name, (void)bytes, (void)size;
    return true;
}
static bool pass_handle(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t id)
{
    (void)sink, (void)name, (void)type, (void)id;
    return true;
}
static bool pass_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    (void)sink, (void)name, (void)type;
    return true;
}

/* Where the command ends is known before it is run only by reading it once more. */
static size_t command_size(const struct vt_venus_run *run, const struct vn_command *command,
                           const uint8_t *start)
{
    struct vt_venus_sink pass = {.open = pass_open,
                                 .shut = pass_shut,
                                 .number = pass_number,
                                 .real = pass_real,
                                 .word = pass_word,
                                 .text = pass_text,
                                 .blob = pass_blob,
                                 .handle = pass_handle,
                                 .null = pass_null};
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, VT_VENUS_COMMAND_MAX_BYTES);
    struct vt_venus_in in = {
        .start = start, .at = start + HEADER_BYTES, .end = run->in.end, .arena = &arena};
    if (command->describe != NULL) {
        command->describe(&in, &pass);
    }
    vt_venus_arena_fini(&arena);
    return (size_t)(in.at - start);
}

static void run_observed(struct vt_venus_run *run, const struct vn_command *command,
                         const uint8_t *start, uint32_t flags)
{
    struct vt_venus_context *context = run->context;
    const struct vt_venus_observer *observer = &vt_venus_context_options(context)->observer;
    struct vt_venus_observed seen = {.context = context->id,
                                     .ring = run->ring != NULL ? run->ring->id : 0,
                                     .command = command->id,
                                     .bytes = start,
                                     .size = command_size(run, command, start)};
    const uint8_t *reply = run->reply.at;
    uint64_t begun = observer->begin(observer->arg, context, &seen);
    command->run(run, flags);
    if (!vt_venus_bad(&run->in) && observer->end != NULL) {
        if ((flags & 1) != 0 && run->reply.at > reply) {
            seen.reply = reply;
            seen.reply_bytes = (size_t)(run->reply.at - reply);
        }
        observer->end(observer->arg, context, &seen, begun);
    }
}

/* ---- the loop ---- */

/* Runs the command at the cursor, whose fault says what was wrong with it. */
static void run_one(struct vt_venus_run *run)
{
    struct vt_venus_in *in = &run->in;
    struct vt_venus_last *last = run->last;
    const uint8_t *start = in->at;
    in->fault.command = NULL;
    in->owner = NULL;
    uint32_t number = vt_venus_u32(in);
    uint32_t flags = vt_venus_u32(in);
    if (vt_venus_bad(in)) {
        return;
    }
    unsigned entry = last->sequence++ % VT_VENUS_LAST_COMMANDS;
    last->entries[entry].at = start;
    last->entries[entry].size = (uint32_t)least((size_t)(in->end - start), UINT32_MAX);
    last->entries[entry].kept = false;

    const struct vn_command *command =
        number < VT_VENUS_COMMANDS_MAX ? vn_command_of(number) : NULL;
    if (command == NULL) {
        vt_venus_count_add(&run->counts->unknown, 1);
        vt_venus_fail(in, VT_VENUS_UNKNOWN, NULL, number, 0);
        return;
    }
    in->fault.command = command->name;
    if (flags > 1) {
        vt_venus_fail(in, VT_VENUS_VALUE, "flags", flags, 1);
        return;
    }
    struct vt_venus_count *count = &run->counts->by_command[number];
    uint64_t n = atomic_load_explicit(&count->count, memory_order_relaxed);
    uint64_t began = n % TIMED_EVERY == 0 ? vt_now_ns() : 0;
    const uint8_t *reply = run->reply.at;
    run->result = VK_SUCCESS;
    if (__builtin_expect(run->context->observed, 0)) {
        run_observed(run, command, start, flags);
    } else {
        command->run(run, flags);
    }
    atomic_store_explicit(&count->count, n + 1, memory_order_relaxed);
    if (n % TIMED_EVERY == 0) {
        vt_venus_count_add(&count->timed_ns, vt_now_ns() - began);
    }
    if (run->result < 0) {
        vt_venus_count_add(&count->failed, 1);
    }
    if ((flags & 1) != 0) {
        if (run->reply.overflow) {
            vt_venus_fail(in, VT_VENUS_COUNT, "the reply stream's size",
                          (uint64_t)(run->reply.at - run->reply.start), run->reply.max);
        }
        vt_venus_count_add(&run->counts->replies, 1);
        vt_venus_count_add(&run->counts->reply_bytes, (uint64_t)(run->reply.at - reply));
    }
    last->entries[entry].size = (uint32_t)least((size_t)(in->at - start), UINT32_MAX);
}

static void end_by_fault(struct vt_venus_run *run)
{
    char text[320];
    vt_venus_fault_text(&run->in.fault, text, sizeof text);
    if (run->ring != NULL) {
        vt_venus_context_end(run->context, "%s (ring %" PRIu64 ")", text, run->ring->id);
    } else {
        vt_venus_context_end(run->context, "%s (the context's own stream)", text);
    }
}

bool vt_venus_run_stream(struct vt_venus_run *run, const uint8_t *stream, size_t bytes)
{
    struct vt_venus_run *outer = current;
    struct vt_venus_in *in = &run->in;
    struct vt_venus_ring *ring = run->depth == 0 ? run->ring : NULL;
    bool fine = true;
    in->start = stream;
    in->at = stream;
    in->end = stream + bytes;
    in->fault = (struct vt_venus_fault){.kind = VT_VENUS_FINE};
    vt_venus_count_add(&run->counts->bytes, run->depth == 0 ? bytes : 0);
    current = run;
    while (in->at != in->end && fine) {
        run_one(run);
        vt_venus_arena_reset(&run->arena);
        if (vt_venus_bad(in)) {
            end_by_fault(run);
        }
        fine = !atomic_load_explicit(&run->context->ending, memory_order_relaxed);
        if (fine && ring != NULL) {
            vt_venus_ring_advance(ring, (size_t)(in->at - stream));
        }
    }
    settle(run->last);
    current = outer;
    return fine;
}

/* ---- what was run last ---- */

struct line {
    struct vt_venus_sink sink;
    char text[400];
    size_t used;
    bool first;
    uint64_t arrays; /* a bit for each that is open, the innermost lowest */
};

static bool say(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool say(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, args);
    va_end(args);
    line->used = least(line->used + (size_t)(n > 0 ? n : 0), sizeof line->text - 1);
    return line->used < sizeof line->text - 1;
}
static bool say_name(struct line *line, const char *name)
{
    bool first = line->first;
    line->first = false;
    return say(line, "%s%s ", first ? "" : ", ", name != NULL ? name : "");
}
static bool say_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    struct line *line = (struct line *)sink;
    (void)type;
    say_name(line, name);
    line->first = true;
    line->arrays = line->arrays << 1 | (uint64_t)array;
    return say(line, array ? "[" : "{");
}
static bool say_shut(struct vt_venus_sink *sink)
{
    struct line *line = (struct line *)sink;
    line->first = false;
    bool array = (line->arrays & 1) != 0;
    line->arrays >>= 1;
    return say(line, array ? "]" : "}");
}
static bool say_number(struct vt_venus_sink *sink, const char *name, const char *type,
                       uint64_t value, bool is_signed)
{
    struct line *line = (struct line *)sink;
    (void)type;
    say_name(line, name);
    return is_signed ? say(line, "%" PRId64, (int64_t)value) : say(line, "%" PRIu64, value);
}
static bool say_real(struct vt_venus_sink *sink, const char *name, const char *type, double value)
{
    (void)type;
    return say_name((struct line *)sink, name) && say((struct line *)sink, "%g", value);
}
static bool say_word(struct vt_venus_sink *sink, const char *name, const char *type,
                     const char *text, uint64_t value)
{
    (void)type, (void)value;
    return say_name((struct line *)sink, name) && say((struct line *)sink, "%s", text);
}
static bool say_text(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes)
{
    char safe[80];
    vt_text_printable(safe, sizeof safe, text, bytes);
    return say_name((struct line *)sink, name) && say((struct line *)sink, "\"%s\"", safe);
}
static bool say_blob(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size)
{
    (void)bytes;
    return say_name((struct line *)sink, name) && say((struct line *)sink, "<%zu bytes>", size);
}
static bool say_handle(struct vt_venus_sink *sink, const char *name, const char *type, uint64_t id)
{
    (void)type;
    return say_name((struct line *)sink, name) && say((struct line *)sink, "#%" PRIu64, id);
}
static bool say_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    (void)type;
    return say_name((struct line *)sink, name) && say((struct line *)sink, "NULL");
}

static void describe(struct line *line, const uint8_t *bytes, size_t size,
                     struct vt_venus_arena *arena)
{
    *line = (struct line){.sink = {.open = say_open,
                                   .shut = say_shut,
                                   .number = say_number,
                                   .real = say_real,
                                   .word = say_word,
                                   .text = say_text,
                                   .blob = say_blob,
                                   .handle = say_handle,
                                   .null = say_null},
                          .first = true};
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    const struct vn_command *command =
        number < VT_VENUS_COMMANDS_MAX ? vn_command_of(number) : NULL;
    if (command == NULL) {
        say(line, "command %" PRIu32, number);
        return;
    }
    say(line, "%s(", command->name);
    struct vt_venus_in in = {
        .start = bytes, .at = bytes + HEADER_BYTES, .end = bytes + size, .arena = arena};
    bool whole = command->describe != NULL && command->describe(&in, &line->sink) &&
                 !vt_venus_bad(&in) && line->used < sizeof line->text - 8;
    line->used = least(line->used, sizeof line->text - 8);
    say(line, whole ? ")" : " …)");
    vt_venus_arena_reset(arena);
}

char *vt_venus_run_last(const struct vt_venus_run *run)
{
    const struct vt_venus_last *last = run->last;
    struct line line;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, VT_VENUS_COMMAND_MAX_BYTES);
    uint64_t n = least(last->sequence, VT_VENUS_LAST_COMMANDS);
    for (uint64_t i = last->sequence - n; i < last->sequence; i++) {
        unsigned at = i % VT_VENUS_LAST_COMMANDS;
        size_t size = least(last->entries[at].size, VT_VENUS_LAST_BYTES);
        describe(&line, last->entries[at].at, size, &arena);
        fprintf(out, "%" PRIu64 " %s\n", i + 1, line.text);
    }
    vt_venus_arena_fini(&arena);
    return fclose(out) == 0 ? text : NULL;
}
