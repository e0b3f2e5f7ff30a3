/* tests/unit/guest/test_processes.c - trees, threads and environments of honest and hostile guests.
 */
#include "tests/unit/harness.h"

#include "guest/linux/threads.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/linux.h"

#include <string.h>

#define ROWS_MAX 128

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct vt_noun_result result;
    struct vt_tree_process tree[ROWS_MAX];
    char names[ROWS_MAX][32], values[ROWS_MAX][32]; /* "-": unknown */
    size_t n;
};

static void begin(struct guest *g, unsigned tasks)
{
    struct vt_error err = {0};
    *g = (struct guest){.k = synthetic_default()};
    g->k.tasks = tasks;
    g->k.pages = true; /* thread lists come with them */
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
    g->ram = synthetic_open(&g->s);
    vt_kernel_open(g->ram, NULL, &g->kernel, &err);
    assert_string_equal(err.message, "");
}

static void end(struct guest *g)
{
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

static uint64_t pa(const struct guest *g, unsigned i)
{
    return synthetic_task_pa(&g->k, i);
}

static uint64_t va(const struct guest *g, unsigned i)
{
    return synthetic_direct(&g->k, pa(g, i));
}

static int take_branch(const struct vt_row *row, void *arg)
{
    struct guest *g = arg;
    assert_true(g->n < ROWS_MAX);
    memcpy(&g->tree[g->n++], row, sizeof g->tree[0]);
    return 0;
}

static int walk(struct guest *g, const char *noun, int32_t pid, vt_row_fn *fn)
{
    struct vt_noun_query query = {.pid = pid};
    g->n = 0;
    vt_kernel_refresh(g->kernel);
    return vt_noun_walk(g->kernel, vt_noun_find(noun), &query, fn, g, &g->result, NULL);
}

static void set_parent(struct guest *g, unsigned i, uint64_t parent)
{
    synthetic_put(&g->s, pa(g, i) + TASK_PARENT, parent, 8);
}

/* Children in the order of their pids, each after its parent, whatever order the list has. */
static void test_tree(void **state)
{
    (void)state;
    struct guest g;
    begin(&g, 6);
    set_parent(&g, 1, va(&g, 0));
    set_parent(&g, 2, va(&g, 1));
    set_parent(&g, 3, va(&g, 0));
    set_parent(&g, 4, va(&g, 1));
    set_parent(&g, 5, va(&g, 5)); /* its own parent */
    assert_int_equal(walk(&g, "pstree", 0, take_branch), 0);
    static const struct {
        int32_t pid;
        uint32_t depth;
        const char *tree;
    } want[] = {{100, 0, "task-0"},       {101, 1, "├─ task-1"}, {102, 2, "│  ├─ task-2"},
                {104, 2, "│  └─ task-4"}, {103, 1, "└─ task-3"}, {105, 0, "task-5"}};
    assert_int_equal(g.n, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(g.tree[i].pid, want[i].pid);
        assert_int_equal(g.tree[i].depth, want[i].depth);
        assert_string_equal(g.tree[i].tree, want[i].tree);
        assert_int_equal(g.tree[i].row.trust, VT_TRUST_OK);
    }
    assert_int_equal(walk(&g, "pstree", 101, take_branch), 0);
    assert_int_equal(g.n, 3);
    assert_string_equal(g.tree[2].tree, "└─ task-4");
    assert_int_equal(walk(&g, "pstree", 7, take_branch), VT_E_NOT_FOUND);
    end(&g);
}

/* Parents in a circle: each process once, and the first of the circle says what is wrong. */
static void test_circle(void **state)
{
    (void)state;
    struct guest g;
    begin(&g, 12);
    set_parent(&g, 3, va(&g, 5));
    assert_int_equal(walk(&g, "pstree", 0, take_branch), 0);
    assert_int_equal(g.n, 12);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(g.tree[i].pid, 100 + i);
        assert_int_equal(g.tree[i].depth, i < 3 ? i : i - 3);
        assert_int_equal(g.tree[i].row.trust, i == 3 ? VT_TRUST_TORN : VT_TRUST_OK);
    }
    assert_string_equal(g.tree[3].row.why, "its parents form a circle");
    assert_int_equal(walk(&g, "pstree", 105, take_branch), 0);
    assert_int_equal(g.n, 9);
    end(&g);
}

/* A line of descent longer than what is drawn. */
static void test_deep(void **state)
{
    (void)state;
    struct guest g;
    begin(&g, 60);
    assert_int_equal(walk(&g, "pstree", 0, take_branch), 0);
    assert_int_equal(g.n, 60);
    assert_int_equal(g.tree[59].depth, 59);
    assert_int_equal(strncmp(g.tree[40].tree, "   ", 3), 0);
    assert_int_equal(strncmp(g.tree[59].tree, "…   ", strlen("…   ")), 0);
    assert_non_null(strstr(g.tree[59].tree, "└─ task-59"));
    end(&g);
}

