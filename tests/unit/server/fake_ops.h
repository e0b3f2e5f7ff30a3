/* tests/unit/server/fake_ops.h - a table of operations that needs no VM, in the place of ops.c and
 * host.c, for tests of what is made of operations. */
#ifndef TESTS_FAKE_OPS_H
#define TESTS_FAKE_OPS_H

#include "server/ops.h"

/** What list_vms finds: "a", "b", … */
extern unsigned fake_vms;
/** Rows that `many` and others give. */
extern unsigned fake_rows;
/** Whether `sql` finds no kernel. */
extern bool fake_no_kernel;
/** Whether the host only looks; before vt_mcp_create. */
extern bool fake_read_only;
/** Calls of `wait` that run now; they end when fake_release is set or the host is interrupted. */
extern _Atomic unsigned fake_waiting;
extern _Atomic bool fake_release;
extern _Atomic bool fake_interrupted;

#endif
