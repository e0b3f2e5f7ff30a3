/* cli/bench_volume_latency.c - from a write in the guest to the frame that shows it.
 *
 * Who knows when a page is written is a thread of its own: of a guest it watches the page's last
 * byte, of synthetic RAM it writes. The measuring thread draws all the time, as a window does that
 * has something to show: it looks, updates, draws, and when the page was written, holds the pixel
 * it lies at against the two colours that it is known to have. Every other write gives the same
 * colour: a frame that shows the other one than before shows the newest such write that it can.
 */
#include "cli/bench_volume.h"

#include "base/io.h"
#include "machine/console_client.h"
#include "volume/camera.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define BLINK_MIN_MS 200
#define BLINK_FRAMES 4 /* a write is seen before the next one: it waits for this many frames */
#define CONSOLE_TIMEOUT_MS 60000
#define WATCH_NS 20000 /* the watcher does not take a core from those that draw */
#define KNOWN_TIMEOUT_MS 60000
#define SEEN_TIMEOUT_MS 30000
#define DIFFERENCE_MIN 12 /* of the two colours, all channels together */
#define UNSEEN_MAX 6u /* writes; then what lies around the page has changed what it looks like */
#define TIMES 256u    /* writes whose times are kept: more than happen within SEEN_TIMEOUT_MS */
#define PAUSE_MAX_NS 50000000u

/* ---------------------------------------------------------------- the guest's part */

struct text {
    char bytes[512];
    size_t n;
};

static int keep(void *arg, const char *bytes, size_t n, struct vt_error *err)
{
    struct text *text = arg;
    size_t room = sizeof text->bytes - 1 - text->n;
    (void)err;
    n = n < room ? n : room;
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    return 0;
}

int vt_bench_blink_start(struct vt_target *target, double frame_ms, struct vt_bench_blink *blink,
                         struct vt_error *err)
{
    char command[256];
    struct text text = {.n = 0};
    struct vt_bench_blink b = {.pid = 0};
    int code = 0;
    snprintf(command, sizeof command,
             "vt-blink %.0f </dev/null >/tmp/vt-blink 2>&1 & for i in 1 2 3 4 5 6 7 8 9; do "
             "grep -q READY /tmp/vt-blink && break; sleep 1; done; cat /tmp/vt-blink; "
             "grep -q READY /tmp/vt-blink",
             fmax(BLINK_MIN_MS, BLINK_FRAMES * frame_ms));
    int rc = vt_console_exec(target->vm, command, vt_deadline_ms(CONSOLE_TIMEOUT_MS),
                             &vt_interrupted, keep, &text, &code, err);
    const char *pid = strstr(text.bytes, "pid "), *pa = strstr(text.bytes, " pa 0x");
    if (rc == 0 && (code != 0 || pid == NULL || pa == NULL)) {
        return vt_fail(err, VT_E_REFUSED, "the guest has no vt-blink that runs");
    }
    if (rc == 0) {
        b.pid = strtoul(pid + strlen("pid "), NULL, 10);
        rc = vt_ram_offset(target->ram, VT_GPA(strtoull(pa + strlen(" pa "), NULL, 16)), &b.offset,
                           NULL, err);
    }
    if (rc == 0) {
        *blink = b;
    }
    return rc;
}

void vt_bench_blink_end(struct vt_target *target, struct vt_bench_blink *blink)
{
    char command[32];
    int code;
    if (blink->pid != 0) {
        snprintf(command, sizeof command, "kill %lu", blink->pid);
        vt_console_exec(target->vm, command, vt_deadline_ms(CONSOLE_TIMEOUT_MS), &vt_interrupted,
                        NULL, NULL, &code, NULL);
    }
}

/* ---------------------------------------------------------------- when it was written */