static size_t count_threads(struct guest *g, unsigned i, bool *torn)
{
    struct vt_thread_walk threads;
    struct vt_gva task;
    size_t n = 0;
    int rc = vt_threads_begin(&threads, g->kernel, VT_GVA(va(g, i)), NULL);
    assert_int_equal(rc, 0);
    while ((rc = vt_threads_next(&threads, &task, NULL)) == 1) {
        assert_true(task.v == va(g, i + (unsigned)n));
        n++;
    }
    assert_int_equal(rc, 0);
    *torn = threads.list.torn;
    vt_list_end(&threads.list);
    return n;
}

static void test_threads(void **state)
{
    (void)state;
    struct guest g;
    bool torn;
    begin(&g, 6);
    assert_int_equal(count_threads(&g, 2, &torn), 1);
    assert_false(torn);
    /* Another task joins the process. */
    uint64_t head = pa(&g, 2) + DATA_SIGNAL + 16, first = pa(&g, 2) + TASK_THREAD_NODE;
    uint64_t second = pa(&g, 3) + TASK_THREAD_NODE;
    uint64_t ring[] = {head, first, second};
    for (unsigned i = 0; i < 3; i++) {
        synthetic_put(&g.s, ring[i], synthetic_direct(&g.k, ring[(i + 1) % 3]), 8);
        synthetic_put(&g.s, ring[i] + 8, synthetic_direct(&g.k, ring[(i + 2) % 3]), 8);
    }
    assert_int_equal(count_threads(&g, 2, &torn), 2);
    assert_false(torn);
    synthetic_put(&g.s, second, 0x4141414141414141, 8);
    assert_int_equal(count_threads(&g, 2, &torn), 2);
    assert_true(torn);
    synthetic_put(&g.s, pa(&g, 2) + TASK_SIGNAL, 0x4141414141414141, 8);
    assert_int_equal(count_threads(&g, 2, &torn), 0);
    assert_true(torn);
    end(&g);
}

static int take_variable(const struct vt_row *row, void *arg)
{
    struct guest *g = arg;
    struct vt_env_variable v;
    memcpy(&v, row, sizeof v);
    assert_true(g->n < ROWS_MAX);
    assert_int_equal(v.pid, 100);
    snprintf(g->names[g->n], sizeof g->names[0], "%.20s", v.name != NULL ? v.name : "-");
    snprintf(g->values[g->n++], sizeof g->values[0], "%.20s", v.value != NULL ? v.value : "-");
    return 0;
}

/* The first and the last page are not in RAM, and two in between lie apart. */
static void test_environment(void **state)
{
    (void)state;
    static const char text[] = "tail\0A=1\0\0PATH=/bin=x\0E=\0NOTHING";
    static const char *const names[] = {"-",  "A",   "PATH", "E", "NOTHING", "/sbin/daemon",
                                        "-x", "LAST"};
    static const char *const values[] = {"-", "1", "/bin=x", "", "-", "-", "-", "-"};
    struct guest g;
    begin(&g, 2);
    uint64_t mm = pa(&g, 0) + DATA_MM, page = pa(&g, 0) + DATA_ARGS;
    synthetic_put(&g.s, mm + 120, 0x7ffc0e800, 8);
    synthetic_put(&g.s, mm + 112, 0x7ffc11010, 8);
    memcpy(g.s.ram + page, text, sizeof text);
    memcpy(g.s.ram + page + 0x3ff8, "LAST=abc", 8);
    assert_int_equal(walk(&g, "env", 0, take_variable), 0);
    assert_false(g.result.torn);
    assert_int_equal(g.n, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < g.n; i++) {
        assert_string_equal(g.names[i], names[i]);
        assert_string_equal(g.values[i], values[i]);
    }
    /* Terabytes of it. */
    synthetic_put(&g.s, mm + 112, UINT64_MAX, 8);
    assert_int_equal(walk(&g, "env", 0, take_variable), 0);
    assert_true(g.result.torn);
    assert_int_equal(g.n, sizeof names / sizeof names[0]);
    /* One that ends before it begins, and a process without any. */
    synthetic_put(&g.s, mm + 112, 0x1000, 8);
    assert_int_equal(walk(&g, "env", 0, take_variable), 0);
    assert_int_equal(g.n, 0);
    assert_int_equal(walk(&g, "env", 101, take_variable), 0);
    assert_int_equal(g.n, 0);
    assert_int_equal(walk(&g, "env", 7, take_variable), VT_E_NOT_FOUND);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),        cmocka_unit_test(test_circle),
        cmocka_unit_test(test_deep),        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
