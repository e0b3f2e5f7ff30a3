/* tests/system/trace/two_ways.c - runs in a guest: the same instructions each time, but for one
 * turn of its loop, where its argument says which way. No library, no data from outside: nothing
 * else of its user code can differ from run to run.
 */
__asm__(".globl _start\n"
        "_start: mov 16(%rsp), %rdi\n"
        "    call run\n"
        "    mov $60, %eax\n"
        "    xor %edi, %edi\n"
        "    syscall\n");

static volatile unsigned sink;

__attribute__((noinline)) void left(void);
__attribute__((noinline)) void right(void);
__attribute__((noinline)) void work(unsigned n);
void run(const char *way);

void left(void)
{
    sink += 1;
}

void right(void)
{
    for (unsigned i = 0; i < 10; i++) {
        sink += i;
    }
}

void work(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        sink ^= i;
    }
}

void run(const char *way)
{
    for (unsigned i = 0; i < 1000; i++) {
        work(20);
        if (i == 500 && way[0] == 'b') {
            right();
        } else {
            left();
        }
    }
}
