/* tests/unit/memory/tracked.h - a process that writes into a RAM file, and a tracker beside it.
 *
 * Programs get the writer's path and the preload's as arguments (tests/unit/memory/meson.build).
 */
#ifndef VT_TESTS_TRACKED_H
#define VT_TESTS_TRACKED_H

#include "tests/unit/harness.h"
#include "tests/unit/memory/ramfile.h"

#include "memory/track.h"
#include "tests/unit/memory/track_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char *writer_program;
static const char *preload;

struct tracked {
    struct ramfile ram;
    struct vt_vm_info info;
    int to, from; /* the writer's stdin and stdout */
    void *service;
};

static char tracked_answer(struct tracked *t)
{
    char c = 0;
    assert_int_equal(read(t->from, &c, 1), 1);
    return c;
}

static void tracked_tell(struct tracked *t, uint64_t command)
{
    assert_int_equal(write(t->to, &command, sizeof command), sizeof command);
}

static void tracked_write(struct tracked *t, uint64_t page)
{
    tracked_tell(t, page);
    assert_int_equal(tracked_answer(t), 'w');
}

/* `watched`: with the preload. */
static struct tracked tracked_start(uint64_t bytes, bool watched)
{
    struct tracked t = {.ram = ramfile_make(bytes)};
    int in[2];
    int out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        if (watched) {
            setenv("LD_PRELOAD", preload, 1);
            setenv("VITRINE_TRACK_RAM", t.ram.path, 1);
        }
        execl(writer_program, writer_program, t.ram.path, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    t.to = in[1];
    t.from = out[0];
    assert_int_equal(tracked_answer(&t), 'P');
    t.info.qemu_pid = pid;
    snprintf(t.info.ram_path, sizeof t.info.ram_path, "%s", t.ram.path);
    struct vt_error err;
    assert_int_equal(vt_track_service.start(&t.info, NULL, &t.service, &err), 0);
    return t;
}

static void tracked_end_writer(struct tracked *t)
{
    if (t->info.qemu_pid > 0) {
        kill(t->info.qemu_pid, SIGKILL);
        waitpid(t->info.qemu_pid, NULL, 0);
        t->info.qemu_pid = 0;
    }
}

static void tracked_stop(struct tracked *t)
{
    vt_track_service.stop(t->service);
    tracked_end_writer(t);
    close(t->to);
    close(t->from);
    close(t->ram.fd);
}

/* A reader's raw socket. */
static int tracked_socket(struct tracked *t)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    vt_track_service.client(t->service, pair[1]);
    return pair[0];
}

static struct vt_track *tracked_open(struct tracked *t)
{
    struct vt_track *track = NULL;
    struct vt_error err = {0};
    int rc = vt_track_adopt(tracked_socket(t), "test", &track, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    return track;
}

/* Ends the program with "skipped" where the kernel cannot watch pages. */
static void tracked_need_pagemap(int argc, char **argv)
{
    assert(argc == 3);
    writer_program = argv[1];
    preload = argv[2];
    struct tracked t = tracked_start(1 << 20, true);
    struct vt_track *track = tracked_open(&t);
    bool can = vt_track_mode(track) == VT_TRACK_PAGEMAP;
    if (!can) {
        fprintf(stderr, "skipped: %s\n", vt_track_why(track));
    }
    vt_track_close(track);
    tracked_stop(&t);
    if (!can) {
        exit(77);
    }
    (void)argc;
}

#endif
