/* guests/card/aarch64/arch.c - QEMU's `virt`: PL011, generic timer, interrupt controller for as
 * much as waking up needs, PSCI.
 *
 * Source: Arm DDI 0183 (PL011), DDI 0487 D12 (generic timer), IHI 0048 and IHI 0069 (GICv2, GICv3),
 * DEN 0022 (PSCI); addresses come from the device tree. Interrupts stay masked: a pending one ends
 * WFI all the same, which is all that is wanted.
 */
#include "card.h"

static volatile uint32_t *uart;
static bool psci_by_hvc = true;
static bool can_sleep;
static uint64_t gic;
static bool gic_is_v3;

static volatile uint32_t *words_at(uint64_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

/* ---------------------------------------------------------------- console, time */

void arch_put(char c)
{
    enum { DATA = 0, FLAGS = 0x18 / 4, FULL = 1 << 5 };

    if (!uart) {
        return;
    }
    while (uart[FLAGS] & FULL) { /* a reader may be slow and must get every byte */
        arch_relax();
    }
    uart[DATA] = (uint8_t)c;
}

uint64_t arch_ticks(void)
{
    uint64_t ticks;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

void arch_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

void arch_sleep_until(uint64_t ns)
{
    uint64_t now = now_ns(), ticks;

    if (now >= ns) {
        return;
    }
    if (!can_sleep) {
        arch_relax();
        return;
    }
    ticks = (ns - now < 1000000000 ? ns - now : 1000000000) * (machine.ticks_hz / 1000) / 1000000;
    __asm__ volatile(
        "msr cntv_cval_el0, %0; msr cntv_ctl_el0, %1; isb; wfi; msr cntv_ctl_el0, xzr" ::"r"(
            arch_ticks() + ticks),
        "r"((uint64_t)1)
        : "memory");
}

/* The virtual timer is private interrupt 27. */
enum { TIMER_LINE = 27 };

static void start_gic_v2(uint64_t distributor, uint64_t cpu)
{
    words_at(distributor + 0x100)[0] = 1u << TIMER_LINE; /* ISENABLER0 */
    words_at(distributor)[0] = 1;                        /* CTLR */
    words_at(cpu + 4)[0] = 0xff;                         /* PMR: all priorities */
    words_at(cpu)[0] = 1;                                /* CTLR */
    can_sleep = true;
    gic = distributor;
}

static void start_gic_v3(uint64_t distributor, uint64_t redistributor)
{
    volatile uint32_t *waker = words_at(redistributor + 0x14);
    uint64_t private = redistributor + 0x10000;

    words_at(distributor)[0] = 0x12; /* affinity routing, group 1 */
    *waker &= ~2u;
    for (unsigned i = 0; i < 100000 && *waker & 4; i++) {
        arch_relax();
    }
    words_at(private + 0x80)[0] = 1u << TIMER_LINE;                     /* IGROUPR0 */
    words_at(private + 0x100)[0] = 1u << TIMER_LINE;                    /* ISENABLER0 */
    __asm__ volatile("msr S3_0_C12_C12_5, %0; isb" ::"r"((uint64_t)7)); /* ICC_SRE_EL1 */
    __asm__ volatile("msr S3_0_C4_C6_0, %0" ::"r"((uint64_t)0xff));     /* ICC_PMR_EL1 */
    __asm__ volatile("msr S3_0_C12_C12_7, %0; isb" ::"r"((uint64_t)1)); /* ICC_IGRPEN1_EL1 */
    can_sleep = true;
    gic = distributor;
    gic_is_v3 = true;
}

/* <0 N flags>: shared line N, which the controller calls 32 + N. */
uint32_t arch_tree_line(const struct card_node *node)
{
    uint32_t n;
    const uint8_t *cells = tree_property(node, "interrupts", &n);

    return cells && n >= 12 && tree_cells(cells, 1) == 0 ? (uint32_t)tree_cells(cells + 4, 1) + 32
                                                         : 0;
}

bool arch_line_on(uint32_t line)
{
    if (!gic || line < 32 || line > 1019) {
        return false;
    }
    if (gic_is_v3) {
        words_at(gic + 0x80)[line / 32] |= 1u << line % 32;                    /* IGROUPR */
        *(volatile uint64_t *)words_at(gic + 0x6000 + 8 * (uint64_t)line) = 0; /* IROUTER: us */
    } else {
        ((volatile uint8_t *)words_at(gic + 0x800))[line] = 1; /* ITARGETSR: us */
    }
    words_at(gic + 0x100)[line / 32] = 1u << line % 32; /* ISENABLER */
    return true;
}

/* It is never taken, only pending as long as the device asks. */
void arch_line_done(uint32_t line)
{
    (void)line;
}

/* ---------------------------------------------------------------- traps */

static const char *const register_names[] = {"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",
                                             "x8",  "x9",  "x10", "x11", "x12", "x13", "x14", "x15",
                                             "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
                                             "x24", "x25", "x26", "x27", "x28", "x29", "x30"};

static const char *what(uint64_t class)
{
    switch (class) {
    case 0x00:
        return "undefined instruction";
    case 0x07:
        return "no floating point";
    case 0x21:
        return "instruction abort";
    case 0x22:
        return "PC alignment";
    case 0x25:
        return "data abort";
    case 0x26:
        return "SP alignment";
    case 0x3c:
        return "breakpoint";
    default:
        return "trap";
    }
}

_Noreturn void arm_trap(uint64_t vector, const uint64_t *frame);
_Noreturn void arm_trap(uint64_t vector, const uint64_t *frame)
{
    uint64_t esr, elr, far;

    __asm__ volatile("mrs %0, esr_el1; mrs %1, elr_el1; mrs %2, far_el1"
                     : "=r"(esr), "=r"(elr), "=r"(far));
    card_trap(&(struct card_trap){
        .what = (vector & 3) == 0 ? what(esr >> 26 & 63) : "interrupt",
        .number = (vector & 3) == 0 ? esr >> 26 & 63 : vector,
        .pc = elr,
        .address = far,
        .code = esr,
        .sp = (uintptr_t)frame + 256,
        .n_registers = 31,
        .registers = frame,
        .names = register_names,
    });
}

bool arch_crash(const char *how)
{
    const uint64_t nowhere = (uint64_t)1 << 45; /* beyond what is translated */

    if (same_text(how, "read")) {
        (void)*words_at(nowhere);
    } else if (same_text(how, "write")) {
        *words_at(nowhere) = 1;
    } else if (same_text(how, "undefined")) {
        __asm__ volatile("udf #0");
    } else {
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- the end */

_Noreturn void arch_halt(void)
{
    __asm__ volatile("msr cntv_ctl_el0, xzr");
    for (;;) {
        __asm__ volatile("wfi" ::: "memory");
    }
}

_Noreturn void arch_power_off(void)
{
    register uint64_t x0 __asm__("x0") = 0x84000008; /* SYSTEM_OFF */

    if (psci_by_hvc) {
        __asm__ volatile("hvc #0" : "+r"(x0)::"memory");
    } else {
        __asm__ volatile("smc #0" : "+r"(x0)::"memory");
    }
    arch_halt();
}

/* ---------------------------------------------------------------- the beginning */

static void each_node(const struct card_node *node)
{
    uint64_t address, bytes, second;
    uint32_t n;

    if (tree_is(node, "arm,pl011") && !uart && tree_reg(node, 0, &address, &bytes)) {
        uart = words_at(address);
    } else if (tree_is(node, "arm,psci-0.2") || tree_is(node, "arm,psci")) {
        const char *method = tree_property(node, "method", &n);

        psci_by_hvc = !method || same_text(method, "hvc");
    } else if (tree_is(node, "arm,gic-v3") && tree_reg(node, 0, &address, &bytes) &&
               tree_reg(node, 1, &second, &bytes)) {
        start_gic_v3(address, second);
    } else if ((tree_is(node, "arm,cortex-a15-gic") || tree_is(node, "arm,gic-400")) &&
               tree_reg(node, 0, &address, &bytes) && tree_reg(node, 1, &second, &bytes)) {
        start_gic_v2(address, second);
    }
}

void arch_main(uint64_t boot_information)
{
    /* A kernel that is an ELF file is told nothing; the tree lies where RAM begins. */
    const uint64_t ram = 0x40000000;
    const void *blob = (const void *)words_at(boot_information ? boot_information : ram);

    machine.architecture = "aarch64";
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(machine.ticks_hz));
    machine_from_tree(blob, each_node);
    card_main();
}
