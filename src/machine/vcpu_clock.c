/* machine/vcpu_clock.c - see vcpu_clock.h. */
#include "machine/vcpu_clock.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_line(pid_t qemu, pid_t thread, const char *file, char *line, int bytes)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)qemu, (int)thread, file);
    FILE *from = fopen(path, "re");
    bool read = from != NULL && fgets(line, bytes, from) != NULL;
    if (from != NULL) {
        (void)fclose(from);
    }
    return read;
}

/* QEMU names these threads "CPU 0/TCG", "CPU 1/KVM" and so on. */
static bool is_vcpu(pid_t qemu, pid_t thread)
{
    char name[32];
    return read_line(qemu, thread, "comm", name, sizeof name) && strncmp(name, "CPU ", 4) == 0;
}

static bool look(pid_t qemu, struct vt_vcpu_clock *c)
{
    char line[128];
    return read_line(qemu, c->thread, "schedstat", line, sizeof line) &&
           sscanf(line, "%" SCNu64 " %" SCNu64, &c->executed_ns, &c->waited_ns) == 2;
}

void vt_vcpu_clocks(pid_t qemu, struct vt_vcpu_clocks *clocks)
{
    char path[64];
    clocks->qemu = qemu;
    clocks->n = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)qemu);
    DIR *threads = qemu > 0 ? opendir(path) : NULL;
    const struct dirent *one;
    while (threads != NULL && clocks->n < VT_VCPU_CLOCKS_MAX && (one = readdir(threads)) != NULL) {
        struct vt_vcpu_clock *c = &clocks->clocks[clocks->n];
        c->thread = (pid_t)strtol(one->d_name, NULL, 10);
        clocks->n += c->thread > 0 && is_vcpu(qemu, c->thread) && look(qemu, c);
    }
    if (threads != NULL) {
        closedir(threads);
    }
}

uint64_t vt_vcpu_waited_since(const struct vt_vcpu_clocks *then)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < then->n; i++) {
        struct vt_vcpu_clock now = then->clocks[i];
        uint64_t waited = look(then->qemu, &now) && now.waited_ns > then->clocks[i].waited_ns
                              ? now.waited_ns - then->clocks[i].waited_ns
                              : 0;
        longest = waited > longest ? waited : longest;
    }
    return longest;
}
