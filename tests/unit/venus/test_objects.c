/* Objects: ids that are in use, of another type, or gone; what dies with what and in which order;
 * limits; memory that visitors hold.
 */
#include "tests/unit/harness.h"
#include "venus/objects.h"

static uint64_t ended[4096];
static unsigned n_ended;

static void note_end(struct vt_venus_object *object)
{
    ended[n_ended++ % 4096] = object->id;
}

vt_venus_end_fn *vt_venus_end_of(VkObjectType type)
{
    return type == VK_OBJECT_TYPE_QUEUE ? NULL : note_end;
}

static struct vt_venus_objects *made(uint32_t max)
{
    struct vt_venus_objects *objects;
    assert_int_equal(vt_venus_objects_create(max, &objects, NULL), 0);
    n_ended = 0;
    return objects;
}

static struct vt_venus_object *add(struct vt_venus_objects *objects, uint64_t id, VkObjectType type,
                                   struct vt_venus_object *parent)
{
    struct vt_venus_object *object = NULL;
    struct vt_error err;
    int rc = vt_venus_objects_add(objects, id, type, id * 1000, parent, &object, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    return object;
}

static void ids_are_found_by_type(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100);
    assert_null(vt_venus_objects_get(objects, 1));
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    assert_ptr_equal(vt_venus_objects_find(objects, 1, VK_OBJECT_TYPE_INSTANCE), instance);
    assert_null(vt_venus_objects_find(objects, 1, VK_OBJECT_TYPE_DEVICE));
    assert_null(vt_venus_objects_get(objects, 0));
    struct vt_error err;
    assert_int_equal(
        vt_venus_objects_add(objects, 1, VK_OBJECT_TYPE_FENCE, 5, instance, NULL, &err),
        VT_E_EXISTS);
    assert_int_equal(
        vt_venus_objects_add(objects, 0, VK_OBJECT_TYPE_FENCE, 5, instance, NULL, &err),
        VT_E_EXISTS);
    vt_venus_objects_destroy(objects);
}

static void faults_name_what_was_asked_for(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    add(objects, 7, VK_OBJECT_TYPE_BUFFER, instance);
    const uint64_t ids[] = {7, 0, 9, 1};
    struct vt_venus_in in = {.start = (const uint8_t *)ids,
                             .at = (const uint8_t *)ids,
                             .end = (const uint8_t *)(ids + 4),
                             .objects = objects};
    assert_int_equal(vt_venus_in_handle(&in, VK_OBJECT_TYPE_BUFFER, false, "buffer"), 7000);
    assert_int_equal(vt_venus_in_handle(&in, VK_OBJECT_TYPE_BUFFER, true, "buffer"), 0);
    assert_false(vt_venus_bad(&in));
    struct vt_venus_in again = in;
    assert_int_equal(vt_venus_in_handle(&again, VK_OBJECT_TYPE_BUFFER, true, "buffer"), 0);
    assert_int_equal(again.fault.kind, VT_VENUS_NO_OBJECT);
    assert_int_equal(again.fault.value, 9);
    again = in;
    again.at += 8;
    assert_null(vt_venus_in_object(&again, VK_OBJECT_TYPE_DEVICE, "device"));
    assert_int_equal(again.fault.kind, VT_VENUS_TYPE);
    assert_int_equal(again.fault.other, VK_OBJECT_TYPE_INSTANCE);
    again = in;
    again.at -= 8;
    assert_int_equal(vt_venus_in_handle(&again, VK_OBJECT_TYPE_BUFFER, false, "buffer"), 0);
    assert_int_equal(again.fault.kind, VT_VENUS_NULL);
    again = in;
    again.objects = NULL;
    assert_int_equal(vt_venus_in_handle(&again, VK_OBJECT_TYPE_BUFFER, true, "buffer"), 9);
    vt_venus_objects_destroy(objects);
}

static void children_end_first_and_the_youngest_first(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    struct vt_venus_object *physical = add(objects, 2, VK_OBJECT_TYPE_PHYSICAL_DEVICE, NULL);
    struct vt_venus_object *device = add(objects, 3, VK_OBJECT_TYPE_DEVICE, physical);
    struct vt_venus_object *pool = add(objects, 4, VK_OBJECT_TYPE_COMMAND_POOL, device);
    struct vt_venus_object *commands = add(objects, 5, VK_OBJECT_TYPE_COMMAND_BUFFER, pool);
    add(objects, 6, VK_OBJECT_TYPE_QUEUE, device);
    add(objects, 7, VK_OBJECT_TYPE_BUFFER, device);
    assert_ptr_equal(physical->parent, instance);
    assert_ptr_equal(physical->owner, instance);
    assert_ptr_equal(device->owner, device);
    assert_ptr_equal(commands->owner, device);
    commands->state = malloc(10);
    commands->free_state = free;
    vt_venus_objects_end(objects, device);
    const uint64_t order[] = {7, 5, 4, 3};
    assert_int_equal(n_ended, 4);
    assert_memory_equal(ended, order, sizeof order);
    assert_null(vt_venus_objects_get(objects, 5));
    assert_null(vt_venus_objects_get(objects, 6));
    assert_non_null(vt_venus_objects_get(objects, 2));
    struct vt_venus_object_counts counts;
    vt_venus_objects_counts(objects, &counts);
    assert_int_equal(counts.created, 7);
    assert_int_equal(counts.destroyed, 5);
    assert_int_equal(counts.alive, 2);
    add(objects, 3, VK_OBJECT_TYPE_DEVICE, physical); /* its id is free again */
    vt_venus_objects_destroy(objects);
    assert_int_equal(n_ended, 7);
    assert_int_equal(ended[6], 1);
}

