/* machine/usage.c - see usage.h. */
#include "machine/usage.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* utime, stime and rss: fields 14, 15 and 24, counted after the name's closing parenthesis, which
 * is the last one on the line (proc(5)). */
bool vt_process_usage(pid_t pid, uint64_t *cpu_ns, uint64_t *rss_bytes)
{
    char path[64], *text;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (pid <= 0 || vt_read_file(path, 65536, &text, NULL, NULL) != 0) {
        return false;
    }
    const char *rest = strrchr(text, ')');
    unsigned long long user, system;
    long rss;
    bool ok = rest != NULL && sscanf(rest + 1,
                                     " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s "
                                     "%*s %*s %*s %*s %*s %*s %*s %ld",
                                     &user, &system, &rss) == 3;
    free(text);
    if (ok) {
        *cpu_ns = (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
        *rss_bytes = (uint64_t)(rss > 0 ? rss : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return ok;
}

void vt_vm_usage(const struct vt_vm_info *info, struct vt_vm_usage *usage)
{
    struct stat st;
    *usage = (struct vt_vm_usage){0};
    usage->has_process = vt_process_usage(info->qemu_pid, &usage->cpu_ns, &usage->rss_bytes);
    if (info->ram_path[0] != '\0' && stat(info->ram_path, &st) == 0) {
        usage->has_ram = true;
        usage->ram_allocated_bytes = (uint64_t)st.st_blocks * 512;
    }
}
