/* gpu/vm_gpu.c - see vm_gpu.h. */
#include "gpu/vm_gpu.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "base/paths.h"
#include "base/text.h"
#include "gpu/card_venus.h"
#include "gpu/sandbox.h"
#include "gpu/vhost_server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)256 << 20)
#define PATIENCE_MS 5000u
#define DESCRIPTORS_MAX 65536u

/* ---------------------------------------------------------------- being it */

struct gpu {
    const struct vt_gpu_job *job;
    struct vt_loop *loop;
    struct vt_vhost_server *server;
};

static void say(void *arg, const char *line)
{
    (void)arg;
    char shown[700];
    vt_text_printable(shown, sizeof shown, line, strlen(line));
    puts(shown);
    fflush(stdout);
}

static void on_end(void *arg, unsigned devices_left)
{
    struct gpu *g = arg;
    if (devices_left == 0) {
        vt_loop_stop(g->loop, 0);
    }
}

struct picture {
    uint8_t *bytes;
    size_t n;
};

static int take_picture(struct vt_card *card, void *arg, struct vt_error *err)
{
    struct picture *p = arg;
    return vt_card_picture(card, true, &p->bytes, &p->n, err);
}

static void answer_state(struct gpu *g, struct picture *p)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, &p->n);
    if (out == NULL) {
        return;
    }
    struct vt_json_writer w;
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_kv_i64(&w, "pid", getpid());
    vt_json_key(&w, "servers");
    vt_json_array(&w);
    vt_json_object(&w);
    vt_json_kv_string(&w, "path", g->job->vm);
    vt_vhost_server_json(g->server, &w);
    vt_json_object_end(&w);
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    if (fclose(out) == 0) {
        p->bytes = (uint8_t *)text;
    } else {
        free(text);
        p->n = 0;
    }
}

