/* tests/system/trace/exact/exact.c - a kernel without a system that does, round after round, what
 * is hard to trace: interrupts at any place, faults that are mended, code that changes, string
 * instructions that are interrupted, devices in the middle of blocks, pages under several
 * addresses, several page tables, rings and modes.
 *
 *   work=N    rounds (default 1)
 *   tick=N    ticks of the local controller's timer between interrupts (default 20000), 0: none
 *   memory=N  instead of rounds, N accesses of accesses.h
 *
 * Prints "checksum X, N rounds" on COM1, the same whenever interrupts came, and ends QEMU.
 */
#include "accesses.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, LAPIC = 0xfee00000u, COM1 = 0x3f8, DEBUG_EXIT = 0x501 };
enum { PRESENT = 1, WRITABLE = 2, USER = 4 };
/* Addresses that a table of 4-KiB pages serves. */
#define WINDOW ((uint64_t)1 << 39)
enum { /* pages of the window */
       AT_MEMORY = 0,
       AT_STRADDLE = 32,
       AT_SHARED = 40,
       AT_ALIAS = 48,
       AT_SWITCHED = 56,
       AT_USER = 64,
       AT_USER_STACK = 72,
       N_PAGES = 80
};

_Static_assert(CHECKED_BASE == WINDOW && CHECKED_BYTES <= AT_STRADDLE * PAGE, "of the window");

struct frame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, code, rip, cs, flags, rsp, ss;
};
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t modlist, command_line;
};

extern uint64_t root_a[512], gdt[10], kernel_stack, system_calls;
extern const uint64_t checked_entries[CHECKED_KINDS];
extern char trap_entries[], trap_stack_end[], leave_user[], system_call[];
extern char straddle[], straddle_end[], shared[], shared_end[], other[], other_end[], user[],
    user_end[];
void checked_do(uint64_t entry, const uint64_t arguments[4]);
void enter_user(uint64_t rip, uint64_t rsp, uint64_t argument);
uint32_t touch_devices(uint32_t), step_through(uint32_t), divide(uint32_t), undefined(uint32_t),
    breakpoint(uint32_t), compatible(uint32_t);
uint64_t across(uint64_t), along(uint64_t), vectors(void *);
uint32_t change_own(uint32_t), change_next(uint32_t), change_other(uint32_t),
    change_stepwise(uint32_t), change_string(const void *);
_Noreturn void exact_main(const struct start_info *info);
void exact_trap(struct frame *f);

static uint64_t root_b[512] __attribute__((aligned(PAGE)));
static uint64_t pointers[2][512] __attribute__((aligned(PAGE)));
static uint64_t directories[2][512] __attribute__((aligned(PAGE)));
static uint64_t tables[2][512] __attribute__((aligned(PAGE)));
static uint8_t frames[N_PAGES][PAGE] __attribute__((aligned(PAGE)));
static uint8_t bytes[4 * PAGE] __attribute__((aligned(PAGE)));
static uint32_t task_state[26];
static volatile uint64_t ticks;
static uint64_t faults, steps, user_calls, user_result;
static uint64_t sum = 0x9e3779b97f4a7c15;
static uint64_t random_state = 88172645463325252;

static void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static void put(char c)
{
    out8(COM1, (uint8_t)c);
}

