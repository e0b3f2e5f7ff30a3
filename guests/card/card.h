/* guests/card/card.h - what the parts of the kernel know of each other.
 *
 * machine   where things are: filled in by <architecture>/ from what QEMU passes (PVH and ACPI, or
 * a device tree), used by everybody else arch_*    what each architecture has of its own report_*
 * lines on the serial port, one JSON object each script_*  the command line, statement by statement
 *
 * One CPU, one thread; interrupts do nothing but end a sleep.
 */
#ifndef CARD_H
#define CARD_H

#include "vitrine/virtio.h"

/* ---------------------------------------------------------------- the machine */

#define CARD_COMMAND_LINE 65536u
#define CARD_MMIO_SLOTS 64u

struct card_machine {
    const char *architecture;
    char command_line[CARD_COMMAND_LINE]; /**< a copy: where it came from is RAM like any other */
    uint64_t ram_bytes;
    uint64_t free, free_end; /**< RAM that nobody uses; the same address for us and for devices */
    uint64_t ticks_hz;       /**< of arch_ticks */
    struct vt_virtio_bus bus;
    unsigned n_mmio;
    struct {
        uint64_t address;
        uint32_t line;       /**< of its interrupt, as arch_line_on takes it; 0: unknown */
    } mmio[CARD_MMIO_SLOTS]; /**< where virtio-mmio devices are or may be */
    struct {
        uint64_t ecam;      /**< configuration space in memory; 0: none, or behind ports (x86) */
        uint64_t next, end; /**< for base addresses; 0: firmware has assigned them */
    } pci;
    uint64_t fw_cfg; /**< where QEMU's fw_cfg is: ports (x86) or memory; 0: none */
};
extern struct card_machine machine;

/** Called by <architecture>/start.S on the boot stack, with what the machine was started with: the
 *  PVH start info or the device tree. Fills `machine` in, then runs card_main. */
void arch_main(uint64_t boot_information);
_Noreturn void card_main(void);

void arch_put(char c); /**< a byte on the serial port */
uint64_t arch_ticks(void);
void arch_relax(void); /**< a moment's rest for those who share the CPU */
/** Sleeps until about then: the host's CPU is free meanwhile. May return early. */
void arch_sleep_until(uint64_t ns);
/** From now on interrupt `line` ends a sleep. False: there is no controller for it. */
bool arch_line_on(uint32_t line);
/** Its device has been seen to; it may come again. */
void arch_line_done(uint32_t line);
_Noreturn void arch_power_off(void);
_Noreturn void arch_halt(void); /**< for ever, but in RAM everything stays */
/** Has fw_cfg do what the descriptor at that address says; machine.fw_cfg is not 0. */
void arch_fw_cfg(uint64_t descriptor);
/** Executes something that traps: "read", "write", "undefined"; false: not such a word. */
bool arch_crash(const char *how);

/** Nanoseconds since the boot. */
uint64_t now_ns(void);
extern const struct vt_virtio_clock card_clock;

/* What arch's trap handlers call: says what happened, then halts. */
struct card_trap {
    const char *what; /**< "page fault" */
    uint64_t number;  /**< vector, exception class, cause */
    uint64_t pc, address, code, sp;
    unsigned n_registers;
    const uint64_t *registers;
    const char *const *names;
};
_Noreturn void card_trap(const struct card_trap *trap);
/** The same for what the kernel itself cannot go on with. */
_Noreturn void card_panic(const char *why);

/* ---------------------------------------------------------------- the device tree */

struct card_tree {
    const uint8_t *structs, *strings;
    uint32_t structs_bytes, strings_bytes, bytes;
    uint32_t at, depth;
    uint32_t cells[16][2]; /**< #address-cells and #size-cells that children of this depth use */
};
struct card_node {
    const char *name;
    const struct card_tree *tree;
    uint32_t properties; /**< offset of the first */
    uint32_t address_cells, size_cells;
};
/** False: no device tree there. */
bool tree_open(struct card_tree *tree, const void *blob);
/** The next node in document order; false after the last. */
bool tree_next(struct card_tree *tree, struct card_node *node);
const void *tree_property(const struct card_node *node, const char *name, uint32_t *bytes);
/** Has it `word` among its "compatible" ones? */
bool tree_is(const struct card_node *node, const char *word);
bool tree_reg(const struct card_node *node, unsigned index, uint64_t *address, uint64_t *bytes);
uint32_t tree_u32(const struct card_node *node, const char *name, uint32_t otherwise);
uint64_t tree_cells(const uint8_t *at, unsigned n);

/** The line that a node's "interrupts" name, or 0. */
uint32_t arch_tree_line(const struct card_node *node);
/** Memory, command line, devices and PCI of a device tree, into `machine`; `each` sees every node,
 *  too, for what only the architecture knows (console, power, clock, interrupts). */
void machine_from_tree(const void *blob, void (*each)(const struct card_node *node));

/* ---------------------------------------------------------------- reports */

void report_begin(const char *event);
void report_text(const char *key, const char *value);
void report_number(const char *key, uint64_t value);
void report_address(const char *key, uint64_t value); /**< "0x…": a string, as everywhere */
void report_truth(const char *key, bool value);
void report_end(void);

/* ---------------------------------------------------------------- the script */

struct card_words {
    unsigned n;
    char *word[64];
};
/** A statement: `words` without its own name. False, after script_fail, ends the script. */
struct card_statement {
    const char *name, *usage;
    bool (*run)(const struct card_words *words);
};
/** Each ended by a NULL name. */
extern const struct card_statement machine_statements[], driver_statements[], raw_statements[],
    display_statements[], bench_statements[], compute_statements[];
/** Runs again and again while the script waits; gpu.c sets it. */
extern void (*script_idle)(void);
/** Sleeps, and runs script_idle about a hundred times a second. */
void rest_until(uint64_t until_ns);
/** The number of the statement that is running, from 1. */
unsigned script_statement(void);

/** Runs machine.command_line; returns how many statements were run, and *failed. */
unsigned script_run(bool *failed);
/** Says why a statement cannot be done; returns false. */
bool script_fail(const char *why);

/** "12", "0x1f", "4K", "2M"; false: not a number, or more than `most`. */
bool parse_number(const char *text, uint64_t most, uint64_t *value);
bool same_text(const char *a, const char *b);
/** "640x480" */
bool parse_size(const char *text, uint32_t *width, uint32_t *height);
/** What of `text` follows `prefix`, or NULL. */
const char *after_prefix(const char *text, const char *prefix);

#endif
