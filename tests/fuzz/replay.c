/* tests/fuzz/replay.c - runs a fuzz target over every file of its corpus: the unit test of it.
 *
 * Each input is copied into an allocation of exactly its size, so that ASan sees a read past it.
 */
#include "tests/fuzz/fuzz.h"

#include "base/io.h"

#include <dirent.h>
#include <string.h>

#define INPUT_BYTES_MAX ((size_t)16 << 20)

static int replay(const char *path)
{
    struct vt_error err;
    char *text;
    size_t count;
    if (vt_read_file(path, INPUT_BYTES_MAX, &text, &count, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    uint8_t *exact = malloc(count > 0 ? count : 1);
    if (exact == NULL) {
        free(text);
        return 1;
    }
    memcpy(exact, text, count);
    free(text);
    LLVMFuzzerTestOneInput(exact, count);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        perror(argv[1]);
        return 1;
    }
    unsigned replayed = 0;
    int failed = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[4096];
        if (e->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        failed |= replay(path);
        replayed++;
    }
    closedir(dir);
    if (replayed == 0) {
        fprintf(stderr, "%s: the corpus is empty\n", argv[1]);
        return 1;
    }
    printf("%u inputs\n", replayed);
    return failed;
}
