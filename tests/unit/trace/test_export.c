/* Every format of a short trace that is known: texts to the letter, binaries by a decoder of the
 * test's own, and the same bytes each time.
 */
#include "export_rig.h"

#include "trace/export.h"

/* A user function that a timer interrupts, on a vCPU that then idles; times a microsecond a step.
 */
static struct play *make_play(bool times)
{
    struct play *p = play_create();
    play_event(p, VT_TRACE_EV_MODE)->detail = times ? 3 : 2;
    p->time_ns = times ? 1000 : 0;
    play_call(p, 0x400, 0x500, 0);
    play_plain(p, 0x500);
    play_interrupt(p, 0x502, KERNEL);
    p->time_ns = times ? 2000 : 0;
    play_iret(p, KERNEL);
    p->time_ns = times ? 3000 : 0;
    play_return(p, 0x502, 0x7ff8);
    play_plain(p, 0x406);
    p->time_ns = times ? 5000 : 0;
    play_event(p, VT_TRACE_EV_PAUSE);
    p->time_ns = times ? 9000 : 0;
    play_event(p, VT_TRACE_EV_RESUME);
    play_event(p, VT_TRACE_EV_LOST)->lost_words = 3;
    play_plain(p, 0x600);
    return p;
}

struct output {
    char *text;
    size_t n;
    struct vt_trace_export_done done;
};

static struct output export(struct play *p, const struct vt_trace_export_options *options)
{
    struct output o = {0};
    struct vt_error err;
    FILE *out = open_memstream(&o.text, &o.n);
    assert_non_null(out);
    if (vt_trace_export(&p->source, NULL, options, out, &o.done, &err) != 0) {
        fail_msg("%s", err.message);
    }
    fclose(out);
    vt_trace_close(&p->source);
    return o;
}

static void expect(struct play *p, const struct vt_trace_export_options *options, const char *want)
{
    struct output o = export(p, options);
    assert_string_equal(o.text, want);
    free(o.text);
}

static void collapsed(void **state)
{
    (void)state;
    expect(make_play(false), &(struct vt_trace_export_options){0},
           "root 0x1000000;? 6\n"
           "root 0x1000000;?;0x500 4\n"
           "root 0x1000000;?;0x500;0xffffffff81000000 2\n");
    /* From one time word to the next it is the block that began before; idleness is nobody's. */
    expect(make_play(true), &(struct vt_trace_export_options){.clock = VT_TRACE_CLOCK_TIME},
           "root 0x1000000;? 2000\n"
           "root 0x1000000;?;0x500 1000\n"
           "root 0x1000000;?;0x500;0xffffffff81000000 1000\n");
    struct output o = export(make_play(false), &(struct vt_trace_export_options){.count = 3});
    assert_int_equal(o.done.instructions, 4);
    assert_string_equal(o.text, "root 0x1000000;? 2\nroot 0x1000000;?;0x500 2\n");
    free(o.text);
}

static void csv(void **state)
{
    (void)state;
    struct vt_trace_export_options options = {.format = VT_TRACE_EXPORT_CSV, .count = 5};
    expect(make_play(false), &options,
           "vcpu,time_ns,root,pid,process,pc,object,function,offset,bytes,class,text\r\n"
           "0,0,0x1000000,,,0x400,,,,90,move,nop\r\n"
           "0,0,0x1000000,,,0x401,,,,e8fa000000,call,call 0x500\r\n"
           "0,0,0x1000000,,,0x500,,,,90,move,nop\r\n"
           "0,0,0x1000000,,,0x501,,,,90,move,nop\r\n"
           "0,0,0x1000000,,,0xffffffff81000000,,,,90,move,nop\r\n"
           "0,0,0x1000000,,,0xffffffff81000001,,,,48cf,system,iretq\r\n");
    options.rows = VT_TRACE_CSV_BLOCKS;
    expect(make_play(false), &options,
           "vcpu,sequence,time_ns,root,pid,process,block,pc,physical,object,function,offset,"
           "instructions,executed,end,from,to\r\n"
           "0,1,0,0x1000000,,,0,0x400,,,,,2,2,whole,,\r\n"
           "0,2,0,0x1000000,,,1,0x500,,,,,2,2,interrupt,0x502,0xffffffff81000000\r\n"
           "0,3,0,0x1000000,,,2,0xffffffff81000000,,,,,2,2,whole,,\r\n");
    options.rows = VT_TRACE_CSV_ACCESSES;
    options.count = 0;
    expect(make_play(false), &options,
           "vcpu,time_ns,root,pid,process,pc,object,function,offset,access,bytes,address,value,"
           "device\r\n"
           "0,0,0x1000000,,,0x503,,,,load,8,0x7ff8,,0\r\n");
    /* Commas within a field. */
    struct play *p = play_create();
    play_run(p, 0x400, "\x01\xd8", 2);
    struct output o = export(p, &(struct vt_trace_export_options){.format = VT_TRACE_EXPORT_CSV});
    assert_non_null(strstr(o.text, ",01d8,alu,\"add eax, ebx\"\r\n"));
    free(o.text);
}