static void say(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static void say_hex(uint64_t v)
{
    for (int i = 60; i >= 0; i -= 4) {
        put("0123456789abcdef"[v >> i & 15]);
    }
}

static void say_number(uint64_t v)
{
    char text[24];
    unsigned n = 0;
    do {
        text[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n > 0) {
        put(text[--n]);
    }
}

static _Noreturn void end(void)
{
    __asm__ volatile("cli; outl %0, %1" ::"a"(0), "Nd"((uint16_t)DEBUG_EXIT));
    for (;;) { /* QEMU ends a moment later: no instruction more until then */
        __asm__ volatile("hlt");
    }
}

static void mix(uint64_t v)
{
    sum = (sum ^ v) * 0x100000001b3 + (sum >> 47);
}

static uint64_t chance(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static volatile uint32_t *lapic(uint32_t at)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC + at);
}

static void write_msr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void *window(unsigned page)
{
    return (void *)(uintptr_t)(WINDOW + (uint64_t)page * PAGE);
}

static void map(unsigned which, unsigned page, unsigned to, uint64_t flags)
{
    tables[which][page] = (uintptr_t)frames[to] | flags;
    __asm__ volatile("invlpg (%0)" ::"r"(window(page)) : "memory");
}

static void copy(void *to, const char *from, const char *from_end)
{
    char *at = to;
    while (from < from_end) {
        *at++ = *from++;
    }
}

/* ---- traps */

void exact_trap(struct frame *f)
{
    uint64_t address;
    switch (f->vector) {
    case 0:
    case 6: /* both have two bytes */
        f->rip += 2;
        break;
    case 1:
        if (++steps % 12 == 0) {
            f->flags &= ~(uint64_t)0x100;
        }
        break;
    case 3:
    case 0x81:
        mix(f->vector);
        break;
    case 14: {
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
        uint64_t page = (address - WINDOW) / PAGE;
        if (address < WINDOW || page >= N_PAGES) {
            say("fault at 0x");
            say_hex(address);
            say(" by 0x");
            say_hex(f->rip);
            say("\n");
            end();
        }
        faults++;
        map(0, (unsigned)page, (unsigned)page, PRESENT | WRITABLE | USER);
        break;
    }
    case 0x20:
        ticks++;
        *lapic(0xb0) = 0;
        break;
    case 0x80:
        if (f->rax != 0) {
            user_calls += f->rax;
            break;
        }
        user_result = f->rdi;
        f->rip = (uintptr_t)leave_user;
        f->cs = 8;
        f->ss = 16;
        f->rsp = kernel_stack;
        break;
    default:
        say("trap ");
        say_number(f->vector);
        say(" at 0x");
        say_hex(f->rip);
        say("\n");
        end();
    }
}

static void set_up(uint32_t tick)
{
    static struct {
        uint16_t low, selector;
        uint8_t stack, type;
        uint16_t middle;
        uint32_t high, zero;
    } gates[256];
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof gates - 1, (uintptr_t)gates};
    for (unsigned i = 0; i < 256; i++) {
        uintptr_t to = (uintptr_t)trap_entries + (uintptr_t)16 * i;
        gates[i].low = (uint16_t)to;
        gates[i].selector = 8;
        gates[i].stack = 1; /* the interrupted stack may be anything */
        gates[i].type = i >= 0x80 ? 0xee : 0x8e;
        gates[i].middle = (uint16_t)(to >> 16);
        gates[i].high = (uint32_t)(to >> 32);
    }
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");

    uint64_t state = (uintptr_t)task_state, stack = (uintptr_t)trap_stack_end;
    task_state[9] = (uint32_t)stack;
    task_state[10] = (uint32_t)(stack >> 32);
    gdt[6] = (sizeof task_state - 1) | (state & 0xffffff) << 16 | (uint64_t)0x89 << 40 |
             (state >> 24 & 0xff) << 56;
    gdt[7] = state >> 32;
    __asm__ volatile("ltr %w0" ::"r"(0x30));

    write_msr(0xc0000081, (uint64_t)0x1b << 48 | (uint64_t)8 << 32); /* STAR */
    write_msr(0xc0000082, (uintptr_t)system_call);
    write_msr(0xc0000084, 0x200); /* no interrupts in it: it has the user's stack */

    for (unsigned i = 0; i < 2; i++) {
        uint64_t *root = i == 0 ? root_a : root_b;
        root[0] = root_a[0];
        root[1] = (uintptr_t)pointers[i] | PRESENT | WRITABLE | USER;
        pointers[i][0] = (uintptr_t)directories[i] | PRESENT | WRITABLE | USER;
        directories[i][0] = (uintptr_t)tables[i] | PRESENT | WRITABLE | USER;
    }
    copy(frames[AT_SHARED], shared, shared_end);
    copy(frames[AT_SWITCHED], shared, shared_end);
    copy(frames[AT_SWITCHED + 1], other, other_end);
    copy(frames[AT_USER], user, user_end);
    copy(frames[AT_STRADDLE] + PAGE - 16, straddle, straddle + 16);
    copy(frames[AT_STRADDLE + 1], straddle + 16, straddle_end);
    map(0, AT_SHARED, AT_SHARED, PRESENT);
    map(0, AT_ALIAS, AT_SHARED, PRESENT);
    map(0, AT_SWITCHED, AT_SWITCHED, PRESENT);
    map(1, AT_SWITCHED, AT_SWITCHED + 1, PRESENT);
    map(0, AT_USER, AT_USER, PRESENT | USER);

    out8(0x21, 0xff); /* the old controllers are silent */
    out8(0xa1, 0xff);
    *lapic(0xf0) = 0x1ff;
    if (tick != 0) {
        *lapic(0x3e0) = 0xb;     /* undivided */
        *lapic(0x320) = 0x20020; /* periodic, vector 0x20 */
        *lapic(0x380) = tick;
        __asm__ volatile("sti");
    }
}

