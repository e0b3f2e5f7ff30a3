/* cli/trace_registers.c - see trace_registers.h. */
#include "cli/trace_registers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change {
    unsigned instruction;
    uint8_t reg;
    struct vt_trace_bits value;
};

struct vt_cli_registers {
    struct vt_trace_registers *rebuilt;
    uint32_t n_vcpus, vcpu;
    struct change *changes; /* of the event seen last, in order */
    size_t n, room;
    bool no_memory;
    struct vt_trace_cpu shown[];
};

int vt_cli_registers_create(const struct vt_trace_info *info, struct vt_cli_registers **out,
                            struct vt_error *err)
{
    struct vt_trace_registers *rebuilt;
    int rc = vt_trace_registers_create(info, &rebuilt, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_cli_registers *r = calloc(1, sizeof *r + info->vcpus * sizeof r->shown[0]);
    if (r == NULL) {
        vt_trace_registers_destroy(rebuilt);
        return vt_fail(err, VT_E_NOMEM, "no memory for the registers of %u vCPUs", info->vcpus);
    }
    r->rebuilt = rebuilt;
    r->n_vcpus = info->vcpus;
    *out = r;
    return 0;
}

void vt_cli_registers_destroy(struct vt_cli_registers *r)
{
    if (r != NULL) {
        vt_trace_registers_destroy(r->rebuilt);
        free(r->changes);
        free(r);
    }
}

static void add(struct vt_cli_registers *r, const struct change *change)
{
    if (r->n == r->room) {
        size_t room = r->room == 0 ? 256 : r->room * 2;
        struct change *more = reallocarray(r->changes, room, sizeof *more);
        if (more == NULL) {
            r->no_memory = true;
            return;
        }
        r->changes = more;
        r->room = room;
    }
    r->changes[r->n++] = *change;
}

static void look(void *context, unsigned instruction, const struct vt_trace_cpu *cpu)
{
    struct vt_cli_registers *r = context;
    struct vt_trace_cpu *shown = &r->shown[r->vcpu];
    for (unsigned i = 0; i < VT_TRACE_CPU_REGISTERS; i++) {
        if (cpu->r[i].value != shown->r[i].value || cpu->r[i].known != shown->r[i].known) {
            struct change change = {instruction, (uint8_t)i, cpu->r[i]};
            add(r, &change);
            shown->r[i] = cpu->r[i];
        }
    }
}

int vt_cli_registers_see(struct vt_cli_registers *r, const struct vt_trace_event *event,
                         struct vt_error *err)
{
    r->n = 0;
    r->vcpu = event->vcpu;
    int rc = vt_trace_registers_take(r->rebuilt, event, look, r, err);
    if (rc == 0 && r->no_memory) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for the registers that a block changes");
    }
    return rc;
}

/* A digit of which some bit is not known is a question mark. */
static void text_of(const struct vt_trace_bits *b, char text[20])
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    text[n++] = '0';
    text[n++] = 'x';
    for (unsigned k = 16; k-- > 0;) {
        unsigned known = (unsigned)(b->known >> 4 * k) & 15, value = (unsigned)(b->value >> 4 * k);
        if (n > 2 || known != 15 || (value & 15) != 0 || k == 0) {
            text[n++] = known == 15 ? digits[value & 15] : '?';
        }
    }
    text[n] = '\0';
}

/* A letter a flag: large when set, small when not. */
static void text_of_flags(const struct vt_trace_bits *b, char text[20])
{
    static const char letters[] = "odszapc";
    static const unsigned bits[] = {11, 10, 7, 6, 4, 2, 0};
    for (unsigned k = 0; k < 7; k++) {
        char letter = letters[k];
        text[k] = '?';
        if ((b->known >> bits[k] & 1) != 0) {
            text[k] = (b->value >> bits[k] & 1) != 0 ? (char)(letter - 'a' + 'A') : letter;
        }
    }
    text[7] = '\0';
}

static bool text_of_change(const struct change *c, char text[20])
{
    if (c->reg == VT_TRACE_RFLAGS) {
        text_of_flags(&c->value, text);
    } else {
        text_of(&c->value, text);
    }
    return c->value.known != 0;
}

void vt_cli_registers_print(const struct vt_cli_registers *r, unsigned instruction)
{
    char text[20];
    for (size_t i = 0; i < r->n; i++) {
        const struct change *c = &r->changes[i];
        if (c->instruction == instruction) {
            bool known = text_of_change(c, text);
            printf("  %s=%s", vt_trace_register_name(c->reg), known ? text : "?");
        }
    }
}

void vt_cli_registers_json(const struct vt_cli_registers *r, unsigned instruction,
                           struct vt_json_writer *w)
{
    char text[20];
    vt_json_object(w);
    for (size_t i = 0; i < r->n; i++) {
        const struct change *c = &r->changes[i];
        if (c->instruction == instruction) {
            bool known = text_of_change(c, text);
            vt_json_kv_string(w, vt_trace_register_name(c->reg), known ? text : NULL);
        }
    }
    vt_json_object_end(w);
}
