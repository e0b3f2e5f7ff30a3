/* tests/unit/harness.h - cmocka with what it wants included before it. */
#ifndef VT_TESTS_HARNESS_H
#define VT_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
