/* tests/unit/guest/dwarf_fixture_more.c - another unit: repeats the types, and knows one more. */
#include "tests/unit/guest/dwarf_fixture.h"

struct fixture_far {
    struct fixture back;
    int distance;
};

extern struct fixture first_fixture;
static int fixture_sign = 1; /* not the one of that name */
struct fixture_far far_fixture;
struct fixture *from_more = &first_fixture;
int *from_sign = &fixture_sign;
