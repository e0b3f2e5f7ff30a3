/* tests/unit/venus/stub_driver.h - a Vulkan driver that does nothing, in place of the loader.
 *
 * A program that is linked with stub_driver.c calls it instead of the system's loader: it defines
 * vkGetInstanceProcAddr. Every function succeeds at once and draws nothing (a fence that is asked
 * is not signalled one time of three); what is created gets a handle that nothing else has, and who
 * destroys what is not there, or was destroyed before, ends the program. It offers every extension
 * of the protocol, one device, two memory types (of the device; of the host, which takes imported
 * memory). Any thread.
 */
#ifndef VT_TESTS_UNIT_VENUS_STUB_DRIVER_H
#define VT_TESTS_UNIT_VENUS_STUB_DRIVER_H

#include <stddef.h>

/** Things created and not destroyed; pools take what they gave along. */
size_t stub_driver_alive(void);
/** An instance that keeps drivers loaded while no guest has one (instance.c). */
#define STUB_DRIVER_KEPT 1u

#endif
