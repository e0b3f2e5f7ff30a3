/* tests/unit/guest/dwarf_fixture.h - everything a C type can be: compiled once with debug
 * information, which is read, and once into the test, which knows from the compiler where things
 * are. */
#ifndef VT_TESTS_GUEST_DWARF_FIXTURE_H
#define VT_TESTS_GUEST_DWARF_FIXTURE_H

struct fixture_far; /* known to the other unit only */
struct fixture_nowhere;

enum fixture_kind { FIXTURE_FIRST = 1, FIXTURE_BYTE = 200, FIXTURE_LAST = 70000 };
enum fixture_signs { FIXTURE_MINUS = -5, FIXTURE_PLUS = 5 };
enum { FIXTURE_UNNAMED = 42 };

typedef unsigned long fixture_word;

struct fixture_inner {
    fixture_word first;
    volatile int second;
};

union fixture_either {
    double as_double;
    struct {
        unsigned char low, high;
    };
};

struct fixture {
    char text[16];
    const struct fixture_inner *inner;
    struct fixture_far *far;
    struct fixture_nowhere *nowhere;
    int (*call)(struct fixture *self, void *arg);
    unsigned int a : 3;
    unsigned int b : 9;
    signed int c : 20;
    enum fixture_kind kind : 17;
    union fixture_either either;
    union {
        long as_long;
        struct {
            short as_shorts[2];
            _Bool flag;
        };
    };
    struct {
        char x;
        long y;
    } pair[3];
    struct fixture_inner grid[2][5];
    enum fixture_signs signs;
    long long tail;
    struct fixture *next;
    struct fixture_inner open[];
};

#endif
