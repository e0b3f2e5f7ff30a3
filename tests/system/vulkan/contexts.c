/* tests/system/vulkan/contexts.c - instances and devices made and destroyed: `contexts [N]` (40).
 *
 * Each one does a little work. What this process has open and how much memory it takes must not
 * grow; the runner looks at the server's.
 */
#include "client.h"

#include <dirent.h>
#include <unistd.h>

static uint32_t count = 40;

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    EXPECT(dir != NULL);
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    EXPECT(f != NULL && fscanf(f, "%ld %ld", &pages, &resident) == 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void once(uint32_t number)
{
    struct client c;
    client_open(&c, NULL);
    struct buffer a = buffer_host(&c, 65536), b = buffer_host(&c, 65536);
    memset(a.at, (int)number, 65536);
    VkCommandBuffer commands = commands_begin(&c);
    const VkBufferCopy copy = {0, 0, 65536};
    vkCmdCopyBuffer(commands, a.buffer, b.buffer, 1, &copy);
    memory_barrier(commands);
    commands_run(&c, commands);
    EXPECT(memcmp(a.at, b.at, 65536) == 0);
    if (number % 4 == 3) {
        VK(vkDeviceWaitIdle(c.device));
    }
    client_close(&c);
}

/* Two devices of two instances at a time, used crosswise. */
static void pair(uint32_t number)
{
    struct client c[2];
    struct buffer buffers[2];
    for (uint32_t i = 0; i < 2; i++) {
        client_open(&c[i], NULL);
        buffers[i] = buffer_host(&c[i], 4096);
    }
    for (uint32_t i = 0; i < 2; i++) {
        VkCommandBuffer commands = commands_begin(&c[i]);
        vkCmdFillBuffer(commands, buffers[i].buffer, 0, VK_WHOLE_SIZE, number * 2 + i);
        memory_barrier(commands);
        commands_run(&c[i], commands);
    }
    EXPECT(*(uint32_t *)buffers[0].at == number * 2 &&
           *(uint32_t *)buffers[1].at == number * 2 + 1);
    client_close(&c[number % 2]);
    client_close(&c[1 - number % 2]);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : count;
    EXPECT(count >= 20);
    uint32_t warm = count / 10;
    for (uint32_t i = 0; i < warm; i++) {
        once(i);
    }
    unsigned files = open_files();
    long before = resident_kib();
    for (uint32_t i = warm; i < count; i++) {
        if (i % 5 == 0) {
            pair(i);
        } else {
            once(i);
        }
    }
    long grown = resident_kib() - before;
    printf("%u contexts, files open before and after: equal %d\n", count, files == open_files());
    EXPECT(files == open_files());
    /* A tenth of them has been done before: what grows now grows with their number. */
    if (grown > 64 * 1024) {
        printf("memory grew by %ld KiB\n", grown);
    }
    return 0;
}