/* Between the thread that knows and the one that draws. */
struct clock {
    struct vt_synthetic *synthetic; /* NULL: the byte is watched */
    uint64_t page;
    const volatile uint8_t *byte;   /* the page's last */
    _Atomic(uint64_t) at_ns[TIMES]; /* of write `number` % TIMES; before its number */
    _Atomic(uint64_t) number;       /* of writes that happened */
    _Atomic(uint64_t) seen;         /* the last one that a frame has shown */
    _Atomic(bool) ending;
    int shown; /* the state of the last one that a frame has shown; the drawing thread's */
};

static void nap(uint64_t ns)
{
    const struct timespec t = {0, (long)ns};
    nanosleep(&t, NULL);
}

static void count(struct clock *c)
{
    uint64_t number = atomic_load_explicit(&c->number, memory_order_relaxed) + 1;
    atomic_store_explicit(&c->at_ns[number % TIMES], vt_now_ns(), memory_order_relaxed);
    /* Pairs with the reader's acquire: who sees the number sees its time. */
    atomic_store_explicit(&c->number, number, memory_order_release);
}

/* On time, also where others want the CPUs: it hardly uses one. Where it may not it goes without.
 */
static void be_punctual(void)
{
    const struct sched_param first = {.sched_priority = 1};
    prctl(PR_SET_TIMERSLACK, 1);
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
}

static void *watch(void *context)
{
    struct clock *c = context;
    be_punctual();
    uint8_t last = *c->byte;
    while (!atomic_load(&c->ending)) {
        uint8_t byte = *c->byte;
        if (byte != last) {
            count(c);
        }
        last = byte;
        nap(WATCH_NS);
    }
    return NULL;
}

/* The next one follows at any moment after the one before was seen. */
static void *write_one_by_one(void *context)
{
    struct clock *c = context;
    uint32_t random = 1;
    be_punctual();
    while (!atomic_load(&c->ending)) {
        if (atomic_load(&c->seen) == atomic_load(&c->number)) {
            random = random * 1664525 + 1013904223;
            nap(random % PAUSE_MAX_NS);
            uint8_t byte = *c->byte == VT_BENCH_BYTE_A ? VT_BENCH_BYTE_B : VT_BENCH_BYTE_A;
            count(c); /* before, or its page might be looked at while there is no such write */
            vt_synthetic_fill(c->synthetic, c->page, byte);
        }
        nap(WATCH_NS);
    }
    return NULL;
}

/* ---------------------------------------------------------------- one turn of drawing */

struct turn {
    uint64_t began_ns, looked_ns, updated_ns, drawn_ns;
};

/* Where it is seen, and how. */
struct sight {
    struct vt_camera camera;
    struct vt_scene scene;
    unsigned scale;
    uint64_t page;
    uint32_t x, y;
    uint8_t colour[2][3]; /* with bytes A and B */
};

static int take_turn(struct vt_bench_volume *b, const struct sight *sight, struct turn *turn,
                     struct vt_error *err)
{
    struct vt_volume_update update;
    struct turn t = {.began_ns = vt_now_ns()};
    int rc = vt_bench_volume_look(b, &update, err);
    if (rc != 0) {
        return rc;
    }
    t.looked_ns = vt_now_ns();
    rc = vt_volume_update(b->volume, &update, NULL, err);
    if (rc != 0) {
        return rc;
    }
    t.updated_ns = vt_now_ns();
    const struct vt_shot shot = {.camera = &sight->camera,
                                 .scene = &sight->scene,
                                 .method = b->options.march ? VT_METHOD_MARCH : VT_METHOD_SLICES,
                                 .scale = sight->scale,
                                 .now_s = vt_bench_volume_now_s(b)};
    rc = vt_view_draw(b->view, b->volume, &shot, NULL, err);
    t.drawn_ns = vt_now_ns();
    if (rc == 0) {
        *turn = t;
    }
    return rc != 0 ? rc : vt_interrupted ? vt_fail(err, VT_E_INTERRUPTED, "interrupted") : 0;
}

