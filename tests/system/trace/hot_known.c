/* tests/system/trace/hot_known.c - runs in a guest: says where the loops of hot_known.S lie ("NAME
 * ADDRESS"), then "ready"; runs them once each time a line comes on stdin, and says "done".
 */
#include <stdio.h>

#define NODES 1000

struct node {
    struct node *next;
};
static struct node nodes[NODES];
extern struct node *known_list;
extern char known_end[], known_round[], known_alu[], known_alu_inner[], known_stream[],
    known_chase[], known_float[], known_string[], known_control[], known_system[], known_calls[],
    known_leaf[];
void known_run(void);

static const struct {
    const char *name;
    const void *at;
} places[] = {
    {"round", known_round},   {"alu", known_alu},         {"alu_inner", known_alu_inner},
    {"stream", known_stream}, {"chase", known_chase},     {"float", known_float},
    {"string", known_string}, {"control", known_control}, {"system", known_system},
    {"calls", known_calls},   {"leaf", known_leaf},       {"end", known_end},
};

int main(void)
{
    char line[64];
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i * 7 % NODES].next = i + 1 < NODES ? &nodes[(i + 1) * 7 % NODES] : NULL;
    }
    known_list = nodes;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("begin %p\n", (void *)known_run);
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        printf("%s %p\n", places[i].name, places[i].at);
    }
    printf("ready\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        known_run();
        printf("done\n");
    }
    return 0;
}
