/* guests/card/x86_64/x86.h - between this architecture's own parts. */
#ifndef CARD_X86_H
#define CARD_X86_H

#include "card.h"

struct x86_power_off {
    enum { X86_OFF_UNKNOWN, X86_OFF_PORT, X86_OFF_PORT_BYTE, X86_OFF_MEMORY } kind;
    uint64_t address;
    uint8_t type;
};
/** An interrupt controller for devices and the first line it has. */
struct x86_io_apic {
    uint32_t address, first;
};
enum { X86_IO_APICS = 4 };

/** Adds to machine.mmio, too. Without tables nothing is found and nothing changes. */
void acpi_read(uint64_t rsdp_address, struct x86_power_off *off,
               struct x86_io_apic apics[X86_IO_APICS]);

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "d"(port) : "memory");
}
static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "d"(port) : "memory");
}
static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "d"(port) : "memory");
}
static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}
static inline uint16_t in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}
static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "d"(port) : "memory");
    return value;
}

#endif
