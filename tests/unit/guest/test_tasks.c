/* tests/unit/guest/test_tasks.c - the process list of honest, broken and hostile guests. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct vt_task_list list;
};

static struct guest make(const struct synthetic_kernel *k)
{
    struct guest g = {.k = *k};
    struct vt_error err = {0};
    synthetic_create(&g.s);
    synthetic_add(&g.s, k);
    g.ram = synthetic_open(&g.s);
    vt_kernel_open(g.ram, NULL, &g.kernel, &err);
    assert_string_equal(err.message, "");
    return g;
}

static void look(struct guest *g)
{
    struct vt_error err = {0};
    vt_task_list_fini(&g->list);
    vt_kernel_refresh(g->kernel);
    assert_int_equal(vt_linux_tasks(g->kernel, &g->list, &err), 0);
}

static void end(struct guest *g)
{
    vt_task_list_fini(&g->list);
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

static void check(struct guest *g)
{
    look(g);
    assert_false(g->list.torn);
    assert_int_equal(g->list.n, g->k.tasks);
    for (unsigned i = 0; i < g->k.tasks; i++) {
        const struct vt_task *t = &g->list.tasks[i];
        char comm[16], args[64];
        bool thread = i % 2 == 1;
        snprintf(comm, sizeof comm, "task-%u", i);
        assert_int_equal(t->pid, 100 + i);
        assert_int_equal(t->tgid, 100 + i);
        assert_int_equal(t->ppid, i == 0 ? 0 : 99 + i);
        assert_int_equal(t->uid, 1000 + i);
        assert_int_equal(t->state, thread ? 'I' : 'S');
        assert_int_equal(t->cpu, i % 2);
        assert_int_equal(t->start_ns, 1000000 * i);
        assert_int_equal(t->threads, 1 + i % 3);
        assert_string_equal(t->comm, comm);
        assert_int_equal(t->trust, VT_TRUST_OK);
        assert_true(t->at.v == synthetic_direct(&g->k, synthetic_task_pa(&g->k, i)));
        assert_int_equal(t->mm.v == 0, thread);
        /* 10 + 20 + 40 file, anonymous and shared pages; swap does not count. */
        assert_int_equal(t->rss_pages, thread ? 0 : 70 + 3 * i);
        assert_int_equal(vt_linux_task_args(g->kernel, t, args, sizeof args, NULL), 0);
        assert_string_equal(args, thread ? "" : "/sbin/daemon -x");
        struct vt_space space;
        if (thread) {
            assert_int_equal(vt_linux_task_space(g->kernel, t, &space, NULL), VT_E_NOT_FOUND);
            assert_int_equal(t->pgd.v, 0);
        } else {
            assert_int_equal(vt_linux_task_space(g->kernel, t, &space, NULL), 0);
            assert_true(space.root.v == synthetic_task_pa(&g->k, i) + DATA_PAGE_TABLES);
            assert_int_equal(vt_linux_task_args(g->kernel, t, args, 6, NULL), 0);
            assert_string_equal(args, "/sbin");
        }
    }
}

static void test_honest(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct synthetic_kernel k = synthetic_default();
        k.levels = i % 2 == 0 ? 4 : 5;
        k.percpu_rss = i >= 2;
        k.layout = i >= 2 ? LAYOUT_7_2 : LAYOUT_5_10;
        k.tasks = 40;
        struct guest g = make(&k);
        check(&g);
        end(&g);
    }
}

static void test_nobody(void **state)
{
    (void)state;
    struct synthetic_kernel k = synthetic_default();
    k.tasks = 0;
    struct guest g = make(&k);
    look(&g);
    assert_int_equal(g.list.n, 0);
    assert_false(g.list.torn);
    end(&g);
}

static uint64_t task(const struct guest *g, unsigned i)
{
    return synthetic_task_pa(&g->k, i);
}

static uint64_t node(const struct guest *g, unsigned i)
{
    return synthetic_direct(&g->k, task(g, i)) + TASK_TASKS;
}

