/* guest/symbols/vmcoreinfo.c - one line out of VMCOREINFO. See vmcoreinfo.h. */
#include "guest/symbols/vmcoreinfo.h"

#include <string.h>

bool vt_vmcoreinfo_get(const char *text, size_t n, const char *key, char *value, size_t size)
{
    size_t key_bytes = strlen(key);
    for (size_t at = 0; at < n;) {
        const char *line = text + at, *stop = memchr(line, '\n', n - at);
        size_t length = stop != NULL ? (size_t)(stop - line) : n - at;
        if (length > key_bytes && line[key_bytes] == '=' && memcmp(line, key, key_bytes) == 0) {
            size_t count = length - key_bytes - 1;
            count = count < size - 1 ? count : size - 1;
            memcpy(value, line + key_bytes + 1, count);
            value[count] = '\0';
            return true;
        }
        at += length + 1;
    }
    return false;
}