/* Who asks is of the VM's owner, and has a moment; the device itself has a thread of its own. */
static void on_asker(struct vt_source *source, uint32_t events, void *arg)
{
    struct gpu *g = arg;
    struct picture answer = {0};
    char line[64];
    size_t n = 0;
    (void)source;
    (void)events;
    int fd = accept4(g->job->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const uint64_t deadline = vt_deadline_ms(PATIENCE_MS);
    while (n < sizeof line && memchr(line, '\n', n) == NULL &&
           vt_wait_fd(fd, POLLIN, deadline, NULL, NULL) == 0) {
        ssize_t got = recv(fd, line + n, sizeof line - n, MSG_DONTWAIT);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    if (n == 4 && memcmp(line, "png\n", 4) == 0) {
        vt_vhost_server_ask(g->server, 0, take_picture, &answer, NULL);
    } else if (n == 6 && memcmp(line, "state\n", 6) == 0) {
        answer_state(g, &answer);
    }
    for (size_t at = 0; at < answer.n && vt_wait_fd(fd, POLLOUT, deadline, NULL, NULL) == 0;) {
        ssize_t put = send(fd, answer.bytes + at, answer.n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        }
        at += put > 0 ? (size_t)put : 0;
    }
    free(answer.bytes);
    close(fd);
}

/* "venus,window=512M,device=NVIDIA": what stands behind the first word. `words` is cut up. */
static int read_words(char *words, struct vt_card_options *card, struct vt_venus_options *venus,
                      bool *sandbox, struct vt_error *err)
{
    strsep(&words, ",");
    for (char *word; (word = strsep(&words, ",")) != NULL;) {
        char *value = strchr(word, '=');
        uint64_t number = 0;
        int rc = 0;
        if (value == NULL) {
            return vt_fail(err, VT_E_INVAL, "--gpu venus: '%s' has no value", word);
        }
        *value++ = '\0';
        if (strcmp(word, "device") == 0) {
            venus->gpu = value;
        } else if (strcmp(word, "sandbox") == 0) {
            *sandbox = strcmp(value, "on") == 0;
            rc = *sandbox || strcmp(value, "off") == 0
                     ? 0
                     : vt_fail(err, VT_E_INVAL, "--gpu venus: sandbox is on or off, not '%s'",
                               value);
        } else if (strcmp(word, "window") == 0) {
            rc = vt_parse_bytes(value, &card->window_bytes, err);
        } else if (strcmp(word, "xres") == 0 || strcmp(word, "yres") == 0) {
            rc = vt_parse_u64(value, &number, err);
            *(word[0] == 'x' ? &card->width : &card->height) =
                number < VT_CARD_SIDE_MAX ? (uint32_t)number : VT_CARD_SIDE_MAX;
        } else {
            rc = vt_fail(err, VT_E_INVAL, "--gpu venus: no property '%s'", word);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int serve(struct gpu *g, char *words, struct vt_error *err)
{
    struct vt_card_options card = {0};
    struct vt_venus_options venus = {0};
    struct vt_venus_renderer *renderer = NULL;
    bool sandbox = false;
    int rc = read_words(words, &card, &venus, &sandbox, err);
    if (rc == 0 && sandbox) {
        struct rlimit limit; /* not more than there may be already */
        const bool known =
            getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < DESCRIPTORS_MAX;
        rc = vt_gpu_sandbox_enter(known ? (unsigned)limit.rlim_max : DESCRIPTORS_MAX, err);
    }
    rc = rc != 0 ? rc : vt_venus_renderer_create(&venus, &renderer, err);
    if (rc == 0) {
        const struct vt_card_contexts contexts = vt_card_venus(renderer);
        card.contexts = &contexts;
        rc = vt_loop_create(&g->loop, err);
        rc = rc != 0 ? rc : vt_vhost_server_create(g->loop, NULL, &card, say, g, &g->server, err);
    }
    if (rc == 0) {
        vt_vhost_server_on_end(g->server, on_end);
        rc = vt_loop_add_fd(g->loop, g->job->listener, EPOLLIN, on_asker, g, NULL, err);
        rc = rc != 0 ? rc : vt_vhost_server_add(g->server, g->job->sock, err);
    }
    rc = rc != 0 ? rc : vt_loop_run(g->loop, err);
    vt_vhost_server_destroy(g->server);
    vt_loop_destroy(g->loop);
    vt_venus_renderer_destroy(renderer);
    return rc;
}

int vt_vm_gpu(const struct vt_gpu_job *job)
{
    struct gpu g = {.job = job};
    struct vt_error err;
    char *words = strdup(job->words);
    int rc = words != NULL ? serve(&g, words, &err)
                           : vt_fail(&err, VT_E_NOMEM, "%s: out of memory", job->vm);
    free(words);
    if (rc != 0) {
        say(&g, err.message);
    }
    return rc != 0;
}

/* ---------------------------------------------------------------- asking */

int vt_vm_gpu_ask(const char *dir, const char *question, uint8_t **answer, size_t *bytes,
                  struct vt_error *err)
{
    char path[PATH_MAX], line[64];
    int fd;
    const int length = snprintf(line, sizeof line, "%s\n", question);
    int rc = vt_path_format(path, err, "%s/gpu.sock", dir);
    rc = rc != 0 ? rc : vt_unix_connect(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    rc = out != NULL ? vt_write_all(fd, line, (size_t)length, path, err)
                     : vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    const uint64_t deadline = vt_deadline_ms(UINT64_C(4) * PATIENCE_MS);
    for (size_t sum = 0; rc == 0;) {
        char block[16384];
        rc = vt_wait_fd(fd, POLLIN, deadline, NULL, err);
        ssize_t got = rc == 0 ? recv(fd, block, sizeof block, 0) : 0;
        if (got <= 0) {
            break;
        }
        sum += fwrite(block, 1, (size_t)got, out);
        rc = sum <= ANSWER_MAX ? 0 : vt_fail(err, VT_E_LIMIT, "%s: too long an answer", path);
    }
    if (out != NULL && fclose(out) != 0 && rc == 0) {
        rc = vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    close(fd);
    if (rc == 0 && n == 0) {
        rc = vt_fail(err, VT_E_REFUSED, "the GPU shows nothing");
    }
    if (rc != 0) {
        free(text);
        return rc;
    }
    *answer = (uint8_t *)text;
    *bytes = n;
    return 0;
}
