/* tests/system/trace/names.h - of names_program.c and names_library.c. */
#ifndef VT_TESTS_NAMES_H
#define VT_TESTS_NAMES_H

unsigned long names_shared(unsigned long v);

#endif
