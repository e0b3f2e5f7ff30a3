/* guests/card/riscv64/arch.c - QEMU's `virt`: 16550 serial port, CLINT timer, PLIC, test device to
 * end.
 *
 * Source: RISC-V privileged architecture 20211203, 3.1 and 3.2.1; devicetree bindings ns16550a,
 * sifive,clint0, sifive,test0. Interrupts stay disabled: a pending one ends WFI all the same.
 */
#include "card.h"

static volatile uint8_t *uart;
static volatile uint64_t *timer_compare;
static volatile uint32_t *finisher;
static uint64_t plic;

static volatile void *at(uint64_t address)
{
    return (volatile void *)(uintptr_t)address;
}

/* ---------------------------------------------------------------- console, time */

void arch_put(char c)
{
    enum { DATA = 0, LINE_STATUS = 5, EMPTY = 0x20 };

    if (!uart) {
        return;
    }
    while (!(uart[LINE_STATUS] & EMPTY)) { /* a reader may be slow and must get every byte */
        arch_relax();
    }
    uart[DATA] = (uint8_t)c;
}

uint64_t arch_ticks(void)
{
    uint64_t ticks;

    __asm__ volatile("rdtime %0" : "=r"(ticks)::"memory");
    return ticks;
}

void arch_relax(void)
{
    __asm__ volatile("nop" ::: "memory");
}

void arch_sleep_until(uint64_t ns)
{
    const uint64_t timer_and_lines = 1 << 7 | 1 << 11;
    uint64_t now = now_ns();

    if (now >= ns || !timer_compare) {
        return;
    }
    now = (ns - now < 1000000000 ? ns - now : 1000000000) * (machine.ticks_hz / 1000) / 1000000;
    *timer_compare = arch_ticks() + now;
    __asm__ volatile("csrs mie, %0; wfi; csrc mie, %0" ::"r"(timer_and_lines) : "memory");
    *timer_compare = UINT64_MAX;
}

/* The controller's registers for CPU 0 in M-mode: context 0. */
enum { PLIC_ENABLE = 0x2000, PLIC_THRESHOLD = 0x200000, PLIC_CLAIM = 0x200004, PLIC_LINES = 1024 };

static volatile uint32_t *plic_at(uint64_t offset)
{
    return at(plic + offset);
}

uint32_t arch_tree_line(const struct card_node *node)
{
    return tree_u32(node, "interrupts", 0);
}

bool arch_line_on(uint32_t line)
{
    if (!plic || line >= PLIC_LINES) {
        return false;
    }
    plic_at(0)[line] = 1; /* priority */
    plic_at(PLIC_ENABLE)[line / 32] |= 1u << line % 32;
    *plic_at(PLIC_THRESHOLD) = 0;
    return true;
}

void arch_line_done(uint32_t line)
{
    if (*plic_at(PLIC_CLAIM) == line) {
        *plic_at(PLIC_CLAIM) = line;
    }
}

/* ---------------------------------------------------------------- traps */

static const char *const register_names[] = {
    "ra", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1",  "a2",  "a3", "a4", "a5", "a6",
    "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
static const char *const trap_names[16] = {
    [0] = "misaligned jump",  [1] = "instruction access fault", [2] = "undefined instruction",
    [3] = "breakpoint",       [4] = "misaligned load",          [5] = "load access fault",
    [6] = "misaligned store", [7] = "store access fault",       [11] = "environment call",
};

_Noreturn void riscv_trap(const uint64_t *frame);
_Noreturn void riscv_trap(const uint64_t *frame)
{
    uint64_t cause, pc, value;

    __asm__ volatile("csrr %0, mcause; csrr %1, mepc; csrr %2, mtval"
                     : "=r"(cause), "=r"(pc), "=r"(value));
    card_trap(&(struct card_trap){
        .what = cause < 16 && trap_names[cause] ? trap_names[cause] : "trap",
        .number = cause,
        .pc = pc,
        .address = value,
        .sp = (uintptr_t)frame + 256,
        .n_registers = sizeof(register_names) / sizeof(register_names[0]),
        .registers = frame,
        .names = register_names,
    });
}

bool arch_crash(const char *how)
{
    const uint64_t nowhere = (uint64_t)1 << 50;

    if (same_text(how, "read")) {
        (void)*(volatile uint32_t *)at(nowhere);
    } else if (same_text(how, "write")) {
        *(volatile uint32_t *)at(nowhere) = 1;
    } else if (same_text(how, "undefined")) {
        __asm__ volatile("unimp");
    } else {
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- the end */

_Noreturn void arch_halt(void)
{
    __asm__ volatile("csrw mie, zero");
    for (;;) {
        __asm__ volatile("wfi" ::: "memory");
    }
}

_Noreturn void arch_power_off(void)
{
    if (finisher) {
        *finisher = 0x5555; /* pass */
    }
    arch_halt();
}

/* ---------------------------------------------------------------- the beginning */

static void each_node(const struct card_node *node)
{
    uint64_t address, bytes;

    if (same_text(node->name, "cpus")) {
        machine.ticks_hz = tree_u32(node, "timebase-frequency", 10000000);
    } else if (tree_is(node, "ns16550a") && !uart && tree_reg(node, 0, &address, &bytes)) {
        uart = at(address);
    } else if ((tree_is(node, "sifive,clint0") || tree_is(node, "riscv,clint0")) &&
               tree_reg(node, 0, &address, &bytes)) {
        timer_compare = at(address + 0x4000);
    } else if ((tree_is(node, "sifive,plic-1.0.0") || tree_is(node, "riscv,plic0")) &&
               tree_reg(node, 0, &address, &bytes)) {
        plic = address;
    } else if (tree_is(node, "sifive,test0") && tree_reg(node, 0, &address, &bytes)) {
        finisher = at(address);
    }
}

void arch_main(uint64_t boot_information)
{
    machine.architecture = "riscv64";
    machine_from_tree((const void *)at(boot_information), each_node);
    card_main();
}