static void chrome(void **state)
{
    (void)state;
    struct vt_trace_export_options options = {.format = VT_TRACE_EXPORT_CHROME};
    expect(make_play(true), &options,
           "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
           "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"root "
           "0x1000000\"}},\n"
           "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\",\"args\":{\"name\":\"on "
           "vCPU 0\"}},\n"
           "{\"ph\":\"M\",\"pid\":2,\"name\":\"process_name\",\"args\":{\"name\":\"vCPUs\"}},\n"
           "{\"ph\":\"M\",\"pid\":2,\"tid\":2,\"name\":\"thread_name\",\"args\":{\"name\":\"vCPU "
           "0\"}},\n"
           "{\"ph\":\"B\",\"pid\":2,\"tid\":2,\"ts\":1,\"name\":\"root "
           "0x1000000\",\"cat\":\"vcpu\"},\n"
           "{\"ph\":\"i\",\"pid\":2,\"tid\":2,\"ts\":2,\"name\":\"interrupt\",\"cat\":\"vcpu\","
           "\"s\":\"t\"},\n"
           "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":1.5,\"name\":\"0x500\",\"cat\":\"user\"},\n"
           "{\"ph\":\"B\",\"pid\":1,\"tid\":1,\"ts\":2,\"name\":\"0xffffffff81000000\",\"cat\":"
           "\"kernel\"},\n"
           "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":3},\n"
           "{\"ph\":\"E\",\"pid\":1,\"tid\":1,\"ts\":4},\n"
           "{\"ph\":\"E\",\"pid\":2,\"tid\":2,\"ts\":5},\n"
           "{\"ph\":\"B\",\"pid\":2,\"tid\":2,\"ts\":5,\"name\":\"idle\",\"cat\":\"vcpu\"},\n"
           "{\"ph\":\"E\",\"pid\":2,\"tid\":2,\"ts\":9},\n"
           "{\"ph\":\"i\",\"pid\":2,\"tid\":2,\"ts\":9,\"name\":\"words were "
           "lost\",\"cat\":\"vcpu\",\"s\":\"t\"},\n"
           "{\"ph\":\"B\",\"pid\":2,\"tid\":2,\"ts\":9,\"name\":\"root "
           "0x1000000\",\"cat\":\"vcpu\"},\n"
           "{\"ph\":\"E\",\"pid\":2,\"tid\":2,\"ts\":9}\n"
           "]}\n");
    /* Without times an instruction is a nanosecond; short slices and all within them are left out.
     */
    options.shortest_ns = 5;
    struct output o = export(make_play(false), &options);
    assert_non_null(strstr(o.text, "\"ts\":0.002,\"name\":\"0x500\""));
    assert_null(strstr(o.text, "\"name\":\"0xffffffff81000000\""));
    assert_int_equal(o.done.left_out, 1);
    free(o.text);
}

/* ---- perfetto: a decoder of the wire format, for what the test asks ---- */

struct wire {
    const uint8_t *at, *end;
};

static uint64_t varint(struct wire *w)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(w->at < w->end && shift < 64);
        value |= (uint64_t)(*w->at & 0x7f) << shift;
        if ((*w->at++ & 0x80) == 0) {
            return value;
        }
    }
}

/* The next field: a number, or bytes. */
static unsigned field(struct wire *w, uint64_t *number, struct wire *bytes)
{
    uint64_t tag = varint(w);
    if ((tag & 7) == 0) {
        *number = varint(w);
    } else {
        assert_int_equal(tag & 7, 2);
        uint64_t n = varint(w);
        assert_true(n <= (uint64_t)(w->end - w->at));
        *bytes = (struct wire){w->at, w->at + n};
        w->at += n;
    }
    return (unsigned)(tag >> 3);
}