/* ---- what a round does */

static uint64_t fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t plus(uint64_t v)
{
    return v + 3;
}
static uint64_t turn(uint64_t v)
{
    return v << 7 | v >> 57;
}
static uint64_t times(uint64_t v)
{
    return v * 0x2545f4914f6cdd1d;
}

static void branches(void)
{
    static uint64_t (*const functions[])(uint64_t) = {plus, turn, times, turn};
    uint64_t v = chance();
    for (unsigned i = 0; i < 200; i++) {
        v = functions[v >> 5 & 3](v);
        switch (v & 7) {
        case 0:
            v += 5;
            break;
        case 1:
            v ^= 0x77;
            break;
        case 3:
            v = ~v;
            break;
        case 4:
            v -= i;
            break;
        case 6:
            v += v >> 3;
            break;
        default:
            break;
        }
    }
    mix(v + fibonacci(10));
}

static void sort(void)
{
    static uint32_t numbers[64];
    for (unsigned i = 0; i < 64; i++) {
        numbers[i] = (uint32_t)chance();
    }
    for (unsigned i = 1; i < 64; i++) {
        uint32_t v = numbers[i];
        unsigned k = i;
        for (; k > 0 && numbers[k - 1] > v; k--) {
            numbers[k] = numbers[k - 1];
        }
        numbers[k] = v;
    }
    mix(numbers[0] ^ (uint64_t)numbers[63] << 32);
}

static void strings(void)
{
    void *to = bytes + 1, *from = bytes + 2 * PAGE + 3;
    uint64_t n = 3000 + (chance() & 1023), left, found;
    uint8_t value = (uint8_t)chance();
    __asm__ volatile("rep stosb" : "+D"(from), "+c"(n) : "a"(value) : "memory");
    from = bytes + 2 * PAGE + 3;
    n = 2500;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    to = bytes + 1;
    from = bytes + 2 * PAGE + 3;
    bytes[2000] ^= 1;
    left = 2500;
    __asm__ volatile("repe cmpsb" : "+D"(to), "+S"(from), "+c"(left)::"memory", "cc");
    mix(left);
    to = bytes + 2500;
    found = 2600;
    bytes[100] = (uint8_t)~value;
    __asm__ volatile("std; repne scasb; cld"
                     : "+D"(to), "+c"(found)
                     : "a"((uint8_t)~value)
                     : "memory", "cc");
    mix(found);
    n = 0;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
    n = 6;
    from = bytes;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"((uint16_t)0x3ff) : "memory");
}

/* Pages that are not there: single accesses, and a string instruction that stops at each. */
static void pages(void)
{
    uint64_t before = faults, n = 4 * PAGE - 64;
    uint8_t *at = window(AT_MEMORY), *to = at + 32;
    for (unsigned i = 0; i < 8; i++) {
        map(0, AT_MEMORY + i, 0, 0);
    }
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0x5a) : "memory");
    __asm__ volatile("movq %1, 4092(%0)\n\tmovq 4092(%0), %%rax" ::"r"(at + 4 * PAGE),
                     "r"((uint64_t)7)
                     : "rax", "memory");
    for (unsigned i = 6; i < 8; i++) {
        at[i * PAGE + 5] = (uint8_t)i;
        mix(at[i * PAGE + 5]);
    }
    map(0, AT_MEMORY + 7, AT_MEMORY + 7, PRESENT); /* to be written to all the same */
    *(volatile uint32_t *)(at + 7 * PAGE + 100) += 3;
    mix(faults - before);
}

static void changes(uint32_t round)
{
    static const uint8_t code[][5] = {{0xb8, 1, 2, 3, 4}, {0xb8, 9, 8, 7, 6}};
    for (uint32_t i = 0; i < 6; i++) {
        mix(change_own(round + i / 2));
        mix(change_next(round * 3 + i / 3));
        mix(change_other(round ^ i));
    }
    mix(change_stepwise(round * 0x01020304));
    mix(change_string(code[round & 1]));
}

