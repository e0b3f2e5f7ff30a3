/* tests/unit/gpu/test_queues.c - virtio-gpu devices as QEMU tells of them, by a QEMU that is
 * played: what it may say, what it should not, and that the question that kills it is not asked.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "gpu/queues.h"
#include "machine/qmp.h"
#include "tests/unit/memory/ramfile.h"
#include "virtio/layout.h"

#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

/* What it answers; NULL refuses. */
struct played {
    int fd;
    pthread_t thread;
    const char *commands, *devices, *packed;
    const char *queue[2];
    bool fatal; /* the forbidden question was asked */
};

static const char *answer_of(struct played *p, const char *command, json_t *arguments)
{
    if (strcmp(command, "qmp_capabilities") == 0) {
        return "{}";
    }
    if (strcmp(command, "query-commands") == 0) {
        return p->commands;
    }
    if (strcmp(command, "x-query-virtio") == 0) {
        return p->devices;
    }
    if (strcmp(command, "qom-get") == 0) {
        return p->packed;
    }
    if (strcmp(command, "x-query-virtio-queue-status") == 0) {
        return p->queue[json_integer_value(json_object_get(arguments, "queue")) & 1];
    }
    p->fatal = true;
    return NULL;
}

static void *play(void *arg)
{
    struct played *p = arg;
    FILE *f = fdopen(p->fd, "r+");
    char line[4096];
    if (f == NULL) {
        close(p->fd);
        return NULL;
    }
    fputs("{\"QMP\": {\"version\": {\"qemu\": {\"major\": 11, \"minor\": 1, \"micro\": 3}, "
          "\"package\": \"\"}, \"capabilities\": []}}\r\n",
          f);
    fflush(f);
    while (fgets(line, sizeof line, f) != NULL) {
        json_t *q = json_loads(line, 0, NULL);
        const char *answer = answer_of(p, json_string_value(json_object_get(q, "execute")),
                                       json_object_get(q, "arguments"));
        char *id = json_dumps(json_object_get(q, "id"), JSON_ENCODE_ANY);
        if (answer != NULL) {
            fprintf(f, "{\"return\": %s, \"id\": %s}\r\n", answer, id);
        } else {
            fprintf(f,
                    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\r\n",
                    id);
        }
        fflush(f);
        free(id);
        json_decref(q);
    }
    fclose(f);
    return NULL;
}

static struct vt_qmp *connect_to(struct played *p)
{
    int fds[2];
    struct vt_qmp *qmp;
    struct vt_error err;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    p->fd = fds[1];
    assert_int_equal(pthread_create(&p->thread, NULL, play, p), 0);
    assert_int_equal(vt_qmp_adopt(fds[0], "a played QEMU", vt_deadline_ms(5000), NULL, &qmp, &err),
                     0);
    return qmp;
}

static void hang_up(struct played *p, struct vt_qmp *qmp)
{
    vt_qmp_close(qmp);
    pthread_join(p->thread, NULL);
    assert_false(p->fatal);
}

#define TWO                                                                                        \
    "[{\"name\": \"virtio-net\", \"path\": \"/machine/peripheral/net0/virtio-backend\"},"          \
    " {\"name\": \"virtio-gpu\", \"path\": \"/machine/peripheral/b\"},"                            \
    " {\"name\": \"virtio-gpu\", \"path\": \"/machine/peripheral/a/virtio-backend\"}]"
#define CONTROL                                                                                    \
    "{\"vring-num\": 64, \"vring-desc\": 4096, \"vring-avail\": 5120, \"vring-used\": 8192,"       \
    " \"last-avail-idx\": 70, \"used-idx\": 69}"
#define CURSOR "{\"vring-num\": 16, \"vring-desc\": 0, \"vring-avail\": 0, \"vring-used\": 0}"

static const struct played usual = {
    .commands = "[{\"name\": \"x-query-virtio\"}]",
    .devices = TWO,
    .packed = "true",
    .queue = {CONTROL, CURSOR},
};