static void test_states(void **state)
{
    (void)state;
    static const struct {
        uint32_t state, exit;
        char letter;
    } cases[] = {{0, 0, 'R'},
                 {1, 0, 'S'},
                 {2, 0, 'D'},
                 {4, 0, 'T'},
                 {8, 0, 't'},
                 {0x80, 0x10, 'X'},
                 {0x80, 0x20, 'Z'},
                 {0x40, 0, 'P'},
                 {0x402, 0, 'I'},
                 {0x1000, 0, 'D'},
                 {0x8000, 0, 'D'},
                 {0x2001, 0, 'S'},
                 {0xffffffff, 0xffffffff, 'I'}};
    struct synthetic_kernel k = synthetic_default();
    struct guest g = make(&k);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        synthetic_put(&g.s, task(&g, 0) + TASK_STATE, cases[i].state, 4);
        synthetic_put(&g.s, task(&g, 0) + TASK_EXIT_STATE, cases[i].exit, 4);
        look(&g);
        assert_int_equal(g.list.tasks[0].state, cases[i].letter);
    }
    end(&g);
}

/* Links that do not agree: the rows after them are torn; what one way misses, the other finds. */
static void test_torn_links(void **state)
{
    (void)state;
    struct synthetic_kernel k = synthetic_default();
    struct guest g = make(&k);
    synthetic_put(&g.s, task(&g, 5) + TASK_TASKS + 8, 0xdead, 8); /* as an unlinked task has */
    look(&g);
    assert_int_equal(g.list.n, 12);
    assert_true(g.list.torn);
    assert_int_equal(g.list.tasks[5].trust, VT_TRUST_TORN);
    assert_int_equal(g.list.tasks[4].trust, VT_TRUST_OK);
    assert_int_equal(g.list.tasks[6].trust, VT_TRUST_OK);

    synthetic_put(&g.s, task(&g, 7) + TASK_TASKS, 0x1234, 8);
    look(&g);
    assert_true(g.list.torn);
    assert_int_equal(g.list.n, 12);
    assert_int_equal(g.list.tasks[7].pid, 107);
    assert_int_equal(g.list.tasks[8].pid, 111);
    assert_int_equal(g.list.tasks[11].pid, 108);
    assert_int_equal(g.list.tasks[11].trust, VT_TRUST_OK);
    assert_string_not_equal(g.list.why, "");
    end(&g);

    /* Taken out of one direction only. */
    g = make(&k);
    synthetic_put(&g.s, task(&g, 5) + TASK_TASKS, node(&g, 7), 8);
    look(&g);
    assert_true(g.list.torn);
    assert_int_equal(g.list.n, 12);
    assert_int_equal(g.list.tasks[11].pid, 106);
    end(&g);

    /* Lost from both sides: what lies between two breaks. */
    g = make(&k);
    synthetic_put(&g.s, task(&g, 3) + TASK_TASKS, 0x1234, 8);
    synthetic_put(&g.s, task(&g, 8) + TASK_TASKS + 8, 0x1234, 8);
    look(&g);
    assert_true(g.list.torn);
    assert_int_equal(g.list.n, 8);
    end(&g);
}

static void test_cycles(void **state)
{
    (void)state;
    struct synthetic_kernel k = synthetic_default();
    for (unsigned to = 0; to < 9; to++) {
        struct guest g = make(&k);
        synthetic_put(&g.s, task(&g, 8) + TASK_TASKS, node(&g, to), 8);
        look(&g);
        assert_int_equal(g.list.n, 12);
        assert_true(g.list.torn);
        /* And a circle on the way back, too. */
        synthetic_put(&g.s, task(&g, 10) + TASK_TASKS + 8, node(&g, 11), 8);
        look(&g);
        assert_int_equal(g.list.n, 11);
        assert_true(g.list.torn);
        end(&g);
    }
    /* The head leads to itself only in one direction. */
    struct guest g = make(&k);
    synthetic_put(&g.s, k.text_pa + AT_INIT_TASK + TASK_TASKS,
                  synthetic_text(&k) + AT_INIT_TASK + TASK_TASKS, 8);
    look(&g);
    assert_int_equal(g.list.n, 12);
    assert_true(g.list.torn);
    end(&g);
}

