/* tests/system/trace/hot_loops.c - runs in a guest: loops of known instructions and trip counts,
 * for ever. Says where each begins: "NAME ADDRESS", then "ready". tests/system/hot.sh knows what
 * they do.
 */
#include <stdint.h>
#include <stdio.h>

#define NODES 1000
#define WORDS 500

struct node {
    struct node *next;
};
static struct node nodes[NODES];
static uint64_t words[WORDS];

extern char hot_chase[], hot_stream[], hot_outer[], hot_inner[], hot_float[];

/* NODES times 3 instructions. */
static void chase(void)
{
    const struct node *node = nodes;
    __asm__ volatile(".globl hot_chase\n"
                     "hot_chase: mov (%0), %0\n"
                     "test %0, %0\n"
                     "jnz hot_chase"
                     : "+r"(node)
                     :
                     : "memory", "cc");
}

/* WORDS times 4. */
static uint64_t stream(void)
{
    uint64_t sum = 0;
    const uint64_t *at = words;
    uint32_t n = WORDS;
    __asm__ volatile(".globl hot_stream\n"
                     "hot_stream: add (%1), %0\n"
                     "add $8, %1\n"
                     "dec %2\n"
                     "jnz hot_stream"
                     : "+r"(sum), "+r"(at), "+r"(n)
                     :
                     : "memory", "cc");
    return sum;
}

/* 20 times (1 + 100 times 4 + 2). */
static uint64_t nested(uint64_t x)
{
    uint32_t outer = 20, inner;
    __asm__ volatile(".globl hot_outer, hot_inner\n"
                     "hot_outer: mov $100, %2\n"
                     "hot_inner: imul $77, %0, %0\n"
                     "rol $9, %0\n"
                     "dec %2\n"
                     "jnz hot_inner\n"
                     "dec %1\n"
                     "jnz hot_outer"
                     : "+r"(x), "+r"(outer), "=&r"(inner)
                     :
                     : "cc");
    return x;
}

/* 200 times 4. */
static double floats(double x)
{
    uint32_t n = 200;
    __asm__ volatile(".globl hot_float\n"
                     "hot_float: mulsd %2, %0\n"
                     "addsd %2, %0\n"
                     "dec %1\n"
                     "jnz hot_float"
                     : "+x"(x), "+r"(n)
                     : "x"(0.5)
                     : "cc");
    return x;
}

int main(void)
{
    for (unsigned i = 0; i + 1 < NODES; i++) {
        nodes[i].next = &nodes[i + 1];
    }
    printf("chase %p\nstream %p\nouter %p\ninner %p\nfloat %p\nready\n", (void *)hot_chase,
           (void *)hot_stream, (void *)hot_outer, (void *)hot_inner, (void *)hot_float);
    fflush(stdout);
    uint64_t x = 1;
    double f = 1;
    for (;;) {
        chase();
        x += stream();
        x = nested(x);
        f = floats(f);
    }
}
