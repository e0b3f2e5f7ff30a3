/* guest/trust.c - the words for how far an object may be believed. */
#include "vitrine/guest.h"

const char *vt_trust_name(enum vt_trust trust)
{
    return trust == VT_TRUST_OK ? "ok" : "torn";
}
