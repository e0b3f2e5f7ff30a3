/* trace/live.c - sources over a segment's rings: a consumer of live ones, or what they held when
 * asked.
 *
 * Words are copied before they are looked at, and count only if `tail` still stood below them after
 * the copy: writers move it before they overwrite (ring.h). Rings are read in rounds, each up to
 * where the heads were when it began, and within a round by time; what is written during a round
 * comes later than all of it.
 */
#include "trace/live.h"

#include "base/io.h"
#include "trace/dictionary.h"
#include "trace/events.h"
#include "trace/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COPY_WORDS 8192u /* stays in the cache between the copy and the decoder */
#define SNAPSHOT_BYTES_MAX ((uint64_t)4 << 30)
#define POLL_NS_MIN 20000u
#define POLL_NS_MAX 1000000u /* the ring is a hundred of these deep at full speed */
#define TRIES 1000

struct lane {
    struct vt_trace_decoder decoder;
    struct vt_trace_vcpu *page;
    const uint64_t *ring;
    uint64_t *copy;
    struct vt_trace_words words; /* of the copy, not yet decoded */
    uint64_t given;              /* where tail was left */
    uint64_t round;              /* where this round ends */
    bool ended;                  /* the last event was told */
};

struct live {
    struct vt_trace_source source;
    struct vt_trace_segment segment;
    struct vt_trace_dictionary dictionary;
    struct vt_trace_info info;
    struct lane *lanes;
    uint32_t n, current;
    uint64_t switch_at; /* when another lane's time has come; UINT64_MAX: none has words */
    bool consumes, closing, ended;
    uint64_t nap_ns;
};

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Acquire, each of them: the load of `tail` that says whether they count comes after. */
static void copy_words(const struct live *s, const struct lane *lane, uint64_t from, size_t n,
                       uint64_t *to)
{
    uint64_t mask = s->segment.ring_words - 1;
    for (size_t i = 0; i < n; i++) {
        to[i] = load(&lane->ring[(from + i) & mask]);
    }
}

/* A head and a tail of one moment. */
static int look(const struct live *s, const struct lane *lane, uint64_t *head, uint64_t *tail,
                struct vt_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t t = load(&lane->page->tail);
        uint64_t h = load(&lane->page->head);
        if (load(&lane->page->tail) != t) {
            continue;
        }
        if (h - t > s->segment.ring_words) {
            return vt_fail(err, VT_E_CORRUPT,
                           "ring of vCPU %u: its head is %llu and its tail %llu, in %u words",
                           lane->decoder.vcpu, (unsigned long long)h, (unsigned long long)t,
                           s->segment.ring_words);
        }
        *head = h;
        *tail = t;
        return 0;
    }
    return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its tail does not stand still",
                   lane->decoder.vcpu);
}

static void lose_to(struct lane *lane, uint64_t tail)
{
    vt_trace_decoder_lose(&lane->decoder, tail - lane->words.position);
    lane->words = (struct vt_trace_words){.at = lane->copy, .position = tail};
    lane->given = tail;
}

/* Gives back what was decoded. The writer may have moved tail meanwhile: not further than we are
 * costs nothing, further is lost. */
