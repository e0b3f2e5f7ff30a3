/* tests/unit/server/test_host.c - leases on VMs by many threads, VMs that end and begin again, and
 * samplers.
 */
#include "tests/unit/harness.h"

#include "tests/unit/server/fake_vm.h"

#include "server/host.h"

#include <pthread.h>
#include <stdatomic.h>

static int setup(void **state)
{
    int rc = vt_test_dir_setup(state);
    if (rc == 0) {
        fake_places(*state);
    }
    return rc;
}

static struct vt_host *start(const struct vt_host_options *options)
{
    struct vt_host *host = NULL;
    assert_int_equal(vt_host_create(options, &host, NULL), 0);
    return host;
}

static struct vt_lease *lease(struct vt_host *host, const char *vm)
{
    struct vt_lease *l = NULL;
    struct vt_error err;
    if (vt_host_lease(host, vm, "test", "", NULL, &l, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return l;
}

static void contexts_are_kept(void **state)
{
    (void)state;
    struct fake_vm vm;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){0});
    struct vt_lease *a = lease(host, "one"), *b = lease(host, "one");
    assert_ptr_not_equal(a, b);
    assert_non_null(a->target.ram);
    assert_int_equal(vt_lease_kernel(host, a, NULL), 0);
    const struct vt_kernel *kernel = a->target.kernel;
    vt_host_give_back(host, a);
    struct vt_lease *again = lease(host, "one");
    assert_ptr_equal(again, a);
    assert_ptr_equal(again->target.kernel, kernel);
    vt_host_give_back(host, again);
    vt_host_give_back(host, b);
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

static void a_vm_that_was_restarted_is_opened_anew(void **state)
{
    (void)state;
    struct fake_vm vm;
    struct vt_error err;
    struct vt_lease *l;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){.interval_s = 100});
    l = lease(host, "one");
    memcpy(vm.ram.ram + 0x3000, "first", 5);
    vt_host_give_back(host, l);
    fake_vm_end(&vm);
    assert_int_equal(vt_host_lease(host, "one", "test", "", NULL, &l, &err), VT_E_NOT_FOUND);
    fake_vm_start(&vm, "one");
    l = lease(host, "one");
    char text[5];
    assert_int_equal(vt_ram_read(l->target.ram, VT_GPA(0x3000), text, sizeof text, NULL), 0);
    assert_memory_equal(text, "\0\0\0\0\0", 5);
    vt_host_give_back(host, l);
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

static void only_named_vms_are_seen(void **state)
{
    (void)state;
    static const char *const names[] = {"two"};
    struct fake_vm vm;
    struct vt_error err;
    struct vt_lease *l;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){.names = names, .n_names = 1});
    assert_int_equal(vt_host_lease(host, "one", "test", "", NULL, &l, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_host_lease(host, "../x", "test", "", NULL, &l, &err), VT_E_INVAL);
    vt_host_destroy(host);
    fake_vm_end(&vm);
    assert_int_equal(
        vt_host_create(&(struct vt_host_options){.names = (const char *[]){"a/b"}, .n_names = 1},
                       &host, NULL),
        VT_E_INVAL);
}

/* ---------------------------------------------------------------- threads */

#define THREADS 8
#define ROUNDS 40

static atomic_uint out, most;

static void *borrow(void *arg)
{
    struct vt_host *host = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct vt_lease *l = lease(host, "one");
        unsigned now = atomic_fetch_add(&out, 1) + 1, before = atomic_load(&most);
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
        }
        assert_int_equal(vt_lease_kernel(host, l, NULL), 0);
        struct vt_task_list tasks;
        assert_int_equal(vt_linux_tasks(l->target.kernel, &tasks, NULL), 0);
        assert_int_equal(tasks.n, 12);
        vt_task_list_fini(&tasks);
        atomic_fetch_sub(&out, 1);
        vt_host_give_back(host, l);
    }
    return NULL;
}

static void many_threads_share_few_contexts(void **state)
{
    (void)state;
    struct fake_vm vm;
    pthread_t threads[THREADS];
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){.interval_s = 0.2});
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, borrow, host), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_in_range(atomic_load(&most), 1, 4);
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

