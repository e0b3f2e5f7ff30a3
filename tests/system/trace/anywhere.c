/* tests/system/trace/anywhere.c - runs until it is ended, at an address of its own in each process.
 */
__attribute__((noinline)) static unsigned step(unsigned n)
{
    return n * 1664525u + 1013904223u;
}

int main(void)
{
    volatile unsigned n = 1;
    for (;;) {
        n = step(n);
    }
}
