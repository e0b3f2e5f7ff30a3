/* tests/unit/memory/test_ram_lost.c - a RAM file truncated under its readers. */
#include "tests/unit/harness.h"

#include "tests/unit/memory/ramfile.h"
#include "vitrine/memory.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { PAGES = 256, THREADS = 4 };

struct reader {
    const struct vt_ram *ram;
    pthread_barrier_t *cut;
    uint64_t before, after;
};

static uint64_t sum(const struct vt_ram *ram)
{
    uint64_t s = 0;
    for (uint64_t i = 0; i < PAGES; i++) {
        s += *(const volatile uint8_t *)(vt_ram_bytes(ram) + i * VT_PAGE_BYTES);
    }
    return s;
}

static void *read_before_and_after(void *arg)
{
    struct reader *r = arg;
    r->before = sum(r->ram);
    pthread_barrier_wait(r->cut);
    pthread_barrier_wait(r->cut);
    r->after = sum(r->ram);
    return NULL;
}

static struct ramfile filled(uint8_t byte)
{
    struct ramfile f = ramfile_make(PAGES * VT_PAGE_BYTES);
    for (uint64_t i = 0; i < PAGES; i++) {
        ramfile_put(&f, i * VT_PAGE_BYTES, &byte, 1);
    }
    return f;
}

static void every_reader_gets_zeros_and_an_error(void **state)
{
    (void)state;
    struct ramfile f = filled(1);
    struct ramfile other = filled(1);
    struct vt_ram *ram;
    struct vt_ram *untouched;
    struct vt_error err = {0};
    assert_int_equal(vt_ram_open(other.path, NULL, 0, &untouched, &err), 0);
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    const void *p;
    assert_int_equal(vt_ram_ptr(ram, VT_GPA(200 * VT_PAGE_BYTES), 1, &p, &err), 0);

    pthread_barrier_t cut;
    pthread_barrier_init(&cut, NULL, THREADS + 1);
    struct reader readers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){.ram = ram, .cut = &cut};
        assert_int_equal(pthread_create(&threads[i], NULL, read_before_and_after, &readers[i]), 0);
    }
    pthread_barrier_wait(&cut);
    assert_int_equal(vt_ram_check(ram, &err), 0);
    assert_int_equal(ftruncate(f.fd, 100 * VT_PAGE_BYTES), 0);
    pthread_barrier_wait(&cut);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].before, PAGES);
        assert_int_equal(readers[i].after, 100);
    }
    pthread_barrier_destroy(&cut);

    assert_int_equal(*(const volatile uint8_t *)p, 0);
    assert_int_equal(vt_ram_check(ram, &err), VT_E_GONE);
    assert_non_null(strstr(err.message, f.path));
    uint64_t v = 7;
    assert_int_equal(vt_ram_read_u64(ram, VT_GPA(0), &v, &err), VT_E_GONE);
    assert_int_equal(v, 7);
    assert_int_equal(vt_ram_ptr(ram, VT_GPA(0), 1, &p, &err), VT_E_GONE);
    assert_int_equal(vt_ram_read(ram, VT_GPA(0), &v, 8, &err), VT_E_GONE);
    struct vt_off start;
    struct vt_off end;
    assert_int_equal(vt_ram_next_data(ram, VT_OFF(0), &start, &end, &err), VT_E_GONE);

    assert_int_equal(vt_ram_check(untouched, &err), 0);
    assert_int_equal(sum(untouched), PAGES);
    vt_ram_close(ram);
    vt_ram_close(untouched);
    close(f.fd);
    close(other.fd);
}

static void a_read_that_never_faults_notices_too(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(PAGES * VT_PAGE_BYTES);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    assert_int_equal(ftruncate(f.fd, 0), 0);
    uint8_t byte;
    assert_int_equal(vt_ram_read(ram, VT_GPA(0x3000), &byte, 1, &err), VT_E_GONE);
    vt_ram_close(ram);
    close(f.fd);
}

/* In a child: what happens to a fault that is none of ours. */
static int status_of(void (*child)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void fault_outside(void)
{
    struct ramfile f = ramfile_make(4096);
    const volatile uint8_t *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, f.fd, 0);
    (void)p[4096];
}

static void open_one(void)
{
    struct ramfile f = ramfile_make(4096);
    struct vt_ram *ram;
    if (vt_ram_open(f.path, NULL, 0, &ram, NULL) != 0) {
        _exit(50);
    }
}

static void no_handler_before(void)
{
    signal(SIGBUS, SIG_DFL);
    open_one();
    fault_outside();
}

static void killed_from_outside(void)
{
    signal(SIGBUS, SIG_DFL);
    open_one();
    kill(getpid(), SIGBUS);
}

static void exit_42(int signo)
{
    (void)signo;
    _exit(42);
}

static void a_handler_before(void)
{
    signal(SIGBUS, exit_42);
    open_one();
    fault_outside();
}

static void faults_elsewhere_go_where_they_went(void **state)
{
    (void)state;
    int status = status_of(no_handler_before);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_of(killed_from_outside);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    status = status_of(a_handler_before);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void lose_many(void)
{
    for (int i = 0; i < 50; i++) {
        struct ramfile f = filled(3);
        struct vt_ram *ram;
        if (vt_ram_open(f.path, NULL, 0, &ram, NULL) != 0 || sum(ram) != 3 * PAGES ||
            vt_ram_check(ram, NULL) != 0 || ftruncate(f.fd, 0) != 0 || sum(ram) != 0 ||
            vt_ram_check(ram, NULL) != VT_E_GONE) {
            _exit(1);
        }
        vt_ram_close(ram);
        close(f.fd);
    }
}

static void one_after_the_other(void **state)
{
    (void)state;
    assert_int_equal(status_of(lose_many), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* cmocka sets its own SIGBUS handler for each test and ours is installed once a process, so
         * one test faults here and the others in children, before it. */
        cmocka_unit_test(faults_elsewhere_go_where_they_went),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(every_reader_gets_zeros_and_an_error),
        cmocka_unit_test(a_read_that_never_faults_notices_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
