/* plugins/common/follow.h - how a plugin is steered through its segment: a thread waits on the
 * control page's generation and has QEMU reset the plugin, which then takes what the page says.
 *
 * Inside a reset no vCPU executes and every translation and callback is gone, so a block is
 * instrumented by one configuration. But QEMU waits for those alone that execute: another may just
 * tell its callbacks that it sleeps or wakes, comes up or goes, and a reset frees these under it.
 * So a plugin is loaded twice, first with `stays=on`: what that load registers is never reset.
 * docs/plugins.md says what else QEMU's resets want.
 */
#ifndef VT_PLUGIN_FOLLOW_H
#define VT_PLUGIN_FOLLOW_H

#include "plugins/common/api.h"

#pragma GCC visibility push(hidden)

struct vt_following {
    qemu_plugin_id_t self;
    uint32_t *plugin_api, *ended; /**< of the segment's header */
    uint32_t *generation, *seen;  /**< of its control page */
    uint32_t (*configure)(void);  /**< takes what the page says and registers anew what instruments;
                                       returns the generation that it took */
    bool (*counts)(void);         /**< whether counters are to be published; on the thread */
    vt_plugin_vcpu_cb publish;    /**< for each vCPU, under QEMU's lock of plugins: no reset */
    void (*before_reset)(void);   /**< ends what vCPUs wait for; or NULL */
    void (*pause)(unsigned vcpu, bool idle); /**< a vCPU goes to sleep, or on; on its thread, and
                                                  never beside configure(); or NULL */
};

/** Whether this load is the one that stays: `id` is to register there what does not instrument, but
 * for vCPUs that sleep and wake, which is registered now. */
bool vt_follow_stays(qemu_plugin_id_t id, int argc, char **argv);
/** In the other load: starts the thread; `f` is copied. configure() was called and took
 * `generation`. Returns NULL, or why not. */
const char *vt_follow_start(const struct vt_following *f, uint32_t generation);
/** A vCPU came up, on its thread: the first one says that the plugin has come. */
void vt_follow_vcpu(unsigned vcpu);
/** While loading and inside of a reset: from now on `cb` is called for each block that is
 * translated, NULL: for none. QEMU's code is longer for each block that is, whatever `cb` does. */
void vt_follow_translations(qemu_plugin_id_t self, bool one_vcpu, vt_plugin_tb_cb cb);
/** On a vCPU's thread, in callbacks: asks for a reset if the page says something else. Not where it
 * goes idle: it would sleep first. */
void vt_follow_look(void);

/** The number in `fd=N`, or -1. */
int vt_follow_descriptor(int argc, char **argv);

void vt_futex_wake(uint32_t *word);
int vt_futex_wait(uint32_t *word, uint32_t value, unsigned timeout_ms);

#pragma GCC visibility pop

#endif
