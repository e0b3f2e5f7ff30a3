/* cli/trace_show.c - see trace_show.h. */
#include "cli/trace_show.h"

#include "base/text.h"
#include "trace/ring.h"
#include "trace/words.h"
#include "vitrine/machine.h"
#include "vitrine/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void vt_trace_tally(struct vt_trace_tally *t, const struct vt_trace_event *e)
{
    if (e->kind == VT_TRACE_EV_BLOCK) {
        t->blocks++;
        t->instructions += e->executed;
        t->accesses += e->n_accesses;
        t->cuts += e->end != VT_TRACE_END_WHOLE;
    }
    t->lost_words += e->kind == VT_TRACE_EV_LOST ? e->lost_words : 0;
    t->cuts += e->kind == VT_TRACE_EV_CUT;
}

/* ---- for people ---- */

static void begin_line(const struct vt_trace_event *e)
{
    printf("%2u %12.6f  ", e->vcpu, (double)e->time_ns / 1e9);
}

static void print_access(const struct vt_trace_access *a)
{
    printf("  %s%u 0x%" PRIx64, a->store ? "store" : "load", a->bytes * 8u, a->address);
    if (a->has_value && a->bytes == 16) {
        printf(" = 0x%016" PRIx64 "%016" PRIx64, a->value[1], a->value[0]);
    } else if (a->has_value) {
        printf(" = 0x%" PRIx64, a->value[0]);
    }
    fputs(a->device ? " (device)" : "", stdout);
}

/* A repeated string instruction makes thousands. */
#define ACCESSES_A_LINE 16

static void print_accesses(const struct vt_trace_event *e, unsigned instruction)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        if (e->accesses[i].instruction == instruction && n++ < ACCESSES_A_LINE) {
            print_access(&e->accesses[i]);
        }
    }
    if (n > ACCESSES_A_LINE) {
        printf("  and %" PRIu32 " more", n - ACCESSES_A_LINE);
    }
}

static void print_end(const struct vt_trace_event *e)
{
    if (e->end == VT_TRACE_END_INTERRUPT || e->end == VT_TRACE_END_EXCEPTION ||
        e->end == VT_TRACE_END_HOST) {
        begin_line(e);
        printf("-- %s at 0x%016" PRIx64 ", goes to 0x%016" PRIx64 "\n", vt_trace_end_name(e->end),
               e->from, e->to);
    }
}

/* Wide enough for most names; longer ones move the instruction. */
#define PLACE_WIDTH 32

static void print_place(struct vt_trace_names *names, const struct vt_trace_event *e, uint64_t pc)
{
    char process[64] = "", text[512] = "";
    struct vt_trace_place place;
    bool known = vt_trace_place(names, e->root, e->block, pc, &place);
    if (place.process != NULL) {
        vt_text_printable(process, sizeof process, place.process, strlen(place.process));
    }
    if (known) {
        vt_trace_place_text(&place, pc, text, sizeof text);
    }
    printf("%-15s  %016" PRIx64 "  %-*s", process, pc, PLACE_WIDTH, text);
}

static void print_pc(struct vt_trace_names *names, const struct vt_trace_event *e, uint64_t pc)
{
    if (names != NULL) {
        print_place(names, e, pc);
    } else {
        printf("%016" PRIx64, pc);
    }
}

static void print_block(struct vt_trace_names *names, const struct vt_cli_registers *registers,
                        const struct vt_trace_event *e)
{
    struct vt_trace_instruction insn;
    for (unsigned i = 0; i < e->executed; i++) {
        vt_trace_decode(e->block, i, &insn);
        begin_line(e);
        print_pc(names, e, insn.pc);
        printf("  %s", insn.text);
        print_accesses(e, i);
        if (registers != NULL) {
            vt_cli_registers_print(registers, i);
        }
        putchar('\n');
    }
    print_end(e);
}

static void print_text(const struct vt_trace_info *info, struct vt_trace_names *names,
                       const struct vt_cli_registers *registers, const struct vt_trace_event *e)
{
    switch (e->kind) {
    case VT_TRACE_EV_BLOCK:
        print_block(names, registers, e);
        return;
    case VT_TRACE_EV_CUT:
        print_end(e);
        return;
    case VT_TRACE_EV_REGISTERS:
        begin_line(e);
        printf("-- registers at 0x%016" PRIx64 ":", e->pc);
        for (uint32_t i = 0; i < e->n_registers && i < info->n_registers; i++) {
            char name[64];
            vt_text_printable(name, sizeof name, info->registers[i], strlen(info->registers[i]));
            printf(" %s=0x%" PRIx64, name, e->registers[i]);
        }
        break;
    case VT_TRACE_EV_LOST:
        begin_line(e);
        printf("-- %" PRIu64 " words were lost here", e->lost_words);
        break;
    case VT_TRACE_EV_MODE:
        begin_line(e);
        printf("-- from here on: %s", vt_trace_detail_name(e->detail));
        break;
    case VT_TRACE_EV_PAUSE:
    case VT_TRACE_EV_RESUME:
        begin_line(e);
        fputs(e->kind == VT_TRACE_EV_PAUSE ? "-- idles" : "-- goes on", stdout);
        break;
    }
    putchar('\n');
}

