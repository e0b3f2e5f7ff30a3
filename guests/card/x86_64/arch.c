/* guests/card/x86_64/arch.c - what a PC has: COM1, time-stamp counter, interval timer, PCI behind
 * ports, page tables.
 *
 * Source: Xen's PVH ABI (start info); Intel SDM 3A 4.5 (paging), 6.14 (64-bit IDT), 8254 and 8259
 * data sheets; without ACPI QEMU's microvm names its virtio-mmio devices on the command line as
 * Linux has it (virtio_mmio.device=SIZE@ADDRESS:IRQ).
 */
#include <string.h>

#include "x86_64/x86.h"

extern char card_image_begin[], card_image_end[]; /* link.ld */
extern uint64_t card_pml4[512], card_pdpt[512];   /* start.S */
extern const char trap_entries[], timer_entry[], spurious_entry[];

static struct x86_power_off power_off;

/* ---------------------------------------------------------------- console */

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5 };

/* A reader may be slow and must get every byte; where there is no port, all bits read as set. */
void arch_put(char c)
{
    while (!(in8(LINE_STATUS) & 0x20)) {
        arch_relax();
    }
    out8(COM1, (uint8_t)c);
}

/* ---------------------------------------------------------------- memory */

static volatile void *at(uint64_t address)
{
    return (volatile void *)(uintptr_t)address;
}

static uint64_t *page_table(uint64_t *entry)
{
    static uint64_t spare[16][512] __attribute__((aligned(4096)));
    static unsigned used;

    if (!(*entry & 1)) {
        if (used == sizeof(spare) / sizeof(spare[0])) {
            card_panic("no page tables left");
        }
        *entry = (uintptr_t)spare[used++] | 3;
    }
    return (uint64_t *)(uintptr_t)(*entry & ~4095u);
}

/* Firmware may have put a device's registers above what start.S maps. */
static void map_high(uint64_t address)
{
    uint64_t *pdpt = page_table(&card_pml4[address >> 39 & 511]);
    uint64_t *directory = page_table(&pdpt[address >> 30 & 511]);

    directory[address >> 21 & 511] = (address & ~(uint64_t)0x1fffff) | 0x9b; /* uncached, 2 MiB */
}

static uint32_t mmio_read(void *arg, uint64_t address, unsigned bytes)
{
    (void)arg;
    if (address >> 32) {
        map_high(address);
    }
    return bytes == 1   ? *(volatile uint8_t *)at(address)
           : bytes == 2 ? *(volatile uint16_t *)at(address)
                        : *(volatile uint32_t *)at(address);
}

static void mmio_write(void *arg, uint64_t address, unsigned bytes, uint32_t value)
{
    (void)arg;
    if (address >> 32) {
        map_high(address);
    }
    if (bytes == 1) {
        *(volatile uint8_t *)at(address) = (uint8_t)value;
    } else if (bytes == 2) {
        *(volatile uint16_t *)at(address) = (uint16_t)value;
    } else {
        *(volatile uint32_t *)at(address) = value;
    }
}

/* ---------------------------------------------------------------- PCI behind ports */

enum { PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc };

static uint16_t pci_select(uint16_t function, uint16_t offset)
{
    out32(PCI_ADDRESS, 1u << 31 | (uint32_t)function << 8 | (offset & 0xfc));
    return (uint16_t)(PCI_DATA + (offset & 3));
}

static uint32_t pci_read(void *arg, uint16_t function, uint16_t offset, unsigned bytes)
{
    uint16_t port;

    (void)arg;
    if (offset > 0xff) { /* the extended part is not behind the ports */
        return UINT32_MAX;
    }
    port = pci_select(function, offset);
    return bytes == 1 ? in8(port) : bytes == 2 ? in16(port) : in32(port);
}

static void pci_write(void *arg, uint16_t function, uint16_t offset, unsigned bytes, uint32_t value)
{
    uint16_t port;

    (void)arg;
    if (offset > 0xff) {
        return;
    }
    port = pci_select(function, offset);
    if (bytes == 1) {
        out8(port, (uint8_t)value);
    } else if (bytes == 2) {
        out16(port, (uint16_t)value);
    } else {
        out32(port, value);
    }
}

void arch_fw_cfg(uint64_t descriptor)
{
    out32((uint16_t)(machine.fw_cfg + 4), __builtin_bswap32((uint32_t)(descriptor >> 32)));
    out32((uint16_t)(machine.fw_cfg + 8), __builtin_bswap32((uint32_t)descriptor));
}

/* ---------------------------------------------------------------- time */

enum { PIT_HZ = 1193182, PIT_0 = 0x40, PIT_2 = 0x42, PIT_MODE = 0x43, PIT_GATE = 0x61 };

uint64_t arch_ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

void arch_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* The interval timer's count together with the ticks at which it was read. Of several readings the
 * quickest: one that was held up says less. */