static void a_deep_line_ends_without_a_deep_stack(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(1000000);
    struct vt_venus_object *at = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    for (uint64_t id = 2; id <= 500000; id++) {
        at = add(objects, id, VK_OBJECT_TYPE_DEVICE, at);
    }
    vt_venus_objects_destroy(objects);
    assert_int_equal(n_ended, 500000);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(50);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    for (uint64_t id = 2; id <= 50; id++) {
        add(objects, id, VK_OBJECT_TYPE_FENCE, instance);
    }
    assert_int_equal(vt_venus_objects_add(objects, 51, VK_OBJECT_TYPE_FENCE, 1, NULL, NULL, NULL),
                     VT_E_LIMIT);
    vt_venus_objects_end(objects, vt_venus_objects_get(objects, 17));
    add(objects, 51, VK_OBJECT_TYPE_FENCE, instance);

    /* Somebody who looks on for ever holds memory up to a bound, and not more. */
    struct vt_venus_visitor visitor;
    vt_venus_visitor_add(objects, &visitor);
    vt_venus_visitor_resume(objects, &visitor);
    unsigned turns = 0;
    while (turns < 1000) {
        vt_venus_objects_end(objects, vt_venus_objects_get(objects, 51));
        if (vt_venus_objects_add(objects, 51, VK_OBJECT_TYPE_FENCE, 1, NULL, NULL, NULL) != 0) {
            break;
        }
        turns++;
    }
    assert_true(turns >= 1 && turns <= 200);
    vt_venus_visitor_quiet(objects, &visitor);
    add(objects, 51, VK_OBJECT_TYPE_FENCE, instance);
    vt_venus_visitor_pause(objects, &visitor);
    vt_venus_visitor_remove(objects, &visitor);
    vt_venus_objects_destroy(objects);
}

/* What was found is there until the next quiet point, ended or not (ASan looks). */
static void a_visitor_holds_what_it_found(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100000);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    struct vt_venus_visitor visitor;
    vt_venus_visitor_add(objects, &visitor);
    vt_venus_visitor_resume(objects, &visitor);
    struct vt_venus_object *held = add(objects, 2, VK_OBJECT_TYPE_EVENT, instance);
    held->state = strdup("state");
    held->free_state = free;
    vt_venus_objects_end(objects, held);
    vt_venus_objects_end(objects, held); /* a second end finds nothing to do */
    assert_int_equal(n_ended, 1);
    for (uint64_t id = 3; id < 20000; id++) {
        vt_venus_objects_end(objects, add(objects, id, VK_OBJECT_TYPE_EVENT, instance));
    }
    assert_int_equal(held->id, 2);
    assert_string_equal(held->state, "state");
    assert_int_equal(
        vt_venus_objects_add(objects, 90000, VK_OBJECT_TYPE_EVENT, 1, held, NULL, NULL), VT_E_GONE);
    vt_venus_visitor_pause(objects, &visitor);
    vt_venus_visitor_remove(objects, &visitor);
    vt_venus_objects_destroy(objects);
}

static void removed_slots_are_used_again(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100000);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    uint64_t next = 2;
    for (int round = 0; round < 20; round++) {
        uint64_t first = next;
        for (int i = 0; i < 3000; i++) {
            add(objects, next, VK_OBJECT_TYPE_EVENT, instance);
            next += (uint64_t)1 << (i % 3 * 20);
        }
        uint64_t id = first;
        for (int i = 0; i < 3000; i++) {
            struct vt_venus_object *object =
                vt_venus_objects_find(objects, id, VK_OBJECT_TYPE_EVENT);
            assert_non_null(object);
            assert_int_equal(object->handle, id * 1000);
            vt_venus_objects_end(objects, object);
            assert_null(vt_venus_objects_get(objects, id));
            id += (uint64_t)1 << (i % 3 * 20);
        }
    }
    vt_venus_objects_destroy(objects);
}

static void count_one(struct vt_venus_object *object, void *arg)
{
    assert_int_equal(object->type, VK_OBJECT_TYPE_QUEUE);
    ++*(unsigned *)arg;
}

static void each_of_a_type_is_visited(void **state)
{
    (void)state;
    struct vt_venus_objects *objects = made(100);
    struct vt_venus_object *instance = add(objects, 1, VK_OBJECT_TYPE_INSTANCE, NULL);
    add(objects, 2, VK_OBJECT_TYPE_QUEUE, instance);
    add(objects, 3, VK_OBJECT_TYPE_QUEUE, instance);
    add(objects, 4, VK_OBJECT_TYPE_FENCE, instance);
    unsigned n = 0;
    vt_venus_objects_each(objects, VK_OBJECT_TYPE_QUEUE, count_one, &n);
    assert_int_equal(n, 2);
    vt_venus_objects_destroy(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_by_type),
        cmocka_unit_test(faults_name_what_was_asked_for),
        cmocka_unit_test(children_end_first_and_the_youngest_first),
        cmocka_unit_test(a_deep_line_ends_without_a_deep_stack),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(a_visitor_holds_what_it_found),
        cmocka_unit_test(removed_slots_are_used_again),
        cmocka_unit_test(each_of_a_type_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
