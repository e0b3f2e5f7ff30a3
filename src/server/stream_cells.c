/* server/stream_cells.c - which pages' cells a client is sent next (stream_parts.h).
 *
 * Two things go on at once. Some pages are owed as they are (a key frame, what is wanted finer):
 * a bit each. Others changed: one sweep goes over all that changed after the look that the sweep
 * before went up to. A page that changes while a sweep is under way is newer than what that goes up
 * to, so the next one finds it; nothing is kept of what a client has not been sent.
 */
#include "server/stream_parts.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

static size_t words_of(uint64_t pages)
{
    return (size_t)((pages + WORD_BITS - 1) / WORD_BITS);
}

static bool has(const uint64_t *bits, uint64_t page)
{
    return (bits[page / WORD_BITS] >> page % WORD_BITS & 1) != 0;
}

static void set(uint64_t *bits, uint64_t page)
{
    bits[page / WORD_BITS] |= UINT64_C(1) << page % WORD_BITS;
}

static bool is_something(uint16_t told)
{
    return (told & 255) != VT_CLASS_HOLE && (told & 255) < VT_CLASSES;
}

int vt_lane_init(struct vt_lane *lane, uint64_t n_pages, bool within, struct vt_error *err)
{
    *lane = (struct vt_lane){.owed = calloc(words_of(n_pages), sizeof(uint64_t))};
    if (within) {
        lane->within = calloc(words_of(n_pages), sizeof(uint64_t));
    }
    return lane->owed == NULL || (within && lane->within == NULL)
               ? vt_fail(err, VT_E_NOMEM, "out of memory")
               : 0;
}

void vt_lane_fini(struct vt_lane *lane)
{
    free(lane->owed);
    free(lane->within);
    *lane = (struct vt_lane){0};
}

void vt_lane_owe(struct vt_lane *lane, uint64_t page, bool owed)
{
    if (has(lane->owed, page) == owed || (lane->within != NULL && !has(lane->within, page))) {
        return;
    }
    lane->owed[page / WORD_BITS] ^= UINT64_C(1) << page % WORD_BITS;
    lane->n_owed += owed ? 1u : UINT64_MAX;
}

void vt_lane_begin(struct vt_lane *lane, const struct vt_stream *s, const uint16_t *told)
{
    memset(lane->owed, 0, words_of(s->n_pages) * sizeof(uint64_t));
    lane->n_owed = 0;
    lane->owed_at = 0;
    lane->seen = s->look;
    lane->sweeping = false;
    for (uint64_t page = 0; lane->on && page < s->n_pages; page++) {
        if (is_something(told[page])) {
            vt_lane_owe(lane, page, true);
        }
    }
}

void vt_lane_narrow(struct vt_lane *lane, const struct vt_stream *s, const uint16_t *told,
                    unsigned level, const struct vt_stream_run *runs, size_t n)
{
    size_t words = words_of(s->n_pages);
    uint64_t *within = calloc(words, sizeof *within);
    if (within == NULL) {
        return; /* what was named before goes on */
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t end = (uint64_t)runs[i].first + runs[i].pages;
        end = end < s->n_pages ? end : s->n_pages;
        for (uint64_t page = runs[i].first; page < end; page++) {
            set(within, page);
        }
    }
    bool same = lane->on && lane->level == level;
    uint64_t *before = lane->within;
    lane->within = within;
    lane->level = level;
    lane->n_owed = 0;
    for (size_t w = 0; w < words; w++) {
        /* Those that were there already are owed only if they still were. */
        uint64_t due = same ? within[w] & (~before[w] | lane->owed[w]) : within[w];
        for (uint64_t left = due; left != 0; left &= left - 1) {
            uint64_t page = w * WORD_BITS + (unsigned)__builtin_ctzll(left);
            if (!is_something(told[page])) {
                due &= ~(UINT64_C(1) << page % WORD_BITS);
            }
        }
        lane->owed[w] = due;
        lane->n_owed += (unsigned)__builtin_popcountll(due);
    }
    lane->on = n > 0;
    if (!same) {
        lane->seen = s->look;
        lane->sweeping = false;
    }
    free(before);
}

void vt_lane_sweep(struct vt_lane *lane, const struct vt_stream *s)
{
    lane->upto = s->look;
    lane->at = 0;
    lane->time_s = s->seen.now_s;
    lane->sweeping = true;
}

/* Adds a page that has storage; false: it does not fit any more. Reading one without would make the
 * host allocate it. */
static bool add(struct vt_lane *lane, struct vt_stream *s, uint64_t page, size_t raw)
{
    size_t more = vt_cells_bytes(lane->level) + 8; /* and perhaps a run of its own */
    if (vt_message_pages_bytes(&s->list, lane->level) + more > raw) {
        return false;
    }
    if (vt_ram_is_populated(s->target.ram, VT_OFF(page * VT_PAGE_BYTES)) &&
        !vt_run_list_add(&s->list, page)) {
        return false;
    }
    vt_lane_owe(lane, page, false);
    return true;
}

/* Owed pages of [from, to); false: the message is full. */
static bool gather_part(struct vt_lane *lane, struct vt_stream *s, uint64_t from, uint64_t to,
                        size_t raw)
{
    for (uint64_t page = from; page < to && lane->n_owed > 0;) {
        uint64_t word = lane->owed[page / WORD_BITS] >> page % WORD_BITS;
        if (word == 0) {
            page = (page / WORD_BITS + 1) * WORD_BITS;
            continue;
        }
        page += (unsigned)__builtin_ctzll(word);
        if (page >= to) {
            break;
        }
        if (!add(lane, s, page, raw)) {
            lane->owed_at = page;
            return false;
        }
        page++;
    }
    lane->owed_at = to;
    return true;
}

void vt_lane_gather_owed(struct vt_lane *lane, struct vt_stream *s, size_t raw)
{
    uint64_t from = lane->owed_at < s->n_pages ? lane->owed_at : 0;
    /* From the beginning again for pages that came to be owed behind us; but runs ascend within a
     * message. */
    if (gather_part(lane, s, from, s->n_pages, raw) && s->list.n == 0 && from > 0) {
        gather_part(lane, s, 0, from, raw);
    }
}

void vt_lane_gather_changed(struct vt_lane *lane, struct vt_stream *s, size_t raw)
{
    uint64_t page = lane->at;
    while (page < s->n_pages) {
        if (s->group_changed[page / VT_STREAM_GROUP] <= lane->seen) {
            page = (page / VT_STREAM_GROUP + 1) * VT_STREAM_GROUP;
            continue;
        }
        uint64_t end = (page / VT_STREAM_GROUP + 1) * VT_STREAM_GROUP;
        end = end < s->n_pages ? end : s->n_pages;
        for (; page < end; page++) {
            bool due =
                s->changed[page] > lane->seen && (lane->within == NULL || has(lane->within, page));
            if (due && !add(lane, s, page, raw)) {
                lane->at = page;
                return;
            }
        }
    }
    lane->seen = lane->upto;
    lane->sweeping = false;
}
