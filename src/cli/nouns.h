/* cli/nouns.h - a verb for every noun of vitrine/linux.h, and its rows for verbs that do more. */
#ifndef VT_CLI_NOUNS_H
#define VT_CLI_NOUNS_H

#include "cli/target.h"
#include "vitrine/linux.h"

/** The verb that lists a noun; `noun` has to last. */
struct vt_verb vt_noun_verb(const struct vt_noun *noun);

/** Walks the noun and writes its rows, and what the walk says of itself in JSON. When rows were
 *  written before it failed, they are ended as a list that is incomplete. *status: whether they
 *  could be written. Errors: those of vt_noun_walk. */
int vt_noun_write(const struct vt_output *to, struct vt_kernel *kernel, const struct vt_noun *noun,
                  const struct vt_noun_query *query, struct vt_noun_result *result, int *status,
                  struct vt_error *err);

/** Walks the noun in an open target (pausing it when asked to) and prints its rows. Returns an
 *  exit code, after saying why when it is not 0. */
int vt_noun_print(const struct vt_args *args, struct vt_target *target, const struct vt_noun *noun,
                  const struct vt_noun_query *query);

#endif