/* ---- JSON ---- */

static const char *kind_name(enum vt_trace_kind kind)
{
    static const char *const names[] = {
        [VT_TRACE_EV_BLOCK] = "block", [VT_TRACE_EV_REGISTERS] = "registers",
        [VT_TRACE_EV_LOST] = "lost",   [VT_TRACE_EV_MODE] = "mode",
        [VT_TRACE_EV_PAUSE] = "idle",  [VT_TRACE_EV_RESUME] = "resume",
        [VT_TRACE_EV_CUT] = "cut",
    };
    return names[kind];
}

static void json_access(struct vt_json_writer *w, const struct vt_trace_access *a)
{
    vt_json_kv_bool(w, "store", a->store);
    vt_json_kv_u64(w, "bytes", a->bytes);
    vt_json_kv_hex(w, "address", a->address);
    if (a->has_value) {
        vt_json_kv_hex(w, "value", a->value[0]);
        if (a->bytes == 16) {
            vt_json_kv_hex(w, "value_high", a->value[1]);
        }
    }
    vt_json_kv_bool(w, "device", a->device);
}

static void json_accesses(struct vt_json_writer *w, const struct vt_trace_event *e)
{
    vt_json_key(w, "accesses");
    vt_json_array(w);
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        vt_json_object(w);
        vt_json_kv_u64(w, "instruction", e->accesses[i].instruction);
        json_access(w, &e->accesses[i]);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void json_place(struct vt_json_writer *w, struct vt_trace_names *names,
                       const struct vt_trace_event *e)
{
    struct vt_trace_place place;
    bool known = vt_trace_place(names, e->root, e->block, e->block->pc, &place);
    if (place.process != NULL) {
        vt_json_kv_string(w, "process", place.process);
        vt_json_kv_i64(w, "pid", place.pid);
    }
    if (place.object != NULL) {
        vt_json_kv_string(w, "object", place.object);
    }
    if (place.function != NULL) {
        vt_json_kv_string(w, "function", place.function);
    }
    if (known) {
        vt_json_kv_hex(w, "offset", place.offset);
    }
}

static void json_block(struct vt_json_writer *w, struct vt_trace_names *names,
                       const struct vt_cli_registers *registers, const struct vt_trace_event *e)
{
    struct vt_trace_instruction insn;
    vt_json_kv_u64(w, "block", e->block->id);
    vt_json_kv_hex(w, "pc", e->block->pc);
    json_place(w, names, e);
    vt_json_key(w, "instructions");
    vt_json_array(w);
    for (unsigned i = 0; i < e->executed; i++) {
        vt_trace_decode(e->block, i, &insn);
        vt_json_object(w);
        vt_json_kv_hex(w, "pc", insn.pc);
        vt_json_kv_u64(w, "size", insn.size);
        vt_json_kv_string(w, "text", insn.text);
        if (registers != NULL) {
            vt_json_key(w, "registers");
            vt_cli_registers_json(registers, i, w);
        }
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    json_accesses(w, e);
}

static void json_discontinuity(struct vt_json_writer *w, const struct vt_trace_event *e)
{
    vt_json_kv_string(w, "end", vt_trace_end_name(e->end));
    if (e->end == VT_TRACE_END_INTERRUPT || e->end == VT_TRACE_END_EXCEPTION ||
        e->end == VT_TRACE_END_HOST) {
        vt_json_kv_hex(w, "from", e->from);
        vt_json_kv_hex(w, "to", e->to);
    }
}

static void begin_json(struct vt_json_writer *w, const struct vt_trace_event *e)
{
    vt_json_kv_u64(w, "vcpu", e->vcpu);
    vt_json_kv_u64(w, "sequence", e->sequence);
    vt_json_kv_u64(w, "time_ns", e->time_ns);
    if (e->root != UINT64_MAX) {
        vt_json_kv_hex(w, "root", e->root);
    }
}

static void print_json(const struct vt_trace_info *info, struct vt_trace_names *names,
                       const struct vt_cli_registers *registers, const struct vt_trace_event *e)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "kind", kind_name(e->kind));
    begin_json(&w, e);
    if (e->kind == VT_TRACE_EV_BLOCK) {
        json_block(&w, names, registers, e);
    }
    if (e->kind == VT_TRACE_EV_BLOCK || e->kind == VT_TRACE_EV_CUT) {
        json_discontinuity(&w, e);
    } else if (e->kind == VT_TRACE_EV_REGISTERS) {
        vt_json_kv_hex(&w, "pc", e->pc);
        vt_json_key(&w, "registers");
        vt_json_object(&w);
        for (uint32_t i = 0; i < e->n_registers && i < info->n_registers; i++) {
            vt_json_kv_hex(&w, info->registers[i], e->registers[i]);
        }
        vt_json_object_end(&w);
    } else if (e->kind == VT_TRACE_EV_LOST) {
        vt_json_kv_u64(&w, "words", e->lost_words);
    } else if (e->kind == VT_TRACE_EV_MODE) {
        vt_json_kv_string(&w, "mode", vt_trace_detail_name(e->detail));
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

void vt_trace_show(const struct vt_args *args, const struct vt_trace_info *info,
                   struct vt_trace_names *names, const struct vt_cli_registers *registers,
                   const struct vt_trace_event *event)
{
    if (vt_args_json(args)) {
        print_json(info, names, registers, event);
    } else {
        print_text(info, names, registers, event);
    }
}

/* ---- accesses alone ---- */

static void show_access(const struct vt_args *args, struct vt_trace_names *names,
                        const struct vt_trace_event *e, const struct vt_trace_access *a)
{
    struct vt_trace_instruction insn;
    vt_trace_decode(e->block, a->instruction, &insn);
    if (vt_args_json(args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, false);
        vt_json_object(&w);
        begin_json(&w, e);
        vt_json_kv_hex(&w, "pc", insn.pc);
        vt_json_kv_string(&w, "text", insn.text);
        json_access(&w, a);
        vt_json_object_end(&w);
        vt_json_finish(&w);
        return;
    }
    begin_line(e);
    print_pc(names, e, insn.pc);
    print_access(a);
    printf("  %s\n", insn.text);
}

uint64_t vt_trace_show_accesses(const struct vt_args *args, const struct vt_trace_select *select,
                                struct vt_trace_names *names, const struct vt_trace_event *event,
                                uint64_t max)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < event->n_accesses && n < max; i++) {
        if (vt_trace_select_access(select, &event->accesses[i])) {
            show_access(args, names, event, &event->accesses[i]);
            n++;
        }
    }
    return n;
}

