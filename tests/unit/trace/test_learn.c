/* What loops are made of, which sequences and paths are hot, and that made-up events do no harm. */
#include "learn_rig.h"

static void rig_free_run(struct rig *r, const uint8_t *code, const uint8_t *sizes, uint16_t n,
                         unsigned times)
{
    uint16_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes = (uint16_t)(bytes + sizes[i]);
    }
    struct vt_trace_block block = {
        .id = 1, .pc = RIG_BASE, .n = n, .code_bytes = bytes, .sizes = sizes, .code = code};
    struct vt_trace_event event = {.kind = VT_TRACE_EV_BLOCK,
                                   .root = RIG_ROOT,
                                   .block = &block,
                                   .executed = n,
                                   .end = VT_TRACE_END_WHOLE};
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(vt_trace_graph_add(r->g, &event, &r->err), 0);
    }
}

static void a_list_is_chased(void **state)
{
    struct rig *r = *state;
    rig_run(r, 0x60, 3, 100);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0x60)->work, VT_WORK_CHASING);
}

static void an_array_streams(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0x0c)->work, VT_WORK_STREAMING);
    assert_int_equal(rig_loop_at(r, 0x07)->work, VT_WORK_STREAMING);
}

static void numbers_float(void **state)
{
    struct rig *r = *state;
    rig_run(r, 0x70, 5, 1);
    rig_run(r, 0x74, 4, 50);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0x74)->work, VT_WORK_FLOAT);
    assert_int_equal(rig_loop_at(r, 0x74)->iterations, 51);
    assert_int_equal(rig_loop_at(r, 0x74)->entries, 1);
}

static void strings_and_systems(void **state)
{
    struct rig *r = *state;
    /* QEMU begins a block anew for each turn of rep: no loop of the program's. */
    rig_run(r, 0x90, 1, 40);
    rig_run(r, 0x92, 3, 1);
    rig_learn(r);
    uint32_t n;
    vt_trace_graph_loops(r->g, &n);
    assert_int_equal(n, 0);
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(r->g, &n);
    assert_int_equal(n, 1);
    assert_int_equal(blocks[0].work, VT_WORK_STRING);
    assert_int_equal(blocks[0].n, 4);
}

static void a_table_lookup_does_not_chase(void **state)
{
    struct rig *r = *state;
    /* movzx eax,[rsi]; inc rsi; mov eax,[rdi+rax*4]; add ecx,eax; cmp rsi,rdx; jnz */
    static const uint8_t code[] = {0x0f, 0xb6, 0x06, 0x48, 0xff, 0xc6, 0x8b, 0x04,
                                   0x87, 0x01, 0xc1, 0x48, 0x39, 0xd6, 0x75, 0xf0};
    static const uint8_t sizes[] = {3, 3, 3, 2, 3, 2};
    rig_free_run(r, code, sizes, 6, 1000);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0)->work, VT_WORK_STREAMING);
}

static void arithmetic_is_simple(void **state)
{
    struct rig *r = *state;
    /* imul rax,rax,3; xor rax,rcx; rol rax,7; dec ecx; jnz */
    static const uint8_t code[] = {0x48, 0x6b, 0xc0, 3,    0x48, 0x31, 0xc8, 0x48,
                                   0xc1, 0xc0, 7,    0xff, 0xc9, 0x75, 0xf1};
    static const uint8_t sizes[] = {4, 3, 4, 2, 2};
    rig_free_run(r, code, sizes, 5, 1000);
    rig_learn(r);
    assert_int_equal(rig_loop_at(r, 0)->work, VT_WORK_ALU);
}