static void give_room(struct lane *lane)
{
    uint64_t want = lane->words.position;
    uint64_t tail = lane->given;
    if (want == tail) {
        return;
    }
    while ((int64_t)(want - tail) > 0) {
        if (__atomic_compare_exchange_n(&lane->page->tail, &tail, want, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            lane->given = want;
            /* Sequentially consistent with the writer's: it says that it waits, then looks at tail
             * again; we move tail, then look whether it waits. */
            if (__atomic_load_n(&lane->page->waiting, __ATOMIC_SEQ_CST) != 0) {
                vt_trace_futex_wake(&lane->page->waiting);
            }
            return;
        }
    }
    lane->given = tail; /* lose_to follows: see fill */
}

/* More of this round's words into the copy. True in *more when there are any. */
static int fill(struct live *s, struct lane *lane, bool *more, struct vt_error *err)
{
    *more = false;
    give_room(lane);
    for (int i = 0; i < TRIES; i++) {
        uint64_t position = lane->words.position;
        uint64_t tail = load(&lane->page->tail);
        if ((int64_t)(tail - position) > 0) {
            if (tail - load(&lane->page->head) - 1 < UINT64_MAX / 2) {
                return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its tail passed its head",
                               lane->decoder.vcpu);
            }
            lose_to(lane, tail);
            *more = true;
            return 0;
        }
        if ((int64_t)(lane->round - position) <= 0) {
            return 0;
        }
        uint64_t n = lane->round - position;
        if (n > s->segment.ring_words) {
            return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its tail went back to %llu",
                           lane->decoder.vcpu, (unsigned long long)tail);
        }
        n = n < COPY_WORDS ? n : COPY_WORDS;
        if (n == lane->words.n) {
            return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its head at %llu cuts a record",
                           lane->decoder.vcpu, (unsigned long long)lane->round);
        }
        copy_words(s, lane, position, n, lane->copy);
        if (load(&lane->page->tail) == tail) {
            lane->words = (struct vt_trace_words){.at = lane->copy, .n = n, .position = position};
            *more = true;
            return vt_trace_segment_check(&s->segment, err);
        }
    }
    return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its tail does not stand still",
                   lane->decoder.vcpu);
}

static int grow_dictionary(struct live *s, struct vt_error *err)
{
    uint64_t head = load(&vt_trace_segment_shared(&s->segment)->dictionary_head);
    if (head > s->segment.dictionary_bytes) {
        return vt_fail(err, VT_E_CORRUPT, "trace dictionary of %llu bytes in %llu",
                       (unsigned long long)head, (unsigned long long)s->segment.dictionary_bytes);
    }
    int rc = vt_trace_dictionary_take(&s->dictionary,
                                      s->segment.base + s->segment.dictionary_offset, head, err);
    return rc == 0 ? vt_trace_segment_check(&s->segment, err) : rc;
}

static bool has_words(const struct lane *lane)
{
    return lane->words.n != 0 || (int64_t)(lane->round - lane->words.position) > 0 ||
           lane->decoder.lost != 0;
}

/* The lane whose turn it is: the earliest that has words. */
static bool choose(struct live *s)
{
    uint64_t first = UINT64_MAX, second = UINT64_MAX;
    bool any = false;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!has_words(&s->lanes[i])) {
            continue;
        }
        uint64_t t = vt_trace_decoder_time(&s->lanes[i].decoder);
        if (!any || t < first) {
            second = any ? first : second;
            first = t;
            s->current = i;
            any = true;
        } else if (t < second) {
            second = t;
        }
    }
    s->switch_at = second;
    return any;
}

/* Where heads are now; then the dictionary, which has what words below them name. */
static int begin_round(struct live *s, struct vt_error *err)
{
    uint64_t words = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct lane *lane = &s->lanes[i];
        uint64_t tail;
        int rc = look(s, lane, &lane->round, &tail, err);
        if (rc != 0) {
            return rc;
        }
        if ((int64_t)(lane->round - lane->words.position) < 0) {
            return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its head went back to %llu", i,
                           (unsigned long long)lane->round);
        }
        words += lane->round - lane->words.position;
    }
    s->switch_at = 0;
    if (words >= COPY_WORDS) {
        s->nap_ns = POLL_NS_MIN;
    } else {
        s->nap_ns = s->nap_ns * 2 < POLL_NS_MAX ? s->nap_ns * 2 : POLL_NS_MAX;
    }
    return grow_dictionary(s, err);
}

/* 1 and the next event of this round; 0: the round is over. */
static int next_of_round(struct live *s, struct vt_trace_event *event, struct vt_error *err)
{
    while (s->n != 0) {
        struct lane *lane = &s->lanes[s->current];
        if (has_words(lane) && vt_trace_decoder_time(&lane->decoder) <= s->switch_at) {
            int rc = vt_trace_decoder_next(&lane->decoder, &lane->words, event, err);
            if (rc != 0) {
                return rc;
            }
            bool more = false;
            rc = s->consumes ? fill(s, lane, &more, err) : 0;
            if (rc != 0) {
                return rc;
            }
            if (more) {
                continue;
            }
            if (lane->words.n != 0) {
                return vt_fail(err, VT_E_CORRUPT, "ring of vCPU %u: its head at %llu cuts a record",
                               s->current, (unsigned long long)lane->round);
            }
        }
        if (!choose(s)) {
            return 0;
        }
    }
    return 0;
}

