/* plugins/common/api.h - what is used of QEMU's plugin interface, and of the GLib QEMU is linked
 * to.
 *
 * No distribution ships QEMU's header: these are our own declarations, for the interface that
 * VT_PLUGIN_API names. 4 (QEMU 10.0) is loaded by 9.2 to 11.0, 7 by 11.1 alone: from there on every
 * callback has user data, and so other parameters. Symbols are found in the process that loads us.
 *
 * Source: QEMU docs/devel/tcg-plugins.rst, and the behaviour of the binaries.
 */
#ifndef VT_PLUGIN_API_H
#define VT_PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;
struct qemu_plugin_scoreboard;

typedef struct {
    struct qemu_plugin_scoreboard *score;
    size_t offset;
} qemu_plugin_u64;

typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus, max_vcpus;
    } system;
} qemu_info_t;

/* Descriptors of newer interfaces are longer: an array of them tells its stride. */
typedef struct {
    struct qemu_plugin_register *handle;
    const char *name;
    const char *feature;
} qemu_plugin_reg_descriptor;

typedef struct {
    int type; /**< log2 of the bytes */
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        struct {
            uint64_t low, high;
        } u128;
    } data;
} qemu_plugin_mem_value;

typedef uint32_t qemu_plugin_meminfo_t;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_CB_R_REGS, QEMU_PLUGIN_CB_RW_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_W = 2, QEMU_PLUGIN_MEM_RW };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64, QEMU_PLUGIN_INLINE_STORE_U64 };
enum qemu_plugin_cond {
    QEMU_PLUGIN_COND_NEVER,
    QEMU_PLUGIN_COND_ALWAYS,
    QEMU_PLUGIN_COND_EQ,
    QEMU_PLUGIN_COND_NE,
    QEMU_PLUGIN_COND_LT /* unsigned */
};
enum qemu_plugin_discon_type { QEMU_PLUGIN_DISCON_ALL = 7 };

typedef struct {
    uint8_t *data;
    unsigned len;
} GByteArray;
typedef struct {
    char *data;
    unsigned len;
} GArray;
GByteArray *g_byte_array_new(void);
uint8_t *g_byte_array_free(GByteArray *array, int free_segment);
GByteArray *g_byte_array_set_size(GByteArray *array, unsigned length);
unsigned g_array_get_element_size(GArray *array);
char *g_array_free(GArray *array, int free_segment);

typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned vcpu, void *udata);
typedef void (*qemu_plugin_vcpu_mem_cb_t)(unsigned vcpu, qemu_plugin_meminfo_t info,
                                          uint64_t address, void *udata);

#if VT_PLUGIN_API >= 7
typedef void (*vt_plugin_vcpu_cb)(unsigned vcpu, void *udata);
typedef void (*vt_plugin_cb)(void *udata);
typedef void (*vt_plugin_tb_cb)(struct qemu_plugin_tb *tb, void *udata);
typedef void (*vt_plugin_discon_cb)(unsigned vcpu, enum qemu_plugin_discon_type type, uint64_t from,
                                    uint64_t to, void *udata);
#define VT_WITH_UDATA , void *udata
/* Callbacks of either interface, defined and registered. */
#define UDATA , NULL
#define VCPU_PARAMETERS unsigned vcpu, void *udata
#define TB_PARAMETERS struct qemu_plugin_tb *tb, void *udata
#define ID_PARAMETERS void *udata /* a declaration. NOLINT(bugprone-macro-parentheses) */
#define UNUSED (void)udata
void qemu_plugin_register_vcpu_discon_cb(qemu_plugin_id_t id, enum qemu_plugin_discon_type type,
                                         vt_plugin_discon_cb cb, void *udata);
void qemu_plugin_register_flush_cb(qemu_plugin_id_t id, vt_plugin_cb cb, void *udata);
bool qemu_plugin_translate_vaddr(uint64_t address, uint64_t *physical);
bool qemu_plugin_write_register(struct qemu_plugin_register *handle, GByteArray *from);
int qemu_plugin_write_memory_hwaddr(uint64_t address, GByteArray *from); /* 0: written */
#else
typedef void (*vt_plugin_vcpu_cb)(qemu_plugin_id_t id, unsigned vcpu);
typedef void (*vt_plugin_cb)(qemu_plugin_id_t id);
typedef void (*vt_plugin_tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
#define VT_WITH_UDATA
#define UDATA
#define VCPU_PARAMETERS qemu_plugin_id_t unused_id, unsigned vcpu
#define TB_PARAMETERS qemu_plugin_id_t unused_id, struct qemu_plugin_tb *tb
#define ID_PARAMETERS qemu_plugin_id_t unused_id
#define UNUSED (void)unused_id
#endif

void qemu_plugin_reset(qemu_plugin_id_t id, vt_plugin_cb cb VT_WITH_UDATA);
void qemu_plugin_vcpu_for_each(qemu_plugin_id_t id, vt_plugin_vcpu_cb cb VT_WITH_UDATA);
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, vt_plugin_vcpu_cb cb VT_WITH_UDATA);
void qemu_plugin_register_vcpu_exit_cb(qemu_plugin_id_t id, vt_plugin_vcpu_cb cb VT_WITH_UDATA);
void qemu_plugin_register_vcpu_idle_cb(qemu_plugin_id_t id, vt_plugin_vcpu_cb cb VT_WITH_UDATA);
void qemu_plugin_register_vcpu_resume_cb(qemu_plugin_id_t id, vt_plugin_vcpu_cb cb VT_WITH_UDATA);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, vt_plugin_tb_cb cb VT_WITH_UDATA);
#if VT_PLUGIN_API >= 7
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, vt_plugin_cb cb, void *udata);
#else
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*cb)(qemu_plugin_id_t id, void *udata), void *udata);
#endif

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t bytes);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn); /* NULL: no RAM */

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_vcpu_udata_cb_t cb,
                                          enum qemu_plugin_cb_flags flags, void *udata);
void qemu_plugin_register_vcpu_tb_exec_cond_cb(struct qemu_plugin_tb *tb,
                                               qemu_plugin_vcpu_udata_cb_t cb,
                                               enum qemu_plugin_cb_flags flags,
                                               enum qemu_plugin_cond cond, qemu_plugin_u64 entry,
                                               uint64_t value, void *udata);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb,
                                                       enum qemu_plugin_op op,
                                                       qemu_plugin_u64 entry, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            qemu_plugin_vcpu_udata_cb_t cb,
                                            enum qemu_plugin_cb_flags flags, void *udata);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
                                                         enum qemu_plugin_op op,
                                                         qemu_plugin_u64 entry, uint64_t value);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_plugin_vcpu_mem_cb_t cb,
                                      enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw rw,
                                      void *udata);
void qemu_plugin_register_vcpu_mem_inline_per_vcpu(struct qemu_plugin_insn *insn,
                                                   enum qemu_plugin_mem_rw rw,
                                                   enum qemu_plugin_op op, qemu_plugin_u64 entry,
                                                   uint64_t value);

unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_sign_extended(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_big_endian(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
qemu_plugin_mem_value qemu_plugin_mem_get_value(qemu_plugin_meminfo_t info);

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_bytes);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *score, unsigned vcpu);

GArray *qemu_plugin_get_registers(void);
/* int before interface 6, bool from there on: what was appended to `to` says the same. */
int qemu_plugin_read_register(struct qemu_plugin_register *handle, GByteArray *to);

#endif
