/* guests/card/main.c - brings the machine up, runs the script, powers off. And what to do when that
 * is not possible.
 */
#include "card.h"

struct card_machine machine;

uint64_t now_ns(void)
{
    static uint64_t begin, factor;

    if (factor == 0) {
        /* ns = ticks * factor >> 32; good for centuries, and needs no division of 128 bits. */
        begin = arch_ticks();
        factor = ((uint64_t)1000000000 << 32) / (machine.ticks_hz ? machine.ticks_hz : 1000000000);
    }
    return (uint64_t)(((unsigned __int128)(arch_ticks() - begin) * factor) >> 32);
}

static uint64_t clock_now(void *arg)
{
    (void)arg;
    return now_ns();
}

static void clock_relax(void *arg)
{
    (void)arg;
    arch_relax();
}

const struct vt_virtio_clock card_clock = {.now_ns = clock_now, .relax = clock_relax};

_Noreturn void card_panic(const char *why)
{
    report_begin("panic");
    report_text("why", why);
    report_end();
    arch_halt();
}

_Noreturn void card_trap(const struct card_trap *trap)
{
    static bool again;

    if (again) { /* reporting the trap trapped: nothing more can be said safely */
        arch_halt();
    }
    again = true;
    report_begin("trap");
    report_text("what", trap->what);
    report_number("number", trap->number);
    report_address("pc", trap->pc);
    report_address("address", trap->address);
    report_address("code", trap->code);
    report_address("sp", trap->sp);
    for (unsigned i = 0; i < trap->n_registers; i++) {
        report_address(trap->names[i], trap->registers[i]);
    }
    report_end();
    arch_halt();
}

_Noreturn void card_main(void)
{
    bool failed = false;
    unsigned statements;

    if (machine.free == 0) {
        card_panic("no RAM was found around the kernel");
    }
    (void)now_ns(); /* time begins */
    report_begin("boot");
    report_text("architecture", machine.architecture);
    report_number("ram", machine.ram_bytes);
    report_address("free", machine.free);
    report_address("free_end", machine.free_end);
    report_number("ticks_hz", machine.ticks_hz);
    report_end();

    statements = script_run(&failed);

    report_begin("end");
    report_truth("ok", !failed);
    report_number("statements", statements);
    report_number("ns", now_ns());
    report_end();
    arch_power_off();
}
