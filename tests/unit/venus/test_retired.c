/* Timeline semaphores are destroyed when no queue of the host can have them any more. */
#include "tests/unit/harness.h"

#include "venus/retired.h"
#include "venus/vn_tables.h"

#include <string.h>

enum { QUEUES = 3, FENCES_MAX = 64 };

/* The driver: which fences there are, which are signalled, and how what it is asked for ends. */
static struct {
    bool made[FENCES_MAX], submitted[FENCES_MAX], signalled[FENCES_MAX];
    uint32_t n_fences, n_destroyed;
    VkSemaphore destroyed[8];
    VkResult create, submit, status;
} driver;

static uint32_t index_of(VkFence fence)
{
    uint32_t i = (uint32_t)(uintptr_t)fence - 1;
    assert_true(i < driver.n_fences && driver.made[i]);
    return i;
}

static VkResult create_fence(VkDevice device, const VkFenceCreateInfo *info,
                             const VkAllocationCallbacks *allocator, VkFence *fence)
{
    (void)device, (void)allocator;
    assert_int_equal(info->flags, 0);
    if (driver.create != VK_SUCCESS) {
        return driver.create;
    }
    assert_true(driver.n_fences < FENCES_MAX);
    driver.made[driver.n_fences] = true;
    *fence = (VkFence)(uintptr_t)++driver.n_fences;
    return VK_SUCCESS;
}

static void destroy_fence(VkDevice device, VkFence fence, const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    driver.made[index_of(fence)] = false;
}

static VkResult submit(VkQueue queue, uint32_t n, const VkSubmitInfo *infos, VkFence fence)
{
    (void)queue, (void)infos;
    assert_int_equal(n, 0);
    if (driver.submit == VK_SUCCESS) {
        driver.submitted[index_of(fence)] = true;
    }
    return driver.submit;
}

static VkResult status(VkDevice device, VkFence fence)
{
    (void)device;
    assert_true(driver.submitted[index_of(fence)]);
    return driver.status != VK_SUCCESS         ? driver.status
           : driver.signalled[index_of(fence)] ? VK_SUCCESS
                                               : VK_NOT_READY;
}

static void destroy_semaphore(VkDevice device, VkSemaphore semaphore,
                              const VkAllocationCallbacks *allocator)
{
    (void)device, (void)allocator;
    assert_true(driver.n_destroyed < 8);
    driver.destroyed[driver.n_destroyed++] = semaphore;
}

static uint32_t fences_left(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < driver.n_fences; i++) {
        n += driver.made[i];
    }
    return n;
}

static struct vt_venus_queue queues[QUEUES];
static struct vt_venus_device device;

