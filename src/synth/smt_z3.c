/* synth/smt_z3.c - vitrine-solver.so: Z3 through its C API. See smt.h. */
#include "synth/smt.h"

#include <stdio.h>
#include <string.h>
#include <z3.h>

#define MEMORY_MIB "2048"

/* Without one, Z3 ends the process when something is wrong; with it, each call says so. */
static void on_error(Z3_context z3, Z3_error_code code)
{
    (void)z3;
    (void)code;
}

static void show(Z3_context z3, Z3_model model, char *to, size_t room)
{
    size_t n = 0;
    to[0] = '\0';
    unsigned all = Z3_model_get_num_consts(z3, model);
    for (unsigned i = 0; i < all && n + 1 < room; i++) {
        Z3_func_decl decl = Z3_model_get_const_decl(z3, model, i);
        Z3_ast value = decl != NULL ? Z3_model_get_const_interp(z3, model, decl) : NULL;
        uint64_t number;
        if (value == NULL || !Z3_get_numeral_uint64(z3, value, &number)) {
            continue;
        }
        const char *name = Z3_get_symbol_string(z3, Z3_get_decl_name(z3, decl));
        name = strncmp(name, "s.", 2) == 0 ? name + 2 : name;
        int more = snprintf(to + n, room - n, "%s%s = 0x%llx", n > 0 ? ", " : "", name,
                            (unsigned long long)number);
        if (more < 0 || (size_t)more >= room - n) {
            to[n] = '\0';
            break;
        }
        n += (size_t)more;
    }
}

static enum vt_proof_result ask(const char *text, uint32_t timeout_ms, char *example, size_t room)
{
    char limit[16];
    snprintf(limit, sizeof limit, "%u", timeout_ms);
    Z3_global_param_set("memory_max_size", MEMORY_MIB);
    Z3_config config = Z3_mk_config();
    Z3_set_param_value(config, "timeout", limit);
    Z3_context z3 = Z3_mk_context(config);
    Z3_del_config(config);
    if (z3 == NULL) {
        return VT_PROOF_UNKNOWN;
    }
    Z3_set_error_handler(z3, on_error);
    enum vt_proof_result result = VT_PROOF_UNKNOWN;
    Z3_ast_vector asserted = Z3_parse_smtlib2_string(z3, text, 0, NULL, NULL, 0, NULL, NULL);
    if (Z3_get_error_code(z3) == Z3_OK && asserted != NULL) {
        Z3_ast_vector_inc_ref(z3, asserted);
        Z3_tactic tactic = Z3_mk_tactic(z3, "qfbv");
        Z3_tactic_inc_ref(z3, tactic);
        Z3_solver solver = Z3_mk_solver_from_tactic(z3, tactic);
        Z3_solver_inc_ref(z3, solver);
        for (unsigned i = 0; i < Z3_ast_vector_size(z3, asserted); i++) {
            Z3_solver_assert(z3, solver, Z3_ast_vector_get(z3, asserted, i));
        }
        Z3_lbool known = Z3_solver_check(z3, solver);
        if (Z3_get_error_code(z3) == Z3_OK && known == Z3_L_FALSE) {
            result = VT_PROOF_HOLDS;
        } else if (Z3_get_error_code(z3) == Z3_OK && known == Z3_L_TRUE) {
            result = VT_PROOF_FALSE;
            Z3_model model = Z3_solver_get_model(z3, solver);
            if (model != NULL && Z3_get_error_code(z3) == Z3_OK) {
                Z3_model_inc_ref(z3, model);
                show(z3, model, example, room);
            }
        }
    }
    return result;
}

__attribute__((visibility("default"))) extern const struct vt_solver vt_solver_z3;
const struct vt_solver vt_solver_z3 = {.ask = ask};