/* The blocks whose ends nothing tells any more. */
static int next_of_end(struct live *s, struct vt_trace_event *event)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (vt_trace_decoder_end(&s->lanes[i].decoder, event) == 1) {
            return 1;
        }
    }
    s->ended = true;
    return 0;
}

static int live_next(struct vt_trace_source *source, uint64_t timeout_ms,
                     struct vt_trace_event *event, struct vt_error *err)
{
    struct live *s = (struct live *)source;
    int rc = next_of_round(s, event, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t deadline = timeout_ms != 0 && s->consumes ? vt_deadline_ms(timeout_ms) : 0;
    while (s->consumes && !s->closing) {
        for (uint32_t i = 0; i < s->n; i++) {
            give_room(&s->lanes[i]);
        }
        /* Heads are not looked at all the time: each look costs the writer its cache line. */
        uint64_t now = timeout_ms != 0 ? vt_now_ns() : 0;
        if (now < deadline) {
            uint64_t left = deadline - now;
            struct timespec nap = {.tv_nsec = (long)(s->nap_ns < left ? s->nap_ns : left)};
            nanosleep(&nap, NULL);
        }
        bool gone = vt_trace_segment_qemu_is_gone(&s->segment); /* before the heads */
        rc = begin_round(s, err);
        rc = rc == 0 ? next_of_round(s, event, err) : rc;
        if (rc != 0) {
            return rc;
        }
        s->closing = gone;
        if (!gone && now >= deadline) {
            return 0;
        }
    }
    return next_of_end(s, event);
}

static const struct vt_trace_block *live_block(const struct vt_trace_source *source, uint32_t id)
{
    const struct vt_trace_known *known =
        vt_trace_dictionary_shown(&((const struct live *)source)->dictionary, id);
    return known != NULL ? &known->block : NULL;
}

static uint64_t relaxed(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static const struct vt_trace_info *live_info(struct vt_trace_source *source)
{
    struct live *s = (struct live *)source;
    struct vt_trace_info *info = &s->info;
    info->instructions = info->blocks = info->accesses = info->dropped = info->cuts = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct vt_trace_vcpu *page = s->lanes[i].page;
        info->instructions += relaxed(&page->instructions);
        info->blocks += relaxed(&page->blocks);
        info->accesses += relaxed(&page->accesses);
        info->dropped += relaxed(&page->dropped);
        info->cuts += relaxed(&page->cuts);
    }
    info->n_blocks = s->dictionary.n_shown;
    info->ended = s->ended;
    return info;
}

static void live_close(struct vt_trace_source *source)
{
    struct live *s = (struct live *)source;
    for (uint32_t i = 0; s->lanes != NULL && i < s->n; i++) {
        struct lane *lane = &s->lanes[i];
        if (s->consumes && lane->page != NULL) {
            give_room(lane);
            __atomic_store_n(&lane->page->reader, 0, __ATOMIC_SEQ_CST);
            vt_trace_futex_wake(&lane->page->waiting);
        }
        vt_trace_decoder_fini(&lane->decoder);
        free(lane->copy);
    }
    free(s->lanes);
    vt_trace_dictionary_fini(&s->dictionary);
    vt_trace_segment_close(&s->segment);
    free(s);
}

/* From now on: what the ring holds was not for us. */
static int start_consuming(struct live *s, struct lane *lane, struct vt_error *err)
{
    lane->copy = malloc(COPY_WORDS * sizeof *lane->copy);
    if (lane->copy == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to read a ring");
    }
    __atomic_store_n(&lane->page->reader, (uint32_t)getpid(), __ATOMIC_SEQ_CST);
    uint64_t head, tail;
    int rc = look(s, lane, &head, &tail, err);
    if (rc == 0) {
        lane->given = tail;
        lane->round = head;
        lane->words = (struct vt_trace_words){.at = lane->copy, .position = head};
        give_room(lane);
    }
    return rc;
}

/* What the ring holds now; a writer that goes on takes from its beginning. */
static int take_snapshot(struct live *s, struct lane *lane, uint64_t *bytes, struct vt_error *err)
{
    uint64_t head, tail;
    int rc = look(s, lane, &head, &tail, err);
    if (rc != 0 || head == tail) {
        return rc;
    }
    uint64_t n = head - tail;
    *bytes += n * sizeof(uint64_t);
    if (*bytes > SNAPSHOT_BYTES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "rings with more than %llu bytes",
                       (unsigned long long)SNAPSHOT_BYTES_MAX);
    }
    lane->copy = malloc(n * sizeof *lane->copy);
    if (lane->copy == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %llu words", (unsigned long long)n);
    }
    copy_words(s, lane, tail, n, lane->copy);
    uint64_t later = load(&lane->page->tail);
    uint64_t lost = later - tail;
    if (lost > n) {
        lost = n;
    }
    lane->words =
        (struct vt_trace_words){.at = lane->copy + lost, .n = n - lost, .position = tail + lost};
    lane->round = head;
    return vt_trace_segment_check(&s->segment, err);
}