static void two_devices(void **state)
{
    (void)state;
    struct played p = usual;
    struct vt_qmp *qmp = connect_to(&p);
    struct vt_vgpu_device *list;
    size_t n, at;
    struct vt_error err;
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].id, "a");
    assert_string_equal(list[1].id, "b");
    assert_string_equal(list[0].path, "/machine/peripheral/a/virtio-backend");
    assert_true(list[0].may_pack);
    const struct vt_vgpu_ring *r = list[0].queue;
    assert_int_equal(r[0].desc, 4096);
    assert_int_equal(r[0].driver, 5120);
    assert_int_equal(r[0].device, 8192);
    assert_int_equal(r[0].size, 64);
    assert_true(r[0].has_progress && !r[1].has_progress);
    assert_int_equal(r[0].taken, 70);
    assert_int_equal(r[0].returned, 69);
    assert_int_equal(r[1].desc, 0);
    assert_int_equal(vt_vgpu_device_choose(list, n, "b", &at, &err), 0);
    assert_int_equal(at, 1);
    assert_int_equal(vt_vgpu_device_choose(list, n, list[0].path, &at, &err), 0);
    assert_int_equal(at, 0);
    assert_int_equal(vt_vgpu_device_choose(list, n, NULL, &at, &err), VT_E_INVAL);
    assert_non_null(strstr(err.message, "a, b"));
    assert_int_equal(vt_vgpu_device_choose(list, n, "c", &at, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_vgpu_device_choose(list, 1, NULL, &at, &err), 0);
    assert_int_equal(vt_vgpu_device_choose(list, 0, NULL, &at, &err), VT_E_NOT_FOUND);
    p.queue[1] = NULL; /* unplugged */
    struct vt_vgpu_device before = list[0];
    assert_int_equal(vt_vgpu_device_ask(qmp, &list[0], &err), VT_E_NOT_FOUND);
    assert_memory_equal(&before, &list[0], sizeof before);
    free(list);
    hang_up(&p, qmp);
}

static void nothing_to_watch(void **state)
{
    (void)state;
    struct played p = usual;
    struct vt_qmp *qmp = connect_to(&p);
    struct vt_vgpu_device *list;
    size_t n;
    struct vt_error err;
    p.devices = "[]";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_null(list);
    p.devices = NULL; /* "No virtio devices found" */
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    assert_int_equal(n, 0);
    p.commands = "[{\"name\": \"quit\"}]"; /* before 7.2 */
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), VT_E_UNSUPPORTED);
    hang_up(&p, qmp);
}

static void what_it_should_not_say(void **state)
{
    (void)state;
    struct played p = usual;
    struct vt_qmp *qmp = connect_to(&p);
    struct vt_vgpu_device *list;
    size_t n;
    struct vt_error err;
    p.queue[0] = "{\"vring-num\": 65536, \"vring-desc\": 4096}";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), VT_E_PROTOCOL);
    p.queue[0] = "{\"vring-num\": -1, \"vring-desc\": 4096}";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    assert_int_equal(list[0].queue[0].desc, 0);
    free(list);
    p.queue[0] = "[]";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    free(list);
    p.devices = "[{\"name\": \"virtio-gpu\", \"path\": \"/machine/\\u001b[31m\"}]";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), VT_E_PROTOCOL);
    p.devices = "[{\"name\": \"virtio-gpu\"}, 7, {\"path\": \"/x\"}]";
    assert_int_equal(vt_vgpu_devices(qmp, &list, &n, &err), 0);
    assert_int_equal(n, 0);
    hang_up(&p, qmp);
}

static void split_or_packed(void **state)
{
    (void)state;
    struct ramfile f = ramfile_make(1 << 16);
    struct vt_ram *ram;
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.path, NULL, 0, &ram, &err), 0);
    struct vt_vgpu_device d = {.may_pack = true};
    struct vt_vgpu_ring r = {.desc = 0x1000,
                             .driver = 0x1400,
                             .device = 0x2000,
                             .size = 64,
                             .has_progress = true,
                             .taken = 10,
                             .returned = 9};
    const uint16_t avail[2] = {0, 12};
    const uint16_t used[2] = {1, 10};
    ramfile_put(&f, r.driver, avail, sizeof avail);
    ramfile_put(&f, r.device, used, sizeof used);
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_SPLIT);
    r.returned = 40; /* the device has come further than the ring says: no index */
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_PACKED);
    d.may_pack = false;
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_SPLIT);
    d.may_pack = true;
    r.returned = 9;
    r.device = r.driver + 4; /* no room for a ring between them */
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_PACKED);
    r.device = 0x2000;
    /* Small numbers may be flags: only where split rings lie they are indices. */
    const uint16_t small[2] = {0, 2};
    ramfile_put(&f, r.driver, small, sizeof small);
    ramfile_put(&f, r.device, small, sizeof small);
    r.taken = r.returned = 2;
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_SPLIT);
    r.desc = 0x3000;
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_PACKED);
    r.driver = 1 << 20; /* not RAM */
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_PACKED);
    r.desc = 0;
    assert_int_equal(vt_vgpu_ring_kind_of(ram, &d, &r), VT_VGPU_RING_NONE);
    vt_ram_close(ram);
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_devices),
        cmocka_unit_test(nothing_to_watch),
        cmocka_unit_test(what_it_should_not_say),
        cmocka_unit_test(split_or_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