/* ---- where events come from ---- */

static bool is_segment(const char *path)
{
    char magic[sizeof VT_TRACE_MAGIC - 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is = fd >= 0 && pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
              memcmp(magic, VT_TRACE_MAGIC, sizeof magic) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is;
}

/* Whether a word names a VM rather than a file here; VMs go first. */
static int is_vm(const char *what, bool *is, struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = vt_target_is_file(what) ? VT_E_NOT_FOUND : vt_vm_open(what, &vm, err);
    *is = rc == 0;
    if (rc == 0) {
        vt_vm_close(vm);
    }
    return (rc == VT_E_NOT_FOUND || rc == VT_E_INVAL) &&
                   (vt_target_is_file(what) || access(what, F_OK) == 0)
               ? 0
               : rc;
}

static int open_file(const char *path, struct vt_trace_source **source, struct vt_error *err)
{
    return is_segment(path) ? vt_trace_open_segment(path, source, err)
                            : vt_trace_open_file(path, source, err);
}

static int open_rings(const struct vt_vm_info *info, struct vt_trace_source **source,
                      struct vt_error *err)
{
    return info->trace_path[0] == '\0' ? vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s",
                                                 info->name, info->trace_why)
                                       : vt_trace_open_segment(info->trace_path, source, err);
}

int vt_cli_trace_open(const char *what, const char *operation, struct vt_trace_source **source,
                      struct vt_error *err)
{
    struct vt_vm *vm;
    bool is;
    int rc = is_vm(what, &is, err);
    if (rc != 0 || !is) {
        return rc != 0 ? rc : open_file(what, source, err);
    }
    rc = vt_vm_open(what, &vm, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_audit(what, operation, err, "%s", "");
    rc = rc != 0 ? rc : open_rings(vt_vm_info(vm), source, err);
    vt_vm_close(vm);
    return rc;
}

/* In place, for names keep the target's address. */
int vt_cli_trace_open_named(const char *what, const char *operation, struct vt_cli_trace *trace,
                            struct vt_error *err)
{
    struct vt_cli_trace *t = trace;
    bool vm;
    *t = (struct vt_cli_trace){0};
    int rc = is_vm(what, &vm, err);
    if (rc == 0 && vm) {
        rc = vt_target_open(what, operation, "", &t->target, err);
        rc = rc == 0 ? open_rings(vt_vm_info(t->target.vm), &t->source, err) : rc;
        rc = rc == 0 ? vt_trace_names_live(&t->target, &t->names, err) : rc;
    } else if (rc == 0) {
        rc = open_file(what, &t->source, err);
        rc = rc == 0 ? vt_trace_names_file(t->source, &t->names, err) : rc;
    }
    if (rc != 0) {
        vt_cli_trace_close(t);
    }
    return rc;
}

void vt_cli_trace_close(struct vt_cli_trace *trace)
{
    vt_trace_close(trace->source);
    vt_trace_names_destroy(trace->names);
    (void)vt_target_close(&trace->target, NULL); /* it was not stopped */
    *trace = (struct vt_cli_trace){0};
}
