/* tests/unit/guest/test_look.c - what a row is read with: looks that notice, layouts, per-CPU
 * places. */
#include "tests/unit/harness.h"

#include "guest/kernel.h"
#include "guest/linux/layout.h"
#include "guest/linux/look.h"
#include "guest/linux/percpu.h"
#include "tests/unit/guest/synthetic.h"

#include <string.h>

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct vt_look look;
};

static struct guest make(void)
{
    struct guest g = {.k = synthetic_default()};
    struct vt_error err = {0};
    synthetic_create(&g.s);
    synthetic_add(&g.s, &g.k);
    g.ram = synthetic_open(&g.s);
    vt_kernel_open(g.ram, NULL, &g.kernel, &err);
    assert_string_equal(err.message, "");
    vt_look_init(&g.look, &g.kernel->space);
    return g;
}

static void end(struct guest *g)
{
    vt_look_fini(&g->look);
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

/* Two pages that nothing else uses. */
static uint64_t room_pa(const struct guest *g)
{
    return g->k.data_pa + SYNTHETIC_TASKS_MAX / 2 * (uint64_t)DATA_BYTES;
}

static struct vt_gva room(const struct guest *g, uint64_t offset)
{
    return VT_GVA(synthetic_direct(&g->k, room_pa(g) + offset));
}

static void steady_memory_is_believed(void **state)
{
    (void)state;
    struct guest g = make();
    synthetic_put(&g.s, room_pa(&g), 0x1122334455667788, 8);
    vt_look_begin(&g.look);
    assert_int_equal(vt_look_u64(&g.look, room(&g, 0)), 0x1122334455667788);
    assert_int_equal(vt_look_u32(&g.look, room(&g, 4)), 0x11223344);
    assert_false(vt_look_again(&g.look));
    assert_false(g.look.doubted);
    end(&g);
}

static void a_change_is_tried_again_and_then_torn(void **state)
{
    (void)state;
    struct guest g = make();
    unsigned tries = 0;
    do {
        vt_look_begin(&g.look);
        assert_int_equal(vt_look_u64(&g.look, room(&g, 0)), tries);
        synthetic_put(&g.s, room_pa(&g), ++tries, 8);
    } while (vt_look_again(&g.look));
    assert_int_equal(tries, 3);
    assert_true(g.look.doubted);
    assert_non_null(strstr(g.look.why, "changed"));

    /* The next row begins without a past, and one that settles is believed. */
    tries = 0;
    do {
        vt_look_begin(&g.look);
        vt_look_u64(&g.look, room(&g, 0));
        if (tries++ == 0) {
            synthetic_put(&g.s, room_pa(&g), 99, 8);
        }
    } while (vt_look_again(&g.look));
    assert_int_equal(tries, 2);
    assert_false(g.look.doubted);
    assert_string_equal(g.look.why, "");
    end(&g);
}

static void the_first_doubt_stays(void **state)
{
    (void)state;
    struct guest g = make();
    uint8_t bytes[16];
    memset(bytes, 0xff, sizeof bytes);
    vt_look_begin(&g.look);
    vt_look_doubt(&g.look, "count %u", 7u);
    assert_false(vt_look_read(&g.look, VT_GVA(0x1000), bytes, sizeof bytes));
    assert_string_equal(g.look.why, "count 7");
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], 0);
    }
    end(&g);
}

static void memory_that_is_not_there_is_doubted(void **state)
{
    (void)state;
    struct guest g = make();
    struct vt_object object;
    char text[8] = "before";
    vt_look_begin(&g.look);
    assert_int_equal(vt_look_u64(&g.look, VT_GVA(0)), 0);
    assert_true(g.look.doubted);
    vt_look_begin(&g.look);
    assert_false(vt_look_object(&g.look, VT_GVA(0), (struct vt_extent){8, 64}, &object));
    assert_int_equal(object.bytes[0], 0);
    vt_look_begin(&g.look);
    assert_false(vt_look_text(&g.look, VT_GVA(0), text, sizeof text));
    assert_string_equal(text, "");
    assert_true(g.look.doubted);

    /* Another space's pages may be missing without a doubt. */
    vt_look_begin(&g.look);
    assert_false(vt_look_read_in(&g.look, &g.kernel->space, VT_GVA(0), text, 4));
    assert_false(g.look.doubted);
    end(&g);
}

static void one_row_has_limits(void **state)
{
    (void)state;
    struct guest g = make();
    struct vt_object object;
    uint64_t value;
    vt_look_begin(&g.look);
    assert_false(vt_look_object(&g.look, room(&g, 0), (struct vt_extent){0, 1u << 20}, &object));
    assert_non_null(strstr(g.look.why, "span"));
    assert_int_equal(object.n, 0);

    vt_look_begin(&g.look);
    for (unsigned i = 0; i < VT_LOOK_PIECES_MAX; i++) {
        assert_true(vt_look_read(&g.look, room(&g, 8), &value, 8));
    }
    assert_false(vt_look_read(&g.look, room(&g, 8), &value, 8));
    assert_true(g.look.doubted);

    static uint8_t many[VT_LOOK_BYTES_MAX + 1];
    vt_look_begin(&g.look);
    assert_false(vt_look_read(&g.look, VT_GVA(synthetic_direct(&g.k, 0)), many, sizeof many));
    assert_non_null(strstr(g.look.why, "more to read"));
    vt_look_begin(&g.look);
    assert_true(vt_look_read(&g.look, VT_GVA(synthetic_direct(&g.k, 0)), many, sizeof many - 1));
    assert_false(vt_look_again(&g.look));
    end(&g);
}

