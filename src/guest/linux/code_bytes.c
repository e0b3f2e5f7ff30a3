/* guest/linux/code_bytes.c - see code_bytes.h. */
#include "guest/linux/code_bytes.h"

#include <string.h>

/* How something begins; '?' in `mask` stands for any byte. More telling ones come first. */
static const struct {
    const char *look;
    const char *bytes, *mask;
} beginnings[] = {
    {"ELF file",
     "\x7f"
     "ELF",
     "...."},
    {"Windows program", "MZ", ".."},
    {"script", "#!/", "..."},
    /* Position-independent code that first finds out where it is, or makes a system call. */
    {"shellcode", "\xfc\x48\x83\xe4\xf0", "....."}, /* cld; and rsp, -16 */
    {"shellcode", "\xfc\xe8", ".."},                /* cld; call */
    {"shellcode", "\xeb\0\x5e", ".?."},             /* jmp; pop rsi */
    {"shellcode", "\xe8\0\0\0\0\x58", "......"},    /* call next; pop rax … rdi */
    {"shellcode", "\xe8\0\0\0\0\x5b", "......"},
    {"shellcode", "\xe8\0\0\0\0\x5d", "......"},
    {"shellcode", "\xe8\0\0\0\0\x5e", "......"},
    {"shellcode", "\xe8\0\0\0\0\x5f", "......"},
    {"shellcode", "\x6a\0\x58", ".?."}, /* push n; pop rax */
    {"shellcode", "\x6a\0\x5f", ".?."}, /* push n; pop rdi */
    {"shellcode", "\x48\x31", ".."},    /* xor */
    {"shellcode", "\x31\xc0", ".."},
    {"shellcode", "\x31\xdb", ".."},
    {"shellcode", "\x31\xff", ".."},
    {"shellcode", "\x90\x90\x90\x90", "...."},          /* a slide of nops */
    {"function", "\xf3\x0f\x1e\xfa", "...."},           /* endbr64 */
    {"function", "\x55\x48\x89\xe5", "...."},           /* push rbp; mov rbp, rsp */
    {"function", "\x48\x83\xec", "..."},                /* sub rsp, n */
    {"function", "\x48\x81\xec", "..."},                /* sub rsp, n */
    {"function", "\x41\x57\x41\x56", "...."},           /* push r15; push r14 */
    {"function", "\x48\x89\x5c\x24", "...."},           /* mov [rsp+n], rbx */
    {"returns a number", "\xb8\0\0\0\0\xc3", ".????."}, /* mov eax, n; ret */
    {"jump", "\xe9", "."},
    {"jump", "\xff\x25", ".."}, /* jmp [rip+n] */
    {"jump", "\x48\xb8\0\0\0\0\0\0\0\0\xff\xe0", "..????????.."},
    {"breakpoint", "\xcc", "."},
    {"returns", "\xc3", "."},
};

const char *vt_code_bytes_look(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t length = strlen(beginnings[i].mask), k = 0;
        while (k < length && k < n &&
               (beginnings[i].mask[k] == '?' || bytes[k] == (uint8_t)beginnings[i].bytes[k])) {
            k++;
        }
        if (k == length) {
            return beginnings[i].look;
        }
    }
    size_t zeros = 0;
    while (zeros < n && bytes[zeros] == 0) {
        zeros++;
    }
    return n > 0 && zeros == n ? "zeros" : "";
}
