/* tests/unit/guest/dwarf_fixture.c - one unit of something that looks like a vmlinux; never run. */
#include "tests/unit/guest/dwarf_fixture.h"

void _text(void);
void _text(void)
{
}

const char linux_banner[] = "Linux version 6.6.6-fixture (nobody@nowhere) #1 SMP\n";
struct fixture first_fixture = {.kind = FIXTURE_FIRST};
struct fixture *fixture_pointers[2] = {&first_fixture};
enum fixture_signs fixture_sign = FIXTURE_MINUS;
int fixture_unnamed = FIXTURE_UNNAMED;
union fixture_either either_fixture = {.as_double = 1};
