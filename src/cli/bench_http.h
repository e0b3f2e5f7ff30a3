/* cli/bench_http.h - a server of our own, and clients that ask it as fast as it answers. */
#ifndef VT_CLI_BENCH_HTTP_H
#define VT_CLI_BENCH_HTTP_H

#include "vitrine/base.h"

/** Starts `vitrine serve` on a VM with its database and socket in `dir`, and asks for the VM's
 *  processes over 64 connections for `seconds`, each asking again when it was answered. *ms are the
 *  times of *n answers, the caller's to free; fails when one of them is anything but 200. */
int vt_bench_http(const char *vm, const char *dir, unsigned seconds, double **ms, size_t *n,
                  struct vt_error *err);

#endif
