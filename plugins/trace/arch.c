/* plugins/trace/arch.c - registers; instructions that load the page-table root.
 *
 * Sources: Intel SDM volume 2 (MOV to control registers, LOCK) and volume 3 (CR3); Arm ARM D19
 * (TTBR0_EL1); RISC-V privileged architecture (satp).
 */
#include "plugin.h"

#include <string.h>

#define SOURCES 32

struct arch {
    const char *target;
    const char *pc, *root; /* registers that hold them */
    uint32_t (*loads_root)(const uint8_t *code, size_t bytes);
    uint64_t (*root_of)(uint64_t value);
    unsigned (*untold)(const uint8_t *code, size_t bytes);
};

static const struct arch *arch;
static struct qemu_plugin_register *sources[SOURCES];
static struct qemu_plugin_register *root_register, *pc_register;
static struct qemu_plugin_register *listed[VT_TRACE_REGISTERS_MAX];

#define SOURCE(number) (0x100U | (number))

/* [prefixes] [REX] 0f 22 /3: mov cr3, reg. */
static uint32_t x86_loads_root(const uint8_t *code, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && (code[i] == 0x66 || code[i] == 0xf2 || code[i] == 0xf3)) {
        i++;
    }
    unsigned rex = i < bytes && (code[i] & 0xf0) == 0x40 ? code[i++] : 0;
    if (i + 3 > bytes || code[i] != 0x0f || code[i + 1] != 0x22 || (code[i + 2] >> 3 & 7U) != 3 ||
        (rex & 4) != 0) {
        return 0;
    }
    return SOURCE((code[i + 2] & 7U) | (rex & 1) << 3);
}

static uint64_t x86_root_of(uint64_t value)
{
    return value & UINT64_C(0x000ffffffffff000);
}

static uint32_t word32(const uint8_t *code)
{
    return (uint32_t)code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 |
           (uint32_t)code[3] << 24;
}

/* msr ttbr0_el1, xN */
static uint32_t arm_loads_root(const uint8_t *code, size_t bytes)
{
    uint32_t word = bytes == 4 ? word32(code) : 0;
    return (word & ~31U) == 0xd5182000 ? SOURCE(word & 31) : 0;
}

static uint64_t arm_root_of(uint64_t value)
{
    return value & UINT64_C(0x0000fffffffff000);
}

/* csrrw rd, satp, rs1 */
static uint32_t riscv_loads_root(const uint8_t *code, size_t bytes)
{
    uint32_t word = bytes == 4 ? word32(code) : 0;
    return (word & 0xfff0707f) == 0x18001073 ? SOURCE(word >> 15 & 31) : 0;
}

static uint64_t riscv_root_of(uint64_t value)
{
    return (value & ((UINT64_C(1) << 44) - 1)) << 12;
}

/* What gives the old value back tells it rightly. */
static unsigned x86_untold(const uint8_t *code, size_t bytes)
{
    size_t i = 0;
    bool locked = false;
    for (; i < bytes && (code[i] == 0x66 || code[i] == 0x67 || (code[i] & 0xfc) == 0xf0 ||
                         (code[i] & 0xe7) == 0x26 || (code[i] & 0xfe) == 0x64);
         i++) {
        locked = locked || code[i] == 0xf0;
    }
    i += i < bytes && (code[i] & 0xf0) == 0x40;
    if (!locked || i + 1 >= bytes || (code[i] & 0xfe) == 0x86) { /* xchg */
        return 0;
    }
    uint8_t second = code[i + 1];
    bool gives_back = code[i] == 0x0f && ((second & 0xfe) == 0xb0 || (second & 0xfe) == 0xc0 ||
                                          second == 0xc7); /* cmpxchg, xadd, cmpxchg8b */
    return gives_back ? QEMU_PLUGIN_MEM_W : QEMU_PLUGIN_MEM_RW;
}

static unsigned arm_untold(const uint8_t *code, size_t bytes)
{
    uint32_t word = bytes == 4 ? word32(code) : 0;
    bool operation = (word & 0x3f208c00) == 0x38200000; /* ldadd to ldumin */
    bool compares = (word & 0x3fa07c00) == 0x08a07c00;  /* cas */
    return operation || compares ? QEMU_PLUGIN_MEM_W : 0;
}

static unsigned riscv_untold(const uint8_t *code, size_t bytes)
{
    uint32_t word = bytes == 4 ? word32(code) : 0;
    unsigned what = word >> 27; /* 1 amoswap, 2 lr */
    return (word & 0x7f) == 0x2f && what != 1 && what != 2 ? QEMU_PLUGIN_MEM_W : 0;
}