static int pixel(const struct vt_bench_volume *b, const struct sight *sight, uint8_t rgb[3],
                 struct vt_error *err)
{
    const uint8_t *rgba;
    int rc = vt_view_pixels(b->view, &rgba, err);
    if (rc == 0) {
        memcpy(rgb, rgba + ((size_t)sight->y * b->width + sight->x) * 4, 3);
    }
    return rc;
}

static int difference(const uint8_t a[3], const uint8_t b[3])
{
    return abs(a[0] - b[0]) + abs(a[1] - b[1]) + abs(a[2] - b[2]);
}

/* ---------------------------------------------------------------- where it is seen */

/* From `view`, with everything cut away that is in front of the page. False: not in the picture. */
static bool aim(const struct vt_bench_volume *b, const char *view, struct sight *sight)
{
    const unsigned order = vt_volume_side(b->volume);
    const double aspect = (double)b->width / b->height;
    struct vt_box box;
    struct vt_lens lens;
    double middle[3], at[3];
    vt_camera_named(view, &sight->camera, NULL);
    vt_camera_frame(&sight->camera, &b->box, order, aspect);
    if (vt_volume_box(order, VT_OFF(sight->page << VT_PAGE_SHIFT), VT_PAGE_BYTES, &box, NULL) !=
        0) {
        return false;
    }
    unsigned axis = 0;
    for (unsigned k = 0; k < 3; k++) {
        double along = fabs(sight->camera.eye[k] - sight->camera.target[k]);
        double most = fabs(sight->camera.eye[axis] - sight->camera.target[axis]);
        axis = along > most ? k : axis;
        middle[k] = ldexp((double)box.min[k] + box.max[k] + 1, -(int)order - 1);
    }
    if (sight->camera.eye[axis] > sight->camera.target[axis]) {
        middle[axis] = ldexp(box.max[axis] + 1.0, -(int)order);
        sight->scene.clip_max[axis] = (float)middle[axis];
    } else {
        middle[axis] = ldexp(box.min[axis], -(int)order);
        sight->scene.clip_min[axis] = (float)middle[axis];
    }
    vt_camera_lens(&sight->camera, aspect, &lens);
    if (!vt_camera_project(&lens, middle, at) || at[0] < 0 || at[0] >= 1 || at[1] < 0 ||
        at[1] >= 1) {
        return false;
    }
    sight->x = (uint32_t)(at[0] * b->width);
    sight->y = (uint32_t)(at[1] * b->height);
    return true;
}

static int state_of(uint8_t byte)
{
    return byte == VT_BENCH_BYTE_A ? 0 : byte == VT_BENCH_BYTE_B ? 1 : -1;
}

/* What a state looks like: colour as of the newest frame of the newest write of it, and as of the
 * newest frame of the one before. */
struct look {
    uint64_t write;
    unsigned writes;
    uint8_t now[3], before[3];
};

static bool steady(const struct look *l)
{
    return l->writes > 1 && difference(l->now, l->before) < DIFFERENCE_MIN / 2;
}

/* Learns the pixel's colour in both states from frames during which nothing was written. A frame
 * may come before what was written is known, and what lies around the page may change as well: a
 * colour is known when two writes have given it. The last frame is the one that `c` counts from.
 * VT_E_NOT_FOUND: the page is not seen there. */
