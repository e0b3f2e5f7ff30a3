/* tests/unit/guest/write_guest.c - a synthetic guest as a file of saved RAM, for tests of verbs.
 *
 * write-guest KIND PATH: plain; torn (a link that leads nowhere); rude (a process named to harm
 * terminals); blind (no types); mute (plain, but neither symbols nor types); empty (no kernel).
 */
#include "tests/unit/guest/synthetic.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct synthetic s;
    struct synthetic_kernel k = synthetic_default();
    if (argc != 3) {
        fputs("usage: write-guest KIND PATH\n", stderr);
        return 2;
    }
    const char *kind = argv[1];
    synthetic_create(&s);
    k.modules = true;
    if (strcmp(kind, "blind") == 0) {
        k.no_types = true;
        k.release = "5.4.0-blind";
    }
    if (strcmp(kind, "empty") != 0) {
        synthetic_add(&s, &k);
    }
    if (strcmp(kind, "torn") == 0) {
        synthetic_put(&s, synthetic_task_pa(&k, 4) + TASK_TASKS, 0x10, 8);
    }
    if (strcmp(kind, "mute") == 0) {
        memset(s.ram + k.text_pa + AT_SYMBOLS, 0, AT_BTF - AT_SYMBOLS);
        memset(s.ram + k.text_pa + AT_BTF, 0, 8);
    }
    if (strcmp(kind, "rude") == 0) {
        memcpy(s.ram + synthetic_task_pa(&k, 0) + TASK_COMM, "\x1b[31m\n\xff\"end", 12);
    }
    FILE *f = fopen(argv[2], "wb");
    bool good = f != NULL && fwrite(s.ram, 1, SYNTHETIC_BYTES, f) == SYNTHETIC_BYTES;
    if (f == NULL || fclose(f) != 0 || !good) {
        perror(argv[2]);
        return 1;
    }
    synthetic_destroy(&s);
    return 0;
}