static const struct arch arches[] = {
    {"x86_64", "rip", "cr3", x86_loads_root, x86_root_of, x86_untold},
    {"aarch64", "pc", "TTBR0_EL1", arm_loads_root, arm_root_of, arm_untold},
    {"riscv64", "pc", "satp", riscv_loads_root, riscv_root_of, riscv_untold},
};

bool vt_arch_init(const char *target)
{
    for (size_t i = 0; i < sizeof arches / sizeof *arches; i++) {
        if (strcmp(target, arches[i].target) == 0) {
            arch = &arches[i];
        }
    }
    return arch != NULL;
}

static bool read_into(GByteArray *bytes, struct qemu_plugin_register *handle, uint64_t *value)
{
    if (handle == NULL) {
        return false;
    }
    g_byte_array_set_size(bytes, 0);
    (void)qemu_plugin_read_register(handle, bytes);
    if (bytes->len == 0 || bytes->len > sizeof *value) {
        return false;
    }
    *value = 0;
    memcpy(value, bytes->data, bytes->len);
    return true;
}

/* How x86 numbers registers in instructions. */
static int x86_number(const char *name)
{
    static const char numbers[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    for (int i = 0; i < 16; i++) {
        if (strcmp(name, numbers[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* A register of at most 8 bytes. */
static unsigned list(unsigned n, const qemu_plugin_reg_descriptor *one)
{
    uint64_t value;
    GByteArray *bytes = g_byte_array_new();
    bool fits =
        strlen(one->name) < sizeof vt_header->registers[0] && read_into(bytes, one->handle, &value);
    if (fits) {
        listed[n] = one->handle;
        strcpy(vt_header->registers[n], one->name);
    }
    g_byte_array_free(bytes, 1);
    return fits;
}

void vt_arch_registers(void)
{
    GArray *all = qemu_plugin_get_registers();
    unsigned stride = g_array_get_element_size(all);
    bool x86 = arch->root_of == x86_root_of;
    const char *core = NULL;
    unsigned n = 0;
    for (unsigned i = 0; i < all->len; i++) {
        qemu_plugin_reg_descriptor one;
        memcpy(&one, all->data + (size_t)i * stride, sizeof one);
        core = i == 0 ? one.feature : core;
        bool is_root = strcmp(one.name, arch->root) == 0;
        if (is_root) {
            root_register = one.handle;
        }
        if (strcmp(one.name, arch->pc) == 0) {
            pc_register = one.handle;
        }
        int number = x86 ? x86_number(one.name) : (int)i;
        if (number >= 0 && number < SOURCES) {
            sources[number] = one.handle;
        }
        bool in_core = core != NULL && one.feature != NULL && strcmp(one.feature, core) == 0;
        if ((in_core || is_root) && n < VT_TRACE_REGISTERS_MAX) {
            n += list(n, &one);
        }
    }
    if (!x86 && arch->root_of == arm_root_of) {
        sources[31] = NULL; /* xzr; the list has sp there */
    }
    g_array_free(all, 1);
    vt_header->n_registers = n;
    vt_header->capabilities |= n > 0 ? VT_TRACE_CAN_REGISTERS : 0U;
    vt_header->capabilities |= root_register != NULL ? VT_TRACE_CAN_ROOTS : 0U;
}

uint32_t vt_arch_loads_root(const uint8_t *code, size_t bytes)
{
    return arch->loads_root(code, bytes);
}

uint64_t vt_arch_root_from(struct vt_trace_writer *w, uint32_t source)
{
    uint64_t value;
    return read_into(w->bytes, sources[source % SOURCES], &value) ? arch->root_of(value)
                                                                  : UINT64_MAX;
}

uint64_t vt_arch_root(struct vt_trace_writer *w)
{
    uint64_t value;
    return read_into(w->bytes, root_register, &value) ? arch->root_of(value) : UINT64_MAX;
}

bool vt_arch_pc(GByteArray *bytes, uint64_t *value, bool *narrow)
{
    bool got = read_into(bytes, pc_register, value);
    *narrow = got && bytes->len < sizeof *value;
    return got;
}

uint64_t vt_arch_register(struct vt_trace_writer *w, unsigned i)
{
    uint64_t value;
    return read_into(w->bytes, listed[i], &value) ? value : 0;
}

bool vt_arch_kernel(uint64_t pc)
{
    return pc >> 63 != 0;
}

unsigned vt_arch_untold(const uint8_t *code, size_t bytes)
{
    return arch->untold(code, bytes);
}