static int learn(struct vt_bench_volume *b, struct sight *sight, struct clock *c,
                 struct vt_error *err)
{
    struct look looks[2] = {{.writes = 0}};
    uint64_t deadline = vt_deadline_ms(KNOWN_TIMEOUT_MS);
    int rc = 0;
    for (uint64_t turns = 0; rc == 0 && !(steady(&looks[0]) && steady(&looks[1])); turns++) {
        struct turn turn;
        uint8_t rgb[3];
        if (b->synthetic != NULL) {
            vt_synthetic_fill(b->synthetic, sight->page,
                              turns % 2 == 0 ? VT_BENCH_BYTE_A : VT_BENCH_BYTE_B);
        }
        uint64_t number = atomic_load(&c->number);
        int before = state_of(*c->byte);
        rc = take_turn(b, sight, &turn, err);
        int after = state_of(*c->byte);
        rc = rc != 0 ? rc : pixel(b, sight, rgb, err);
        if (rc == 0 && before >= 0 && before == after && atomic_load(&c->number) == number) {
            struct look *l = &looks[after];
            uint64_t write = b->synthetic != NULL ? turns : number;
            if (l->writes == 0 || write != l->write) {
                memcpy(l->before, l->now, sizeof l->before);
                l->write = write;
                l->writes++;
            }
            memcpy(l->now, rgb, sizeof l->now);
            c->shown = after;
            atomic_store(&c->seen, number);
        }
        if (rc == 0 && vt_now_ns() > deadline) {
            rc = vt_fail(err, VT_E_TIMEOUT, "the page does not blink, or drawing takes too long");
        }
    }
    memcpy(sight->colour[0], looks[0].now, sizeof looks[0].now);
    memcpy(sight->colour[1], looks[1].now, sizeof looks[1].now);
    return rc == 0 && difference(sight->colour[0], sight->colour[1]) < DIFFERENCE_MIN
               ? vt_fail(err, VT_E_NOT_FOUND, "no view shows the page that blinks")
               : rc;
}

