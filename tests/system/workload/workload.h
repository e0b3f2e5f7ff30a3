/* workload.h - items of the guest's workload: each makes something that a verb shows.
 *
 * An item that cannot be made says why and is left out; so a kernel without a feature still gets
 * the others. What is made stays until the process ends. Used by one thread, at the start.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct item {
    const char *name;
    int (*make)(void); /* 0, or -1 with errno */
};

/* Tables ended by a zeroed row. */
extern const struct item memory_items[], process_items[], file_items[], socket_items[],
    kernel_items[];

/* "NAME key value ..." on stdout: what the comparison may want to know. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A child called `comm` that runs `body` and then sleeps for ever; it ends with its parent. */
pid_t child(const char *comm, void (*body)(void));
void sleep_for_ever(void) __attribute__((noreturn));
/* A whole file is written: 0, or -1 with errno. */
int put(const char *path, const char *text);
/* A shell command: 0, or -1 with errno EIO. */
int shell(const char *command);
/* A file of `size` bytes with a pattern, open for reading and writing. */
int make_file(const char *path, size_t size);

#endif