static void aliases(void)
{
    for (unsigned i = 0; i < 10; i++) {
        uint64_t (*f)(uint64_t) =
            (uint64_t (*)(uint64_t))(uintptr_t)window(i % 3 == 0 ? AT_SHARED : AT_ALIAS);
        mix(f(i));
    }
    map(0, AT_STRADDLE, AT_STRADDLE, PRESENT);
    map(0, AT_STRADDLE + 1, 0, 0);
    uint64_t (*g)(uint64_t) = (uint64_t (*)(uint64_t))((uintptr_t)window(AT_STRADDLE) + PAGE - 16);
    mix(g(5));
    mix(g(6));
    uint64_t (*h)(uint64_t) = (uint64_t (*)(uint64_t))(uintptr_t)window(AT_SWITCHED);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *root = i & 1 ? root_b : root_a, v;
        __asm__ volatile("mov %3, %%cr3\n\tcall *%1\n\tmov %4, %%cr3"
                         : "=a"(v), "+r"(h)
                         : "D"((uint64_t)i), "r"(root), "r"(root_a)
                         : "rcx", "rdx", "memory", "cc");
        mix(v);
    }
}

static void rings(void)
{
    map(0, AT_USER_STACK, 0, 0);
    map(0, AT_USER_STACK + 1, 0, 0);
    system_calls = user_calls = 0;
    enter_user((uintptr_t)window(AT_USER), (uintptr_t)window(AT_USER_STACK + 1) - 64, 6);
    mix(user_result);
    mix(system_calls << 32 | user_calls);
}

static void sleep(void)
{
    uint64_t before = ticks;
    __asm__ volatile("cli");
    while (ticks == before) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
    __asm__ volatile("sti");
}

static uint64_t number(const char *line, const char *name, uint64_t otherwise)
{
    for (; *line; line++) {
        const char *a = line, *b = name;
        while (*b && *a == *b) {
            a++;
            b++;
        }
        if (!*b) {
            uint64_t v = 0;
            while (*a >= '0' && *a <= '9') {
                v = v * 10 + (uint64_t)(*a++ - '0');
            }
            return v;
        }
    }
    return otherwise;
}

static void accesses(uint64_t n)
{
    uint64_t state = CHECKED_SEED;
    for (unsigned i = 0; i < CHECKED_BYTES / PAGE; i++) {
        map(0, AT_MEMORY + i, AT_MEMORY + i, PRESENT | WRITABLE);
    }
    checked_fill(window(AT_MEMORY));
    for (uint64_t i = 0; i < n; i++) {
        const struct checked c = checked_next(&state);
        const uint64_t arguments[4] = {c.a, c.b, c.value, c.n};
        unsigned page = (unsigned)((c.a - WINDOW) / PAGE);
        for (unsigned k = 0; k < 2 && c.unmap != 0; k++) {
            map(0, page + k, page + k, c.unmap >> k & 1 ? 0 : PRESENT | WRITABLE);
        }
        checked_do(checked_entries[c.kind], arguments);
        for (unsigned k = 0; k < 2 && c.unmap != 0; k++) {
            map(0, page + k, page + k, PRESENT | WRITABLE);
        }
    }
    const uint64_t *at = window(AT_MEMORY);
    for (unsigned i = 0; i < CHECKED_BYTES / 8; i++) {
        mix(at[i]);
    }
}

_Noreturn void exact_main(const struct start_info *info)
{
    const char *line = (const char *)(uintptr_t)info->command_line;
    uint64_t rounds = line ? number(line, "work=", 1) : 1;
    uint32_t tick = (uint32_t)(line ? number(line, "tick=", 20000) : 20000);
    set_up(tick);
    uint64_t memory = line ? number(line, "memory=", 0) : 0;
    if (memory != 0) {
        accesses(memory);
        rounds = 0;
    }
    for (uint32_t i = 0; i < rounds; i++) {
        branches();
        sort();
        strings();
        pages();
        changes(i);
        aliases();
        rings();
        mix(touch_devices(i));
        mix(step_through(i));
        mix(divide(i) + undefined(i) + breakpoint(i));
        mix(compatible(i));
        mix(across(i) ^ along(i));
        mix(vectors(bytes));
        if (tick != 0 && i % 8 == 0) {
            sleep();
        }
    }
    __asm__ volatile("cli");
    say("checksum ");
    say_hex(sum);
    say(", ");
    say_number(rounds);
    say(" rounds, ");
    say_number(ticks);
    say(" interrupts, ");
    say_number(faults);
    say(" faults\n");
    end();
}