static void *wait_for_one(void *arg)
{
    struct vt_lease *l;
    static struct vt_error err;
    vt_host_lease(arg, "one", "test", "", NULL, &l, &err);
    return &err;
}

static void an_interrupt_ends_waiting_and_work(void **state)
{
    (void)state;
    struct fake_vm vm;
    struct vt_lease *held[4];
    volatile int stop = 0;
    pthread_t waiting;
    void *err;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){0});
    for (int i = 0; i < 3; i++) {
        held[i] = lease(host, "one");
    }
    assert_int_equal(vt_host_lease(host, "one", "test", "", &stop, &held[3], NULL), 0);
    assert_int_equal(pthread_create(&waiting, NULL, wait_for_one, host), 0);
    vt_host_interrupt(host);
    pthread_join(waiting, &err);
    assert_int_equal(((struct vt_error *)err)->code, VT_E_INTERRUPTED);
    assert_int_equal(stop, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(*held[i]->stop, 1);
        vt_host_give_back(host, held[i]);
    }
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

/* ---------------------------------------------------------------- samplers */

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned samples, events;
    char vm[VT_VM_NAME_MAX + 1];
};

static void on_sample(const char *vm, const struct vt_sample *sample, void *arg)
{
    struct heard *h = arg;
    pthread_mutex_lock(&h->lock);
    assert_true(sample->number > 0);
    snprintf(h->vm, sizeof h->vm, "%s", vm);
    h->samples++;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void on_event(const char *vm, const struct vt_event *event, void *arg)
{
    struct heard *h = arg;
    pthread_mutex_lock(&h->lock);
    assert_string_equal(vm, "late");
    assert_non_null(event->kind);
    h->events++;
    pthread_mutex_unlock(&h->lock);
}

static void wait_for_samples(struct heard *h, unsigned more)
{
    pthread_mutex_lock(&h->lock);
    for (unsigned until = h->samples + more; h->samples < until;) {
        pthread_cond_wait(&h->changed, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
}

static void count(const struct vt_host_vm *vm, void *arg)
{
    unsigned *n = arg;
    assert_string_equal(vm->name, "late");
    assert_true(vm->samples >= 3);
    assert_string_equal(vm->error, "");
    (*n)++;
}

static int take_number(const struct vt_sql_value *values, unsigned n, void *arg)
{
    assert_int_equal(n, 1);
    *(int64_t *)arg = values[0].integer;
    return 0;
}

static void a_vm_that_comes_later_is_sampled(void **state)
{
    (void)state;
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct fake_vm vm;
    struct vt_host *other = NULL, *host = start(&(struct vt_host_options){.sample = true,
                                                                          .interval_s = 0.05,
                                                                          .on_sample = on_sample,
                                                                          .on_event = on_event,
                                                                          .arg = &h});
    fake_vm_start(&vm, "late");
    wait_for_samples(&h, 3);
    unsigned vms = 0;
    vt_host_each(host, count, &vms);
    assert_int_equal(vms, 1);
    assert_true(h.events > 0);
    assert_string_equal(h.vm, "late");

    struct vt_lease *l = lease(host, "late");
    int64_t processes = 0;
    assert_int_equal(vt_lease_sql(host, l, NULL), 0);
    assert_int_equal(vt_sql_query(l->sql, "SELECT count(*) FROM processes", NULL, 0, NULL, NULL,
                                  take_number, &processes, NULL),
                     0);
    assert_int_equal(processes, 12);
    vt_host_give_back(host, l);

    static const char *const names[] = {"late"};
    struct vt_error err;
    assert_int_equal(
        vt_host_create(&(struct vt_host_options){.names = names, .n_names = 1, .sample = true},
                       &other, &err),
        VT_E_BUSY);
    vt_host_destroy(host);
    assert_int_equal(
        vt_host_create(&(struct vt_host_options){.names = names, .n_names = 1, .sample = true},
                       &other, &err),
        0);
    vt_host_destroy(other);
    fake_vm_end(&vm);
}

static void a_vm_that_was_restarted_is_sampled_anew(void **state)
{
    (void)state;
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct fake_vm vm;
    struct vt_host *host = start(&(struct vt_host_options){
        .sample = true, .interval_s = 0.05, .on_sample = on_sample, .arg = &h});
    int64_t processes = 0;
    fake_vm_start(&vm, "late");
    wait_for_samples(&h, 2);
    fake_vm_end(&vm);
    fake_vm_start(&vm, "late");
    wait_for_samples(&h, 3); /* two may be of the old one: its last, and one more */
    struct vt_lease *l = lease(host, "late");
    assert_int_equal(vt_lease_sql(host, l, NULL), 0);
    assert_int_equal(vt_sql_query(l->sql, "SELECT count(*) FROM processes", NULL, 0, NULL, NULL,
                                  take_number, &processes, NULL),
                     0);
    assert_int_equal(processes, 12);
    vt_host_give_back(host, l);
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

static void without_samplers_a_lease_takes_one_sample(void **state)
{
    (void)state;
    struct fake_vm vm;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){.interval_s = 100});
    for (int i = 0; i < 2; i++) { /* the second one is taken less than an interval later */
        struct vt_lease *l = lease(host, "one");
        int64_t number = 0;
        assert_int_equal(vt_lease_sql(host, l, NULL), 0);
        assert_int_equal(vt_sql_query(l->sql, "SELECT number FROM sample", NULL, 0, NULL, NULL,
                                      take_number, &number, NULL),
                         0);
        assert_int_equal(number, 1);
        vt_host_give_back(host, l);
    }
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

static void write_data(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", getenv("VITRINE_DATA_DIR"), name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_vm_that_ended_is_served_from_its_database(void **state)
{
    (void)state;
    struct fake_vm vm;
    struct vt_past past, *list;
    struct vt_error err;
    struct vt_lease *l;
    size_t n;
    fake_vm_start(&vm, "one");
    struct vt_host *host = start(&(struct vt_host_options){.interval_s = 100});
    l = lease(host, "one");
    assert_int_equal(vt_lease_sql(host, l, NULL), 0);
    vt_host_give_back(host, l);
    assert_int_equal(vt_past_find("one", &past, &err), VT_E_NOT_FOUND);
    fake_vm_end(&vm);

    assert_int_equal(vt_past_find("one", &past, &err), 0);
    assert_string_equal(past.name, "one");
    assert_true(past.last_s > 1e9 && past.ended_s == 0);
    for (int i = 0; i < 2; i++) {
        int64_t processes = 0;
        l = lease(host, "one");
        assert_true(l->target.ended);
        assert_int_equal(vt_lease_kernel(host, l, &err), VT_E_GONE);
        assert_string_equal(err.message, "one has ended; only its database is left");
        assert_int_equal(vt_lease_sql(host, l, NULL), 0);
        assert_int_equal(vt_sql_query(l->sql, "SELECT count(*) FROM processes", NULL, 0, NULL, NULL,
                                      take_number, &processes, NULL),
                         0);
        assert_int_equal(processes, 12);
        vt_host_give_back(host, l);
    }

    write_data("noise.db", "this is no database, however long it may be; it is not");
    write_data("no name.db", "");
    write_data("empty.db", "");
    write_data("one.db.lock.db", "");
    assert_int_equal(vt_past_list(&list, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].name, "one");
    free(list);
    assert_int_equal(vt_past_find("noise", &past, &err), VT_E_CORRUPT);
    assert_int_equal(vt_past_find("never", &past, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_past_find("../one", &past, &err), VT_E_INVAL);
    assert_int_equal(vt_host_lease(host, "never", "test", "", NULL, &l, &err), VT_E_NOT_FOUND);
    assert_string_equal(err.message, "no VM named 'never'");

    fake_vm_start(&vm, "one"); /* and lives again */
    l = lease(host, "one");
    assert_false(l->target.ended);
    assert_int_equal(vt_lease_kernel(host, l, NULL), 0);
    vt_host_give_back(host, l);
    vt_host_destroy(host);
    fake_vm_end(&vm);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vt_test_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contexts_are_kept),
        TEST(a_vm_that_was_restarted_is_opened_anew),
        TEST(only_named_vms_are_seen),
        TEST(many_threads_share_few_contexts),
        TEST(an_interrupt_ends_waiting_and_work),
        TEST(a_vm_that_comes_later_is_sampled),
        TEST(a_vm_that_was_restarted_is_sampled_anew),
        TEST(without_samplers_a_lease_takes_one_sample),
        TEST(a_vm_that_ended_is_served_from_its_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
