/* guest/dump/cpus.c - general registers, from QEMU's monitor. See vitrine/dump.h.
 *
 * `info registers -a` prints "CPU#n" and then NAME=HEX, names padded to three characters; after a
 * segment's selector come its base, limit and flags. (QEMU target/i386/cpu-dump.c)
 */
#include "vitrine/dump.h"

#include "vitrine/machine.h"

#include <stdlib.h>
#include <string.h>

/* In the order of struct user_regs_struct; of CPUs in 32-bit mode QEMU prints the other names. */
static const char *const names[VT_DUMP_REGS][2] = {
    {"R15"},        {"R14"},        {"R13"},        {"R12"},     {"RBP", "EBP"}, {"RBX", "EBX"},
    {"R11"},        {"R10"},        {"R9"},         {"R8"},      {"RAX", "EAX"}, {"RCX", "ECX"},
    {"RDX", "EDX"}, {"RSI", "ESI"}, {"RDI", "EDI"}, {NULL},      {"RIP", "EIP"}, {"CS"},
    {"RFL", "EFL"}, {"RSP", "ESP"}, {"SS"},         {"FS base"}, {"GS base"},    {"DS"},
    {"ES"},         {"FS"},         {"GS"},
};
enum { ORIG_RAX = 15, FS_BASE = 21, GS_BASE = 22, FS = 25, GS = 26 };

static int find_register(const char *name, size_t length)
{
    for (int i = 0; i < VT_DUMP_REGS; i++) {
        for (unsigned k = 0; k < 2 && names[i][k] != NULL; k++) {
            if (strlen(names[i][k]) == length && memcmp(names[i][k], name, length) == 0) {
                return i;
            }
        }
    }
    return -1;
}

/* What stands on one line, NAME=HEX after NAME=HEX. */
static void parse_line(const char *line, const char *end, struct vt_dump_cpu *cpu)
{
    const char *equals;
    while ((equals = memchr(line, '=', (size_t)(end - line))) != NULL) {
        const char *stop = equals;
        while (stop > line && stop[-1] == ' ') {
            stop--;
        }
        const char *start = stop;
        while (start > line && start[-1] != ' ') {
            start--;
        }
        int reg = find_register(start, (size_t)(stop - start));
        char *after;
        uint64_t value = strtoull(equals + 1, &after, 16);
        if (after > end) {
            return; /* the number is on the next line: not QEMU's */
        }
        if (reg >= 0 && after > equals + 1) {
            cpu->reg[reg] = value;
            if (reg == FS || reg == GS) {
                cpu->reg[reg == FS ? FS_BASE : GS_BASE] = strtoull(after, NULL, 16);
            }
        }
        line = equals + 1;
    }
}

unsigned vt_dump_cpus_parse(const char *text, struct vt_dump_cpu *cpus, unsigned max)
{
    static const char head[] = "CPU#";
    unsigned n = 0;
    for (const char *line = text; *line != '\0';) {
        const char *end = line + strcspn(line, "\r\n");
        if (strncmp(line, head, sizeof head - 1) == 0) {
            if (n == max) {
                break;
            }
            cpus[n] = (struct vt_dump_cpu){0};
            cpus[n++].reg[ORIG_RAX] = UINT64_MAX;
        } else if (n > 0) {
            parse_line(line, end, &cpus[n - 1]);
        }
        line = end + strspn(end, "\r\n");
    }
    return n;
}

int vt_dump_cpus(struct vt_vm *vm, struct vt_dump_cpu **cpus, unsigned *n, struct vt_error *err)
{
    char *text = NULL;
    int rc = vt_vm_human(vm, "info registers -a", &text, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_dump_cpu *found = calloc(VT_DUMP_CPUS_MAX, sizeof *found);
    unsigned count = found != NULL ? vt_dump_cpus_parse(text, found, VT_DUMP_CPUS_MAX) : 0;
    free(text);
    if (count == 0) {
        rc = found == NULL ? vt_fail(err, VT_E_NOMEM, "no memory for registers")
                           : vt_fail(err, VT_E_PROTOCOL, "QEMU tells of no CPU's registers");
        free(found);
        return rc;
    }
    *cpus = found;
    *n = count;
    return 0;
}