static uint16_t pit_count(uint64_t *ticks)
{
    uint64_t best = UINT64_MAX;
    uint16_t count = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = arch_ticks(), took;
        uint16_t c;

        out8(PIT_MODE, 0x80); /* latch channel 2 */
        took = arch_ticks() - before;
        c = in8(PIT_2);
        c = (uint16_t)(c | in8(PIT_2) << 8);
        if (took < best) {
            best = took;
            count = c;
            *ticks = before + took / 2;
        }
    }
    return count;
}

/* Ticks a second, against the interval timer over some milliseconds. */
static uint64_t measure_ticks(void)
{
    uint64_t begin, end;
    uint16_t first, last;

    out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & ~2u) | 1u)); /* counting, the speaker off */
    out8(PIT_MODE, 0xb0);                                  /* channel 2, both bytes, mode 0 */
    out8(PIT_2, 0xff);
    out8(PIT_2, 0xff);
    first = pit_count(&begin);
    for (unsigned i = 0; i < 1000000; i++) {
        last = pit_count(&end);
        if (last > first) { /* it went around: too slow to say anything */
            break;
        }
        if (first - last > PIT_HZ / 50) {
            return (end - begin) * PIT_HZ / (uint64_t)(first - last);
        }
    }
    return 1000000000; /* no timer; what QEMU's TCG has is of this order */
}

/* ---------------------------------------------------------------- interrupts and traps */

enum { LAPIC = 0xfee00000u };

struct gate {
    uint16_t low, selector;
    uint8_t stack, type;
    uint16_t middle;
    uint32_t high, zero;
};
static struct gate gates[256];

static void set_gate(unsigned n, const char *entry)
{
    uintptr_t to = (uintptr_t)entry;

    gates[n] = (struct gate){
        .low = (uint16_t)to,
        .selector = 8,
        .type = 0x8e,
        .middle = (uint16_t)(to >> 16),
        .high = (uint32_t)(to >> 32),
    };
}

static void start_interrupts(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(gates) - 1, (uintptr_t)gates};

    for (unsigned i = 0; i < 32; i++) {
        set_gate(i, trap_entries + (size_t)16 * i);
    }
    set_gate(32, timer_entry);
    for (unsigned i = 33; i < 256; i++) {
        set_gate(i, spurious_entry);
    }
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");

    /* The local controller on, its first line an 8259's: not every firmware leaves it so. */
    mmio_write(NULL, LAPIC + 0xf0, 4, 0x1ff);
    mmio_write(NULL, LAPIC + 0x350, 4, 0x700);

    out8(0x20, 0x11); /* both 8259s anew: lines 0-15 at vectors 32-47, only the timer's open */
    out8(0xa0, 0x11);
    out8(0x21, 32);
    out8(0xa1, 40);
    out8(0x21, 4);
    out8(0xa1, 2);
    out8(0x21, 1);
    out8(0xa1, 1);
    out8(0x21, 0xfe);
    out8(0xa1, 0xff);
}

void arch_sleep_until(uint64_t ns)
{
    uint64_t now = now_ns(), count;

    if (now >= ns) {
        return;
    }
    count = (ns - now < 50000000 ? ns - now : 50000000) * PIT_HZ / 1000000000;
    if (count < 2) {
        arch_relax();
        return;
    }
    out8(PIT_MODE, 0x30); /* channel 0, both bytes, mode 0: one interrupt when it reaches zero */
    out8(PIT_0, (uint8_t)count);
    out8(PIT_0, (uint8_t)(count >> 8));
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* A device's line through the I/O controller to the local one: level, vector 48. Its handler only
 * returns; until arch_line_done it does not come again. */
enum { LINE_VECTOR = 48 };

static struct x86_io_apic apics[X86_IO_APICS] = {{0xfec00000u, 0}}; /* unless ACPI says otherwise */

static uint32_t apic_read(const struct x86_io_apic *apic, uint32_t index)
{
    mmio_write(NULL, apic->address, 4, index);
    return mmio_read(NULL, (uint64_t)apic->address + 0x10, 4);
}

static void apic_write(const struct x86_io_apic *apic, uint32_t index, uint32_t value)
{
    mmio_write(NULL, apic->address, 4, index);
    mmio_write(NULL, (uint64_t)apic->address + 0x10, 4, value);
}

bool arch_line_on(uint32_t line)
{
    for (unsigned i = 0; i < X86_IO_APICS && apics[i].address; i++) {
        uint32_t lines = (apic_read(&apics[i], 1) >> 16 & 255) + 1, at = line - apics[i].first;

        if (at < lines) {
            apic_write(&apics[i], 0x11 + 2 * at, 0);
            apic_write(&apics[i], 0x10 + 2 * at, 1u << 15 | LINE_VECTOR);
            return true;
        }
    }
    return false;
}

void arch_line_done(uint32_t line)
{
    (void)line;
    mmio_write(NULL, LAPIC + 0xb0, 4, 0);
}

static const char *const register_names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
                                             "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const trap_names[32] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "undefined instruction",
    [7] = "no floating point",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "floating point",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating point",
};