static int set_up(void **state)
{
    (void)state;
    memset(&driver, 0, sizeof driver);
    device = (struct vt_venus_device){
        .queues = queues,
        .n_queues = QUEUES,
        .table = {.CreateFence = create_fence,
                  .DestroyFence = destroy_fence,
                  .QueueSubmit = submit,
                  .GetFenceStatus = status,
                  .DestroySemaphore = destroy_semaphore},
    };
    pthread_mutex_init(&device.lock, NULL);
    for (uint32_t i = 0; i < QUEUES; i++) { /* the last one the guest has not got */
        queues[i] = (struct vt_venus_queue){
            .device = &device,
            .handle = i + 1 < QUEUES ? (VkQueue)(uintptr_t)(i + 1) : VK_NULL_HANDLE,
        };
        pthread_mutex_init(&queues[i].lock, NULL);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_null(device.retired);
    assert_int_equal(device.n_retired, 0);
    for (uint32_t i = 0; i < QUEUES; i++) {
        pthread_mutex_destroy(&queues[i].lock);
    }
    pthread_mutex_destroy(&device.lock);
    return 0;
}

static VkSemaphore semaphore(uintptr_t id)
{
    return (VkSemaphore)id;
}

static void test_every_queue_has_to_pass(void **state)
{
    (void)state;
    vt_venus_retire(&device, semaphore(7));
    assert_int_equal(fences_left(), 2);
    driver.signalled[1] = true;
    assert_true(vt_venus_retired_room(&device));
    assert_int_equal(driver.n_destroyed, 0);
    driver.signalled[0] = true;
    assert_true(vt_venus_retired_room(&device));
    assert_int_equal(driver.n_destroyed, 1);
    assert_ptr_equal(driver.destroyed[0], semaphore(7));
    assert_int_equal(fences_left(), 0);
    vt_venus_retired_end(&device, false);
    assert_int_equal(driver.n_destroyed, 1);
}

static void test_the_oldest_is_first(void **state)
{
    (void)state;
    vt_venus_retire(&device, semaphore(7));
    vt_venus_retire(&device, semaphore(8));
    driver.signalled[0] = driver.signalled[1] = driver.signalled[2] = true;
    vt_venus_retire(&device, semaphore(9));
    assert_int_equal(driver.n_destroyed, 1);
    assert_ptr_equal(driver.destroyed[0], semaphore(7));
    memset(driver.signalled, true, sizeof driver.signalled);
    assert_true(vt_venus_retired_room(&device));
    assert_int_equal(driver.n_destroyed, 3);
    assert_ptr_equal(driver.destroyed[2], semaphore(9));
    vt_venus_retire(&device, semaphore(10)); /* the list begins anew */
    assert_int_equal(driver.n_destroyed, 4);
}

static uint32_t n_seen;

static void see(const struct vt_venus_device *of, VkSemaphore which)
{
    assert_ptr_equal(of, &device);
    assert_ptr_equal(which, semaphore(7 + n_seen++));
}

static void test_the_device_ends_first(void **state)
{
    (void)state;
    vt_venus_retire(&device, semaphore(7));
    vt_venus_retire(&device, semaphore(8));
    n_seen = 0;
    vt_venus_retired_each(&device, see);
    assert_int_equal(n_seen, 2);
    vt_venus_retired_end(&device, false);
    assert_int_equal(driver.n_destroyed, 2);
    assert_int_equal(fences_left(), 0);

    vt_venus_retire(&device, semaphore(9));
    vt_venus_retired_end(&device, true); /* what hangs is left as it is */
    assert_int_equal(driver.n_destroyed, 2);
    assert_int_equal(fences_left(), 2);
}

static void test_a_lost_device_holds_nothing(void **state)
{
    (void)state;
    vt_venus_retire(&device, semaphore(7));
    driver.status = driver.submit = VK_ERROR_DEVICE_LOST;
    vt_venus_retire(&device, semaphore(8));
    assert_int_equal(driver.n_destroyed, 2);
    assert_int_equal(fences_left(), 0);
}

static void test_without_memory_it_waits_for_the_device(void **state)
{
    (void)state;
    driver.create = VK_ERROR_OUT_OF_HOST_MEMORY;
    vt_venus_retire(&device, semaphore(7));
    assert_true(vt_venus_retired_room(&device));
    driver.create = VK_SUCCESS;
    driver.submit = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    vt_venus_retire(&device, semaphore(8));
    assert_int_equal(driver.n_destroyed, 0);
    assert_int_equal(fences_left(), 0);
    vt_venus_retired_end(&device, false);
    assert_int_equal(driver.n_destroyed, 2);
}

static void test_so_many_and_no_more(void **state)
{
    (void)state;
    driver.create = VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < VT_VENUS_RETIRED_MAX; i++) {
        assert_true(vt_venus_retired_room(&device));
        vt_venus_retire(&device, semaphore(7));
    }
    assert_false(vt_venus_retired_room(&device));
    vt_venus_retired_end(&device, true);
    assert_true(vt_venus_retired_room(&device));
}

#define RETIRED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RETIRED_TEST(test_every_queue_has_to_pass),
        RETIRED_TEST(test_the_oldest_is_first),
        RETIRED_TEST(test_the_device_ends_first),
        RETIRED_TEST(test_a_lost_device_holds_nothing),
        RETIRED_TEST(test_without_memory_it_waits_for_the_device),
        RETIRED_TEST(test_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