/* A chain of nodes 16 bytes apart through all of RAM: as many as tasks would fit, no more. */
static void test_endless(void **state)
{
    (void)state;
    struct synthetic_kernel k = synthetic_default();
    k.tasks = 0;
    struct guest g = make(&k);
    uint64_t first = 0xa00000, last = 0xff0000, before = synthetic_text(&k) + AT_INIT_TASK;
    before += TASK_TASKS;
    synthetic_put(&g.s, k.text_pa + AT_INIT_TASK + TASK_TASKS, synthetic_direct(&k, first), 8);
    for (uint64_t at = first; at < last; at += 16) {
        synthetic_put(&g.s, at, synthetic_direct(&k, at + 16), 8);
        synthetic_put(&g.s, at + 8, before, 8);
        before = synthetic_direct(&k, at);
    }
    look(&g);
    assert_true(g.list.torn);
    assert_true(g.list.n <= SYNTHETIC_BYTES / TASK_BYTES + 1);
    end(&g);
}

static void test_wild_pointers(void **state)
{
    (void)state;
    static const unsigned members[] = {TASK_MM, TASK_PARENT, TASK_CRED, TASK_SIGNAL};
    struct synthetic_kernel k = synthetic_default();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct guest g = make(&k);
        char args[64];
        synthetic_put(&g.s, task(&g, 2) + members[i], 0x4141414141414141, 8);
        look(&g);
        assert_int_equal(g.list.n, 12);
        assert_int_equal(g.list.tasks[2].trust, VT_TRUST_TORN);
        assert_false(g.list.torn);
        if (members[i] == TASK_MM) {
            assert_int_not_equal(
                vt_linux_task_args(g.kernel, &g.list.tasks[2], args, sizeof args, NULL), 0);
        }
        end(&g);
    }
    /* A pid that is none, and a task that calls itself another's thread. */
    struct guest g = make(&k);
    synthetic_put(&g.s, task(&g, 2) + TASK_PID, 0x7fffffff, 4);
    synthetic_put(&g.s, task(&g, 3) + TASK_TGID, 1, 4);
    look(&g);
    assert_int_equal(g.list.tasks[2].trust, VT_TRUST_TORN);
    assert_int_equal(g.list.tasks[3].trust, VT_TRUST_TORN);
    end(&g);
}

/* Arguments of terabytes, and arguments that end before they begin. */
static void test_wild_arguments(void **state)
{
    (void)state;
    struct synthetic_kernel k = synthetic_default();
    struct guest g = make(&k);
    char args[16384];
    look(&g);
    synthetic_put(&g.s, task(&g, 0) + DATA_MM + 72, UINT64_MAX, 8);
    assert_int_equal(vt_linux_task_args(g.kernel, &g.list.tasks[0], args, sizeof args, NULL), 0);
    assert_int_equal(strncmp(args, "/sbin/daemon -x", 15), 0);
    synthetic_put(&g.s, task(&g, 0) + DATA_MM + 72, 0, 8);
    assert_int_equal(vt_linux_task_args(g.kernel, &g.list.tasks[0], args, sizeof args, NULL), 0);
    assert_string_equal(args, "");
    synthetic_put(&g.s, task(&g, 0) + DATA_MM + 64, 0x1000, 8);
    synthetic_put(&g.s, task(&g, 0) + DATA_MM + 72, 0x2000, 8);
    assert_int_equal(vt_linux_task_args(g.kernel, &g.list.tasks[0], args, sizeof args, NULL),
                     VT_E_NOT_PRESENT);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_states),        cmocka_unit_test(test_torn_links),
        cmocka_unit_test(test_cycles),        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_wild_pointers), cmocka_unit_test(test_wild_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