static const struct vt_trace_sequence *sequence(struct rig *r, const char *text)
{
    uint32_t n;
    const struct vt_trace_sequence *all = vt_trace_graph_sequences(r->g, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(all[i].text, text) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

static void sequences_are_counted(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    uint32_t n;
    const struct vt_trace_sequence *all = vt_trace_graph_sequences(r->g, &n);
    assert_string_equal(all[0].text, "add r,m; add r,i; dec r; jnz i");
    assert_int_equal(all[0].count, 30);
    assert_int_equal(all[0].instructions, 120);
    /* The outer loop has these two, as well: but a part of the inner's, nine of ten times. */
    assert_null(sequence(r, "dec r; jnz i"));
    /* Across the fall-through into the inner loop, and out of it; not two of them. */
    assert_int_equal(sequence(r, "mov r,i; add r,m; add r,i; dec r; jnz i")->count, 3);
    assert_int_equal(sequence(r, "add r,m; add r,i; dec r; jnz i; call i")->count, 3);
    assert_null(sequence(r, "mov r,i; add r,m; add r,i; dec r; jnz i; call i"));
}

static void paths_follow_most(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    uint32_t n, n_blocks;
    const struct vt_trace_path *paths = vt_trace_graph_paths(r->g, &n);
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(r->g, &n_blocks);
    assert_true(n >= 2);
    /* The inner loop goes round. */
    assert_int_equal(paths[0].n, 1);
    assert_int_equal(blocks[vt_trace_graph_path_blocks(r->g, &paths[0])[0]].pc, RIG_BASE + 0xc);
    assert_true(paths[0].closed);
    /* Into the call, past the nop that most skip, and back. */
    static const unsigned way[] = {0x17, 0x40, 0x49, 0x1c, 0x07};
    assert_int_equal(paths[1].n, sizeof way / sizeof way[0]);
    for (unsigned i = 0; i < paths[1].n; i++) {
        assert_int_equal(blocks[vt_trace_graph_path_blocks(r->g, &paths[1])[i]].pc,
                         RIG_BASE + way[i]);
    }
    assert_int_equal(paths[1].count, 2);
}

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Any events: the graph's sums stay those of the events. */
static void made_up_events(void **state)
{
    struct rig *r = *state;
    uint64_t s = 0x2545f4914f6cdd1du, executed = 0;
    vt_trace_graph_limit(r->g, &(struct vt_trace_graph_limits){.sequences = 500});
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t code[40], sizes[8];
        struct vt_trace_block block = {.pc = RIG_BASE + next_random(&s) % 24,
                                       .n = (uint16_t)(1 + next_random(&s) % 8),
                                       .sizes = sizes,
                                       .code = code};
        for (unsigned k = 0; k < sizeof code; k++) {
            code[k] = (uint8_t)(rig_code[next_random(&s) % sizeof rig_code]);
        }
        for (unsigned k = 0; k < block.n; k++) {
            sizes[k] = (uint8_t)(next_random(&s) % 6);
        }
        block.code_bytes = (uint16_t)(next_random(&s) % sizeof code);
        block.pc |= next_random(&s) % 4 == 0 ? (uint64_t)1 << 63 : 0;
        block.id = (uint32_t)(next_random(&s) % 400);
        unsigned what = (unsigned)(next_random(&s) % 40);
        struct vt_trace_event event = {.kind = what < 36 ? VT_TRACE_EV_BLOCK
                                                         : (enum vt_trace_kind)(what % 7),
                                       .vcpu = (uint32_t)(next_random(&s) % 3),
                                       .root = next_random(&s) % 3,
                                       .block = &block,
                                       .executed = (uint16_t)(next_random(&s) % 10),
                                       .end = (enum vt_trace_end)(next_random(&s) % 6),
                                       .from = RIG_BASE + next_random(&s) % 24};
        if (event.kind == VT_TRACE_EV_BLOCK) {
            executed += event.executed < block.n ? event.executed : block.n;
        }
        assert_int_equal(vt_trace_graph_add(r->g, &event, &r->err), 0);
    }
    rig_learn(r);
    assert_int_equal(vt_trace_graph_stats(r->g)->instructions, executed);
    uint32_t n, n_blocks;
    const struct vt_trace_basic_block *blocks = vt_trace_graph_blocks(r->g, &n_blocks);
    const struct vt_trace_loop *loops = vt_trace_graph_loops(r->g, &n);
    assert_true(n_blocks > 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(loops[i].header < n_blocks);
        assert_true(loops[i].parent == VT_TRACE_NONE || loops[i].parent < i);
        assert_true(loops[i].exclusive <= loops[i].instructions);
    }
    for (uint32_t b = 0; b < n_blocks; b++) {
        assert_true(blocks[b].loop == VT_TRACE_NONE || blocks[b].loop < n);
    }
    struct vt_trace_event nothing = {.kind = VT_TRACE_EV_BLOCK};
    assert_int_equal(vt_trace_graph_add(r->g, &nothing, &r->err), VT_E_INVAL);
    nothing.vcpu = 64;
    assert_int_equal(vt_trace_graph_add(r->g, &nothing, &r->err), VT_E_INVAL);
}

static void nothing_at_all(void **state)
{
    struct rig *r = *state;
    uint32_t n;
    rig_learn(r);
    vt_trace_graph_blocks(r->g, &n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_list_is_chased),      rig_test(an_array_streams),
        rig_test(numbers_float),         rig_test(strings_and_systems),
        rig_test(arithmetic_is_simple),  rig_test(a_table_lookup_does_not_chase),
        rig_test(sequences_are_counted), rig_test(paths_follow_most),
        rig_test(made_up_events),        rig_test(nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
