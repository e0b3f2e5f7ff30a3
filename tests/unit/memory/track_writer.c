/* tests/unit/memory/track_writer.c - stands for QEMU: maps a RAM file and writes pages when told.
 *
 * usage: track_writer RAM_FILE, with the preload and its variable in the environment or without.
 * Says "P" when mapped ("p" if the preload is still in the environment then). Commands on stdin, 8
 * bytes each: a page number, answered by "w" once it is written; or VT_WRITER_FLOOD: writes random
 * pages until the next command comes; or VT_WRITER_ROUND: writes in a known order until then.
 */
#include "tests/unit/memory/track_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_page(volatile uint64_t *ram, uint64_t page)
{
    for (uint64_t i = 0; i < 512; i++) {
        ram[page * 512 + i]++;
    }
}

/* In bursts about as long as a refresh, with pauses about as long: copies meet both. */
static void write_rounds(volatile uint64_t *ram)
{
    struct pollfd next = {.fd = STDIN_FILENO, .events = POLLIN};
    struct timespec pause = {.tv_nsec = 300000};
    for (uint64_t i = 0; ppoll(&next, 1, &pause, NULL) == 0;) {
        for (uint64_t end = i + 5000 + i % 7919; i < end; i++) {
            ram[i % VT_WRITER_ROUND_PAGES * 512]++;
        }
    }
}

static bool say(char c)
{
    return write(STDOUT_FILENO, &c, 1) == 1;
}

int main(int argc, char **argv)
{
    struct stat st;
    int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return 1;
    }
    volatile uint64_t *ram =
        mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ram == MAP_FAILED || !say(getenv("LD_PRELOAD") == NULL ? 'P' : 'p')) {
        return 1;
    }
    uint64_t pages = (uint64_t)st.st_size / 4096;
    uint64_t random = 88172645463325252u;
    uint64_t command;
    while (read(STDIN_FILENO, &command, sizeof command) == sizeof command) {
        if (command == VT_WRITER_FLOOD) {
            struct pollfd next = {.fd = STDIN_FILENO, .events = POLLIN};
            while (poll(&next, 1, 0) == 0) {
                for (int i = 0; i < 64; i++) {
                    /* Marsaglia's xorshift64; a third of RAM stays untouched. */
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    write_page(ram, random % (pages / 3 * 2));
                }
            }
        } else if (command == VT_WRITER_ROUND) {
            write_rounds(ram);
        } else if (command < pages) {
            write_page(ram, command);
        }
        if (!say('w')) {
            return 1;
        }
    }
    return 0;
}