static int find_sight(struct vt_bench_volume *b, unsigned scale, struct clock *c,
                      struct sight *found, struct vt_error *err)
{
    static const char *const views[] = {"front", "right", "top", "back", "left", "bottom"};
    int rc = vt_fail(err, VT_E_NOT_FOUND, "no view shows the page that blinks");
    for (unsigned i = 0; rc == VT_E_NOT_FOUND && i < sizeof views / sizeof views[0]; i++) {
        struct sight sight = {.scene = b->scene, .scale = scale, .page = c->page};
        sight.scene.heat = sight.scene.labels = sight.scene.dim_others = false;
        if (aim(b, views[i], &sight)) {
            rc = learn(b, &sight, c, err);
            *found = sight;
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- the measurement */

/* The newest of the writes seen + 1, seen + 3, ... `number` that happened before `looked_ns`; where
 * the watcher noted all of them later, the first. */
static uint64_t newest_shown(const struct clock *c, uint64_t seen, uint64_t number,
                             uint64_t looked_ns)
{
    uint64_t shown = seen + 1;
    for (uint64_t i = seen + 3; i <= number && i < seen + TIMES; i += 2) {
        bool before = atomic_load_explicit(&c->at_ns[i % TIMES], memory_order_relaxed) < looked_ns;
        shown = before ? i : shown;
    }
    return shown;
}

/* The write that `turn` has shown, if it did. */
static int note(struct vt_bench_volume *b, const struct sight *sight, struct clock *c,
                const struct turn *turn, struct vt_bench_latency *l, struct vt_error *err)
{
    uint64_t number = atomic_load_explicit(&c->number, memory_order_acquire);
    uint64_t seen = atomic_load(&c->seen);
    uint8_t rgb[3];
    if (number == seen) {
        return 0;
    }
    int rc = pixel(b, sight, rgb, err);
    if (rc != 0) {
        return rc;
    }
    int state = difference(rgb, sight->colour[1]) < difference(rgb, sight->colour[0]);
    if (state == c->shown) {
        return 0; /* not yet, or written twice: nobody can tell */
    }
    uint64_t shown = newest_shown(c, seen, number, turn->looked_ns);
    uint64_t at_ns = atomic_load_explicit(&c->at_ns[shown % TIMES], memory_order_relaxed);
    c->shown = state;
    size_t i = l->n++;
    /* The watcher may be late, never early: after the look, though that has seen it. */
    uint64_t began_ns = turn->began_ns > at_ns    ? turn->began_ns
                        : at_ns < turn->looked_ns ? at_ns
                                                  : turn->looked_ns;
    at_ns = at_ns < began_ns ? at_ns : began_ns;
    l->total[i] = (double)(turn->drawn_ns - at_ns) / 1e6;
    l->wait[i] = (double)(began_ns - at_ns) / 1e6;
    l->look[i] = (double)(turn->looked_ns - began_ns) / 1e6;
    l->update[i] = (double)(turn->updated_ns - turn->looked_ns) / 1e6;
    l->draw[i] = (double)(turn->drawn_ns - turn->updated_ns) / 1e6;
    l->missed += shown - seen - 1;
    atomic_store(&c->seen, shown);
    return 0;
}

static int follow_writes(struct vt_bench_volume *b, struct sight *sight, struct clock *c,
                         struct vt_bench_latency *l, struct vt_error *err)
{
    uint64_t deadline = vt_deadline_ms(SEEN_TIMEOUT_MS);
    size_t before = 0;
    int rc = 0;
    while (rc == 0 && l->n < b->options.writes) {
        struct turn turn;
        rc = take_turn(b, sight, &turn, err);
        rc = rc != 0 ? rc : note(b, sight, c, &turn, l, err);
        uint64_t unseen = atomic_load(&c->number) - atomic_load(&c->seen);
        if (rc == 0 && unseen >= UNSEEN_MAX) {
            l->missed += unseen;
            rc = find_sight(b, sight->scale, c, sight, err);
        }
        if (l->n != before) {
            before = l->n;
            deadline = vt_deadline_ms(SEEN_TIMEOUT_MS);
        } else if (rc == 0 && vt_now_ns() > deadline) {
            rc = vt_fail(err, VT_E_TIMEOUT,
                         "no frame shows what is written: %zu of %" PRIu64
                         " writes were seen, %" PRIu64 " happened; the last frame took %.0f ms",
                         l->n, b->options.writes, atomic_load(&c->number),
                         (double)(turn.drawn_ns - turn.began_ns) / 1e6);
        }
    }
    return rc;
}

static int make_room(struct vt_bench_latency *l, uint64_t n, struct vt_error *err)
{
    *l = (struct vt_bench_latency){
        .total = calloc(n, sizeof *l->total),
        .wait = calloc(n, sizeof *l->wait),
        .look = calloc(n, sizeof *l->look),
        .update = calloc(n, sizeof *l->update),
        .draw = calloc(n, sizeof *l->draw),
    };
    return l->total != NULL && l->wait != NULL && l->look != NULL && l->update != NULL &&
                   l->draw != NULL
               ? 0
               : vt_fail(err, VT_E_NOMEM, "no memory for %" PRIu64 " writes", n);
}

void vt_bench_latency_fini(struct vt_bench_latency *l)
{
    free(l->total);
    free(l->wait);
    free(l->look);
    free(l->update);
    free(l->draw);
}

int vt_bench_latency(struct vt_bench_volume *b, uint64_t page, unsigned scale,
                     struct vt_bench_latency *latency, struct vt_error *err)
{
    struct clock c = {.synthetic = b->synthetic,
                      .page = page,
                      .byte = b->bytes + ((page + 1) << VT_PAGE_SHIFT) - 1};
    struct sight sight;
    pthread_t thread;
    int rc = make_room(latency, b->options.writes, err);
    /* Colours are learned while the guest writes, or before there are writes. */
    rc = rc != 0 || c.synthetic == NULL ? rc : find_sight(b, scale, &c, &sight, err);
    if (rc != 0) {
        return rc;
    }
    int error = pthread_create(&thread, NULL, c.synthetic != NULL ? write_one_by_one : watch, &c);
    if (error != 0) {
        return vt_fail_errno(err, VT_E_NOMEM, error, "no thread to watch the page");
    }
    rc = c.synthetic != NULL ? 0 : find_sight(b, scale, &c, &sight, err);
    rc = rc != 0 ? rc : follow_writes(b, &sight, &c, latency, err);
    atomic_store(&c.ending, true);
    pthread_join(thread, NULL);
    return rc;
}