static void text_ends_where_it_ends(void **state)
{
    (void)state;
    struct guest g = make();
    char text[128];
    char *at = (char *)g.s.ram + room_pa(&g);
    memset(at, 'x', 200);
    at[70] = '\0';
    vt_look_begin(&g.look);
    assert_true(vt_look_text(&g.look, room(&g, 0), text, sizeof text));
    assert_int_equal(strlen(text), 70);
    assert_true(vt_look_text(&g.look, room(&g, 0), text, 10));
    assert_string_equal(text, "xxxxxxxxx");
    assert_true(vt_look_text(&g.look, room(&g, 70), text, sizeof text));
    assert_string_equal(text, "");
    assert_false(vt_look_again(&g.look));
    end(&g);
}

static void members_are_read_by_their_size(void **state)
{
    (void)state;
    struct guest g = make();
    synthetic_put(&g.s, room_pa(&g), 0x8877665544332211, 8);
    vt_look_begin(&g.look);
    const struct vt_member two = {.offset = 1, .size = 2}, nine = {.offset = 0, .size = 9};
    assert_int_equal(vt_look_member(&g.look, room(&g, 0), &two), 0x3322);
    assert_int_equal(vt_look_member(&g.look, room(&g, 0), &nine), 0);
    assert_true(g.look.doubted);
    end(&g);
}

struct layout {
    struct vt_extent task;
    struct vt_member pid, comm, missing, either, bytes;
};

static void layouts_are_probed_once(void **state)
{
    (void)state;
    static const struct vt_field_spec specs[] = {
        VT_FIELD(layout, pid, task, "task_struct", "no_such", "pid"),
        VT_FIELD(layout, comm, task, "task_struct", "comm"),
        VT_FIELD_OPTIONAL(layout, missing, task, "task_struct", "no_such"),
        VT_FIELD_OPTIONAL(layout, either, task, "cred", "uid.val"),
        VT_FIELD_OPTIONAL(layout, either, task, "no_such_struct", "uid"),
        VT_FIELD_SIZE(layout, bytes, "task_struct"),
    };
    static const struct vt_layout_type type = VT_LAYOUT(layout, specs);
    static const struct vt_field_spec bad_specs[] = {
        VT_FIELD(layout, pid, task, "task_struct", "no_such"),
    };
    static const struct vt_layout_type bad = VT_LAYOUT(layout, bad_specs);
    struct guest g = make();
    struct vt_error err = {0};
    const struct layout *l = NULL, *again = NULL;
    assert_int_equal(vt_layout_take(g.kernel, &bad, &l, &err), VT_E_NOT_FOUND);
    assert_null(l);
    assert_non_null(strstr(err.message, "no_such"));
    assert_int_equal(vt_layout_take(g.kernel, &type, &l, &err), 0);
    assert_int_equal(vt_layout_take(g.kernel, &type, &again, &err), 0);
    assert_ptr_equal(l, again);
    assert_int_equal(l->pid.offset, TASK_PID);
    assert_int_equal(l->missing.size, 0);
    assert_int_equal(l->either.offset, 8);
    assert_int_equal(l->bytes.size, TASK_BYTES);
    assert_int_equal(l->task.low, 8);
    assert_int_equal(l->task.high, TASK_COMM + 16);
    end(&g);
}

static void each_cpu_has_its_place(void **state)
{
    (void)state;
    struct guest g = make();
    struct vt_error err = {0};
    const struct vt_percpu *p = NULL;
    uint64_t variables = g.k.text_pa + AT_VARIABLES;
    synthetic_put(&g.s, variables + 32, 0x10000, 4); /* nr_cpu_ids */
    assert_int_equal(vt_percpu_take(g.kernel, &p, &err), VT_E_CORRUPT);
    synthetic_put(&g.s, variables + 32, 2, 4);
    synthetic_put(&g.s, variables + 0x100, 0x1000, 8);
    synthetic_put(&g.s, variables + 0x108, 0xfffffffffffff000, 8);
    synthetic_put(&g.s, variables + 56, 2, 8); /* __cpu_online_mask */
    assert_int_equal(vt_percpu_take(g.kernel, &p, &err), 0);
    assert_int_equal(p->n, 2);
    assert_int_equal(vt_percpu_at(p, VT_GVA(0x5000), 0).v, 0x6000);
    assert_int_equal(vt_percpu_at(p, VT_GVA(0x5000), 1).v, 0x4000);
    assert_false(vt_percpu_online(p, 0));
    assert_true(vt_percpu_online(p, 1));
    const struct vt_percpu *same = NULL;
    assert_int_equal(vt_percpu_take(g.kernel, &same, &err), 0);
    assert_ptr_equal(p, same);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_memory_is_believed),
        cmocka_unit_test(a_change_is_tried_again_and_then_torn),
        cmocka_unit_test(the_first_doubt_stays),
        cmocka_unit_test(memory_that_is_not_there_is_doubted),
        cmocka_unit_test(one_row_has_limits),
        cmocka_unit_test(text_ends_where_it_ends),
        cmocka_unit_test(members_are_read_by_their_size),
        cmocka_unit_test(layouts_are_probed_once),
        cmocka_unit_test(each_cpu_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
