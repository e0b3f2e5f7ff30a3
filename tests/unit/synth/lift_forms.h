/* tests/unit/synth/lift_forms.h - forms of lifted instructions beside those of vt_forms: strings,
 * vectors, jumps, and what is tried on this lifter only.
 */
#ifndef VT_TESTS_SYNTH_LIFT_FORMS_H
#define VT_TESTS_SYNTH_LIFT_FORMS_H

#include "tests/unit/x86/forms.h"

extern const struct vt_form lift_forms[]; /**< the last one has no sizes */

#endif