static void fill_info(struct live *s, const struct vt_trace_header *header)
{
    struct vt_trace_info *info = &s->info;
    _Static_assert(sizeof info->registers == sizeof header->registers, "the same names");
    snprintf(info->vm, sizeof info->vm, "%s", s->segment.name);
    snprintf(info->arch, sizeof info->arch, "%s", header->arch);
    info->started_unix_ns = header->unix_start_ns;
    info->vcpus = s->segment.vcpus;
    info->n_registers = header->n_registers;
    memcpy(info->registers, header->registers, sizeof info->registers);
    info->capabilities = header->capabilities;
}

static const struct vt_trace_source_kind live_kind = {live_next, live_block, live_info, live_close};

int vt_trace_live_create(const struct vt_trace_segment *segment, bool live,
                         struct vt_trace_source **source, struct vt_error *err)
{
    struct vt_trace_header header;
    int rc = vt_trace_segment_header(segment, &header, err);
    if (rc != 0) {
        return rc;
    }
    struct live *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a trace's source");
    }
    s->source.kind = &live_kind;
    s->segment = *segment;
    s->consumes = live;
    s->nap_ns = POLL_NS_MIN;
    s->n = segment->vcpus;
    s->lanes = calloc(s->n, sizeof *s->lanes);
    vt_trace_dictionary_init(&s->dictionary, header.arch);
    fill_info(s, &header);
    if (s->lanes == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory for a trace's source");
    }
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        s->lanes[i].page = vt_trace_segment_vcpu(segment, i);
        s->lanes[i].ring = vt_trace_segment_words(segment, i);
        vt_trace_decoder_init(&s->lanes[i].decoder, &header, &s->dictionary, i);
    }
    uint64_t bytes = 0;
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        rc = live ? start_consuming(s, &s->lanes[i], err)
                  : take_snapshot(s, &s->lanes[i], &bytes, err);
    }
    rc = rc == 0 ? grow_dictionary(s, err) : rc;
    if (rc != 0) {
        s->segment = (struct vt_trace_segment){.fd = -1, .qemu = -1}; /* still the caller's */
        live_close(&s->source);
        return rc;
    }
    *source = &s->source;
    return 0;
}

/* Held by the consumer, by its open file: it ends with it, however it ends. Not what steering
 * locks. */
static int lock_consumer(int fd, struct vt_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        return 0;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return vt_fail(err, VT_E_BUSY, "this trace is being read by another");
    }
    return vt_fail_errno(err, VT_E_IO, errno, "cannot lock the trace segment");
}

int vt_trace_open_live(const char *path, struct vt_trace_source **source, struct vt_error *err)
{
    struct vt_trace_segment segment;
    int rc = vt_trace_segment_open(&segment, path, true, err);
    if (rc != 0) {
        return rc;
    }
    rc = lock_consumer(segment.fd, err);
    rc = rc == 0 ? vt_trace_live_create(&segment, true, source, err) : rc;
    if (rc != 0) {
        vt_trace_segment_close(&segment);
    }
    return rc;
}

int vt_trace_open_segment(const char *path, struct vt_trace_source **source, struct vt_error *err)
{
    struct vt_trace_segment segment;
    int rc = vt_trace_segment_open(&segment, path, false, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_trace_live_create(&segment, false, source, err);
    if (rc != 0) {
        vt_trace_segment_close(&segment);
    }
    return rc;
}