/* `frame`: 15 registers, vector, code, rip, cs, rflags, rsp, ss. */
_Noreturn void x86_trap(const uint64_t *frame);
_Noreturn void x86_trap(const uint64_t *frame)
{
    uint64_t n = frame[15], address;

    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    card_trap(&(struct card_trap){
        .what = n < 32 && trap_names[n] ? trap_names[n] : "trap",
        .number = n,
        .pc = frame[17],
        .address = n == 14 ? address : 0,
        .code = frame[16],
        .sp = frame[20],
        .n_registers = 15,
        .registers = frame,
        .names = register_names,
    });
}

bool arch_crash(const char *how)
{
    const uint64_t nowhere = (uint64_t)1 << 46; /* canonical, and nothing is mapped there */

    if (same_text(how, "read")) {
        (void)*(volatile uint32_t *)at(nowhere);
    } else if (same_text(how, "write")) {
        *(volatile uint32_t *)at(nowhere) = 1;
    } else if (same_text(how, "undefined")) {
        __asm__ volatile("ud2");
    } else {
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- the end */

_Noreturn void arch_halt(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt" ::: "memory");
    }
}

_Noreturn void arch_power_off(void)
{
    switch (power_off.kind) {
    case X86_OFF_PORT:
        out16((uint16_t)power_off.address, (uint16_t)((uint32_t)power_off.type << 10 | 1u << 13));
        break;
    case X86_OFF_PORT_BYTE:
        out8((uint16_t)power_off.address, (uint8_t)((uint32_t)power_off.type << 2 | 1u << 5));
        break;
    case X86_OFF_MEMORY:
        mmio_write(NULL, power_off.address, 1, (uint32_t)power_off.type << 2 | 1u << 5);
        break;
    case X86_OFF_UNKNOWN:
        break;
    }
    /* No ACPI: a trap that cannot be taken resets the machine, which ends a QEMU with -no-reboot.
     */
    memset(gates, 0, sizeof(gates));
    __asm__ volatile("ud2");
    arch_halt();
}

/* ---------------------------------------------------------------- the beginning */

struct start_info {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; /* version 1 */
    uint32_t n_memory_map, reserved;
};
struct memory_range {
    uint64_t address, bytes;
    uint32_t type, reserved;
};

static void find_memory(const struct start_info *info)
{
    const struct memory_range *range = (const struct memory_range *)at(info->memory_map);
    const uint64_t image = (uintptr_t)card_image_begin;

    for (uint32_t i = 0; i < info->n_memory_map; i++) {
        if (range[i].type != 1) {
            continue;
        }
        machine.ram_bytes += range[i].bytes;
        if (image >= range[i].address && image - range[i].address < range[i].bytes) {
            machine.free = (uintptr_t)card_image_end;
            machine.free_end = range[i].address + range[i].bytes;
        }
    }
}

/* Digits from `from` on up to `end` or a blank, as a number; returns what is behind them, or NULL.
 */
static const char *number_until(const char *from, char end, uint64_t *value)
{
    char digits[24];
    unsigned n = 0;

    while (*from > ' ' && *from != end && n < sizeof(digits) - 1) {
        digits[n++] = *from++;
    }
    digits[n] = 0;
    return parse_number(digits, UINT64_MAX, value) ? from : NULL;
}

/* virtio_mmio.device=512@0xfeb00e00:12 */
static void find_mmio(void)
{
    for (const char *c = machine.command_line; *c && machine.n_mmio < CARD_MMIO_SLOTS; c++) {
        const char *device = after_prefix(c, "virtio_mmio.device=");
        uint64_t size, address, line;

        if (device && (device = number_until(device, '@', &size)) && *device == '@' &&
            (device = number_until(device + 1, ':', &address)) && *device == ':' &&
            number_until(device + 1, ' ', &line)) {
            machine.mmio[machine.n_mmio].address = address;
            machine.mmio[machine.n_mmio++].line = (uint32_t)line;
        }
    }
}

void arch_main(uint64_t boot_information)
{
    const struct start_info *info = (const struct start_info *)at(boot_information);
    const char *line = (const char *)at(info->command_line);

    machine.architecture = "x86_64";
    machine.bus = (struct vt_virtio_bus){.mmio_read = mmio_read, .mmio_write = mmio_write};
    start_interrupts();
    if (info->magic != 0x336ec578 || info->version < 1) {
        card_panic("not started by PVH with a memory map");
    }
    for (size_t i = 0; line && line[i] && i < CARD_COMMAND_LINE - 1; i++) {
        machine.command_line[i] = line[i];
    }
    find_memory(info);
    find_mmio();
    acpi_read(info->rsdp, &power_off, apics);
    if (pci_read(NULL, 0, 0, 4) != UINT32_MAX) {
        machine.bus.pci_read = pci_read;
        machine.bus.pci_write = pci_write;
    }
    machine.fw_cfg = 0x510;
    machine.ticks_hz = measure_ticks();
    card_main();
}
