/* gpu/control.c - see control.h.
 *
 * The loop's thread never waits for who asks: a document is made at once and sent as the socket
 * takes it; of those who do not take theirs the oldest is dropped.
 */
#include "gpu/control.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "base/paths.h"
#include "gpu/listen.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKERS_MAX 8u
#define DOCUMENT_MAX (UINT32_C(64) << 20)

struct asker {
    struct vt_gpu_control *control;
    int fd;
    struct vt_source *source;
    char *text;
    size_t bytes, at;
    uint64_t number;
};

struct vt_gpu_control {
    struct vt_loop *loop;
    struct vt_gpu_listener listener;
    struct vt_source *source;
    void (*tell)(struct vt_json_writer *w, void *arg);
    void *arg;
    struct asker askers[ASKERS_MAX];
    uint64_t number;
};

static void dismiss(struct asker *a)
{
    vt_source_remove(a->source);
    vt_close(&a->fd);
    free(a->text);
    *a = (struct asker){.fd = -1};
}

static void on_room(struct vt_source *source, uint32_t events, void *arg)
{
    struct asker *a = arg;
    (void)source;
    (void)events;
    ssize_t n = send(a->fd, a->text + a->at, a->bytes - a->at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        a->at += (size_t)n;
    }
    if (a->at == a->bytes || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        dismiss(a);
    }
}

static int make_document(struct vt_gpu_control *c, char **text, size_t *bytes)
{
    FILE *out = open_memstream(text, bytes);
    if (out == NULL) {
        return -1;
    }
    struct vt_json_writer w;
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_kv_i64(&w, "pid", getpid());
    c->tell(&w, c->arg);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    return fclose(out);
}

static void on_asker(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_gpu_control *c = arg;
    (void)source;
    (void)events;
    int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct asker *a = &c->askers[0];
    for (unsigned i = 1; i < ASKERS_MAX && a->fd >= 0; i++) {
        struct asker *other = &c->askers[i];
        a = other->fd < 0 || other->number < a->number ? other : a;
    }
    if (a->fd >= 0) {
        dismiss(a);
    }
    *a = (struct asker){.control = c, .fd = fd, .number = ++c->number};
    if (make_document(c, &a->text, &a->bytes) != 0 ||
        vt_loop_add_fd(c->loop, fd, EPOLLOUT, on_room, a, &a->source, NULL) != 0) {
        dismiss(a);
    }
}

int vt_gpu_control_create(struct vt_loop *loop, void (*tell)(struct vt_json_writer *w, void *arg),
                          void *arg, struct vt_gpu_control **control, struct vt_error *err)
{
    char runtime[PATH_MAX], path[PATH_MAX];
    struct vt_gpu_control *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a control socket: out of memory");
    }
    c->loop = loop;
    c->tell = tell;
    c->arg = arg;
    c->listener.fd = -1;
    for (unsigned i = 0; i < ASKERS_MAX; i++) {
        c->askers[i].fd = -1;
    }
    int rc = vt_path_runtime(runtime, err);
    rc = rc != 0 ? rc : vt_make_dirs(runtime, 0700, err);
    rc = rc != 0 ? rc : vt_path_format(path, err, "%s/gpu-%d.sock", runtime, (int)getpid());
    rc = rc != 0 ? rc : vt_gpu_listen(&c->listener, path, err);
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, c->listener.fd, EPOLLIN, on_asker, c, &c->source, err);
    if (rc != 0) {
        vt_gpu_control_destroy(c);
        return rc;
    }
    *control = c;
    return 0;
}

void vt_gpu_control_destroy(struct vt_gpu_control *c)
{
    if (c == NULL) {
        return;
    }
    for (unsigned i = 0; i < ASKERS_MAX; i++) {
        dismiss(&c->askers[i]);
    }
    vt_source_remove(c->source);
    vt_gpu_unlisten(&c->listener);
    free(c);
}

/* ---------------------------------------------------------------- asking */

/* The whole document, or NULL; the caller frees. A socket without a server is removed. */
static char *ask(const char *path, uint64_t patience_ms)
{
    struct vt_error err;
    int fd;
    int rc = vt_unix_connect(path, &fd, &err);
    if (rc != 0) {
        if (rc == VT_E_GONE) {
            unlink(path);
        }
        return NULL;
    }
    char *text = NULL;
    size_t bytes = 0, room = 0;
    uint64_t deadline = vt_deadline_ms(patience_ms);
    for (;;) {
        if (bytes + 1 >= room) {
            room = room == 0 ? 65536 : room * 2;
            char *more = room <= DOCUMENT_MAX ? realloc(text, room) : NULL;
            if (more == NULL) {
                break;
            }
            text = more;
        }
        if (vt_wait_fd(fd, POLLIN, deadline, NULL, &err) != 0) {
            break;
        }
        ssize_t n = recv(fd, text + bytes, room - bytes - 1, 0);
        if (n == 0) {
            close(fd);
            text[bytes] = '\0';
            return text;
        }
        if (n < 0 && errno != EINTR) {
            break;
        }
        bytes += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    free(text);
    return NULL;
}

static int ours(const struct dirent *entry)
{
    int pid, end = 0;
    return sscanf(entry->d_name, "gpu-%d.sock%n", &pid, &end) == 1 && entry->d_name[end] == '\0' &&
           end > 0;
}

int vt_gpu_control_each(uint64_t patience_ms, bool (*each)(const char *json, void *arg), void *arg,
                        struct vt_error *err)
{
    char runtime[PATH_MAX], path[PATH_MAX];
    struct dirent **entries;
    int rc = vt_path_runtime(runtime, err);
    if (rc != 0) {
        return rc;
    }
    int n = scandir(runtime, &entries, ours, versionsort);
    if (n < 0) {
        return errno == ENOENT ? 0
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", runtime);
    }
    bool more = true;
    for (int i = 0; i < n; i++) {
        if (more && vt_path_format(path, NULL, "%s/%s", runtime, entries[i]->d_name) == 0) {
            char *text = ask(path, patience_ms);
            more = text == NULL || each(text, arg);
            free(text);
        }
        free(entries[i]);
    }
    free(entries);
    return 0;
}