static void perfetto(void **state)
{
    (void)state;
    const struct vt_trace_export_options options = {.format = VT_TRACE_EXPORT_PERFETTO};
    struct output o = export(make_play(true), &options);
    struct wire trace = {(uint8_t *)o.text, (uint8_t *)o.text + o.n}, packet = {0}, inner = {0};
    uint64_t number = 0, packets = 0, tracks = 0, names = 0, begun = 0, ended = 0, instants = 0;
    while (trace.at < trace.end) {
        uint64_t time = 0, sequence = 0, flags = 0;
        assert_int_equal(field(&trace, &number, &packet), 1);
        while (packet.at < packet.end) {
            switch (field(&packet, &number, &inner)) {
            case 8:
                time = number;
                assert_in_range(time, 1000, 9000);
                break;
            case 10:
                sequence = number;
                break;
            case 13:
                flags = number;
                break;
            case 60:
                tracks++;
                break;
            case 12:
                names++;
                break;
            case 11:
                while (inner.at < inner.end) {
                    struct wire text = {0};
                    if (field(&inner, &number, &text) == 9) {
                        begun += number == 1;
                        ended += number == 2;
                        instants += number == 3;
                    }
                }
                break;
            default:
                fail();
            }
        }
        assert_int_equal(sequence, 1);
        assert_int_equal(flags, packets == 0 ? 3 : 2);
        packets++;
    }
    /* Two processes, a track of each. */
    assert_int_equal(tracks, 4);
    assert_int_equal(begun, 5);
    assert_int_equal(ended, 5);
    assert_int_equal(instants, 2);
    assert_int_equal(packets, tracks + begun + ended + instants);
    /* root, interrupt, 0x500, the handler, idle, lost. */
    assert_int_equal(names, 6);
    free(o.text);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        n++;
    }
    return n;
}

static void svg(void **state)
{
    (void)state;
    struct vt_trace_export_options options = {.format = VT_TRACE_EXPORT_SVG,
                                              .title = "a<b & \"c\""};
    struct output o = export(make_play(false), &options);
    assert_non_null(strstr(o.text, ">a&lt;b &amp; &quot;c&quot;</text>"));
    assert_int_equal(count(o.text, "<g class=\"f\">"), 5);
    assert_non_null(strstr(o.text, "<title>all (12 instructions, 100.00 %)</title>"));
    assert_non_null(strstr(o.text, "<title>0x500 (6 instructions, 50.00 %)</title>"
                                   "<rect x=\"10.00\" y=\"75.0\""));
    assert_non_null(strstr(o.text, "</svg>\n"));
    free(o.text);
    /* Nothing at all. */
    o = export(play_create(), &options);
    assert_int_equal(count(o.text, "<g class=\"f\">"), 0);
    free(o.text);
}

static void dot(void **state)
{
    (void)state;
    struct vt_trace_export_options options = {.format = VT_TRACE_EXPORT_DOT};
    struct output o = export(make_play(false), &options);
    assert_int_equal(count(o.text, "fillcolor="), 5);
    assert_int_equal(count(o.text, "{"), count(o.text, "}"));
    assert_int_equal(count(o.text, "tooltip=\"call\""), 1);
    assert_int_equal(count(o.text, "tooltip=\"return\""), 1);
    free(o.text);
    options.blocks = 2;
    o = export(make_play(false), &options);
    assert_int_equal(count(o.text, "fillcolor="), 2);
    assert_int_equal(o.done.left_out, 3);
    free(o.text);
}

static void the_same_each_time(void **state)
{
    (void)state;
    for (unsigned f = 0; f < VT_TRACE_EXPORT_FORMATS; f++) {
        enum vt_trace_export_format found;
        const struct vt_trace_export_options options = {.format = (enum vt_trace_export_format)f};
        assert_true(vt_trace_export_of(vt_trace_export_name(options.format), &found));
        assert_int_equal(found, f);
        struct output a = export(make_play(true), &options), b = export(make_play(true), &options);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.text, b.text, a.n);
        free(a.text);
        free(b.text);
    }
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    for (unsigned f = 0; f < VT_TRACE_EXPORT_FORMATS; f++) {
        struct play *p = make_play(true);
        const struct vt_trace_export_options options = {.format = (enum vt_trace_export_format)f};
        struct vt_trace_export_done done;
        struct vt_error err;
        FILE *out = fopen("/dev/full", "w");
        if (out == NULL) {
            vt_trace_close(&p->source);
            skip();
            return;
        }
        assert_int_equal(vt_trace_export(&p->source, NULL, &options, out, &done, &err), VT_E_IO);
        fclose(out);
        vt_trace_close(&p->source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collapsed),
        cmocka_unit_test(csv),
        cmocka_unit_test(chrome),
        cmocka_unit_test(perfetto),
        cmocka_unit_test(svg),
        cmocka_unit_test(dot),
        cmocka_unit_test(the_same_each_time),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
