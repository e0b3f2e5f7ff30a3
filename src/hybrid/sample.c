/* hybrid/sample.c - what registers hold while the guest is in a loop. See accelerator.h.
 *
 * QEMU's monitor tells what it has in memory of a vCPU that runs on: registers that a loop does not
 * change are right, all others those of some instruction; the PC is that of a block's beginning.
 * Nothing is taken from it but what to try: kernels ask for it again where they run.
 */
#include "hybrid/accelerator.h"

#include "vitrine/dump.h"
#include "vitrine/target.h"

#include <stdlib.h>
#include <time.h>

#define LOOKS 24u
#define LOOK_NS 1000000

/* Of struct vt_dump_cpu, as x86 numbers them: rax rcx rdx rbx rsp rbp rsi rdi r8 … r15. */
static const uint8_t order[16] = {10, 11, 12, 5, 19, 4, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0};
enum { RIP = 16 };

static bool is_inside(const struct vt_synth_loop *loop, uint64_t pc)
{
    bool found = false;
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        found |= pc - loop->head - (uint64_t)loop->blocks[i].at < loop->blocks[i].n;
    }
    return found;
}

static bool read_guest(void *arg, uint64_t address, void *to, size_t bytes)
{
    return vt_space_read(arg, VT_GVA(address), to, bytes, NULL) == 0;
}

bool vt_accelerator_sample(struct vt_accelerator *a, const struct vt_synth_loop *loop,
                           struct vt_space *space, struct vt_synth_state *state)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    *state = (struct vt_synth_state){.read = read_guest, .arg = space};
    for (uint32_t look = 0; look < LOOKS && !vt_accelerator_stopped(a); look++) {
        struct vt_dump_cpu *cpus;
        unsigned n;
        if (vt_dump_cpus(a->target->vm, &cpus, &n, NULL) != 0) {
            return false;
        }
        bool inside = is_inside(loop, cpus[0].reg[RIP]);
        for (unsigned i = 0; i < 16; i++) {
            state->r[i] = cpus[0].reg[order[i]];
        }
        free(cpus);
        if (inside) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
    return false;
}
