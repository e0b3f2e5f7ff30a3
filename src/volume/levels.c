/* volume/levels.c - what vt_volume_update does.
 *
 *   attributes  classes, owners, highlights: compared with what was, told to nodes
 *   jobs        pages that changed or became holes
 *   slots       where a page's voxels go when not all have room
 *   work        uploads, then levels of pages, then nodes, level by level
 */
#include "volume/levels.h"
#include "volume/overlay.h"

#include "base/io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Pages of one piece of work, so that a slow device answers in time (VT_GPU_WAIT_NS). */
#define PAGES_AT_ONCE (UINT64_C(1) << 16)
#define TRIES_MAX 64 /* slots of pages that are wanted, passed over for one that is not */
#define GROUPS_X 32768u
#define NODES_A_GROUP 64u
#define NODES_AT_ONCE (NODES_A_GROUP * GROUPS_X)

struct levels_push {
    uint64_t volume, jobs;
    uint32_t n_jobs, now, groups_x, zero;
};
struct nodes_push {
    uint64_t volume, list;
    uint32_t n_list, level;
};
static_assert(sizeof(struct levels_push) == VT_LEVELS_PUSH, "as in levels.comp");
static_assert(sizeof(struct nodes_push) == VT_NODES_PUSH, "as in nodes.comp");

/* One update under way. */
struct update {
    struct vt_volume *v;
    struct vt_volume_build *b;
    const struct vt_volume_update *what;
    uint32_t now;
    uint32_t n_due; /* nodes of level 1 in the list */
    uint64_t uploaded, bricks, gpu_ns;
};

uint32_t vt_volume_ms(double now_s)
{
    double ms = now_s * 1000 + 1;
    return ms >= UINT32_MAX ? UINT32_MAX : ms >= 1 ? (uint32_t)ms : 1;
}

static bool is_hole(const struct vt_volume *v, uint64_t page)
{
    return v->bricks[v->build->brick_of[page]] == VT_HOLE;
}

/* The node of level 1 above a brick is to be made anew. */
static void brick_changed(struct update *u, uint32_t brick)
{
    const uint32_t *grid = u->v->grid;
    uint32_t x = brick % grid[0], y = brick / grid[0] % grid[1], z = brick / grid[0] / grid[1];
    uint32_t nodes[3];
    vt_node_grid(grid, 1, nodes);
    uint32_t node = ((z >> 1) * nodes[1] + (y >> 1)) * nodes[0] + (x >> 1);
    if (!u->b->node_due[node]) {
        u->b->node_due[node] = 1;
        u->b->nodes_list[u->n_due++] = node;
    }
}

/* ---- words by page ---- */

static void set_word(struct vt_page_words *table, uint64_t page, uint32_t word)
{
    if (table->words[page] != word) {
        table->words[page] = word;
        table->stale[page >> VT_BLOCK_SHIFT] = 1;
    }
}

/* Stale blocks go to the device, in runs. */
static int send_words(const struct vt_volume *v, struct vt_page_words *table, struct vt_error *err)
{
    uint32_t n = v->n_pages, n_blocks = ((n - 1) >> VT_BLOCK_SHIFT) + 1;
    int rc = 0;
    for (uint32_t block = 0, end; block < n_blocks && rc == 0; block = end + 1) {
        for (end = block; end < n_blocks && table->stale[end]; end++) {
        }
        if (end > block) {
            uint64_t first = (uint64_t)block << VT_BLOCK_SHIFT;
            uint64_t last = (uint64_t)end << VT_BLOCK_SHIFT;
            uint64_t bytes = ((last < n ? last : n) - first) * sizeof *table->words;
            rc = vt_gpu_upload(v->gpu, v->build->tables_buffer,
                               table->offset + first * sizeof *table->words, &table->words[first],
                               bytes, err);
            if (rc == 0) {
                memset(&table->stale[block], 0, end - block);
            }
        }
    }
    return rc;
}

/* ---- attributes ---- */

static void paint(struct update *u, uint64_t offset, uint64_t bytes, uint16_t value)
{
    uint64_t n = u->v->n_pages, first = offset >> VT_PAGE_SHIFT, pages = bytes >> VT_PAGE_SHIFT;
    pages = first >= n ? 0 : pages < n - first ? pages : n - first;
    for (uint64_t page = first; page < first + pages; page++) {
        u->b->highlight[page] = value;
    }
}

static void paint_run(struct update *u, const struct vt_gpa_run *run, uint16_t value)
{
    const struct vt_volume_build *b = u->b;
    if (b->n_regions == 0) {
        paint(u, run->gpa.v, run->bytes, value);
    }
    for (unsigned i = 0; i < b->n_regions; i++) {
        const struct vt_ram_region *r = &b->regions[i];
        uint64_t from = r->gpa.v, to = r->gpa.v + r->bytes, end = run->gpa.v + run->bytes;
        from = from > run->gpa.v ? from : run->gpa.v;
        to = to < end ? to : end;
        if (from < to) {
            paint(u, r->offset.v + (from - r->gpa.v), to - from, value);
        }
    }
}

/* Boxes around highlights, for the overlays of many frames. Without memory these find their own. */
static void box_highlights(struct update *u)
{
    struct vt_volume *v = u->v;
    const struct vt_highlights *set = u->what->highlights;
    free(v->boxes);
    v->boxes = set->n > 0 ? malloc(set->n * sizeof *v->boxes) : NULL;
    v->boxes_of = v->boxes != NULL ? set->all : NULL;
    v->n_boxes = v->boxes != NULL ? set->n : 0;
    for (size_t i = 0; i < v->n_boxes; i++) {
        v->boxes[i].n = vt_highlight_boxes(&set->all[i], v->order, u->b->regions, u->b->n_regions,
                                           v->boxes[i].box);
    }
}

/* Which highlight each page is of, of several the one made last. */
static int paint_highlights(struct update *u, struct vt_error *err)
{
    struct vt_volume_build *b = u->b;
    const struct vt_highlights *set = u->what->highlights;
    size_t bytes = (size_t)u->v->n_pages * sizeof *b->highlight;
    if (b->highlight == NULL) {
        b->highlight = malloc(bytes);
        if (b->highlight == NULL) {
            return vt_fail(err, VT_E_NOMEM, "highlights: out of memory");
        }
    }
    memset(b->highlight, 0, bytes);
    u->v->n_highlights = set->n < VT_HIGHLIGHTS_MAX ? (unsigned)set->n : VT_HIGHLIGHTS_MAX;
    for (size_t i = 0; i < u->v->n_highlights; i++) {
        u->v->highlights[i] = set->all[i].colour;
        for (size_t k = 0; k < set->all[i].n_runs; k++) {
            paint_run(u, &set->all[i].runs[k], (uint16_t)(i + 1));
        }
    }
    box_highlights(u);
    return 0;
}

static void set_attributes(struct update *u)
{
    struct vt_volume *v = u->v;
    const struct vt_volume_update *what = u->what;
    for (uint32_t page = 0; page < v->n_pages; page++) {
        uint32_t was = v->attributes[page];
        uint8_t page_class = VT_ATTRIBUTE_CLASS(was), owner = VT_ATTRIBUTE_OWNER(was);
        uint16_t highlight = VT_ATTRIBUTE_HIGHLIGHT(was);
        if (what->classes != NULL) {
            page_class = what->classes[page] < VT_CLASSES ? what->classes[page] : VT_CLASS_HOLE;
        }
        owner = what->owners != NULL ? what->owners[page] : owner;
        v->n_owners = owner > v->n_owners ? owner : v->n_owners;
        highlight = what->highlights != NULL ? u->b->highlight[page] : highlight;
        uint32_t is = VT_ATTRIBUTES(page_class, owner, highlight);
        if (is != was) {
            set_word(&u->b->attributes, page, is);
            if (!is_hole(v, page)) {
                brick_changed(u, u->b->brick_of[page]);
            }
        }
    }
}

/* ---- jobs ---- */

/* Pages that are listed, or with `all` those that are no holes; how many. */
static uint64_t changed_pages(const struct update *u, uint64_t *pages)
{
    uint64_t n = 0;
    if (!u->what->all && u->what->n_pages > 0) {
        memcpy(pages, u->what->pages, u->what->n_pages * sizeof *pages);
        return u->what->n_pages;
    }
    for (uint32_t page = 0; u->what->all && page < u->v->n_pages; page++) {
        if (u->what->classes == NULL ||
            VT_ATTRIBUTE_CLASS(u->v->attributes[page]) != VT_CLASS_HOLE) {
            pages[n++] = page;
        }
    }
    return n;
}

static void leave_slot(struct update *u, uint64_t page)
{
    struct vt_volume_build *b = u->b;
    if (b->page_in != NULL && b->slots.words[page] != VT_NO_SLOT) {
        b->page_in[b->slots.words[page]] = VT_HOLE;
        set_word(&b->slots, page, VT_NO_SLOT);
    }
}

/* Jobs for pages whose class became "hole" and that are not among the n changed ones. */
static uint32_t jobs_for_holes(struct update *u, uint64_t n)
{
    struct vt_volume *v = u->v;
    const uint64_t *changed = u->b->job_pages;
    uint32_t n_jobs = 0;
    uint64_t next = 0;
    for (uint32_t page = 0; u->what->classes != NULL && page < v->n_pages; page++) {
        bool listed = next < n && changed[next] == page;
        next += listed;
        if (!listed && VT_ATTRIBUTE_CLASS(v->attributes[page]) == VT_CLASS_HOLE &&
            !is_hole(v, page)) {
            uint32_t brick = u->b->brick_of[page];
            v->bricks[brick] = VT_HOLE;
            leave_slot(u, page);
            u->b->jobs[n_jobs++] = (struct vt_job){brick, VT_HOLE};
            brick_changed(u, brick);
        }
    }
    return n_jobs;
}

/* ---- slots ---- */

void vt_volume_give_slot(struct vt_volume *volume, uint64_t page, uint32_t slot)
{
    struct vt_volume_build *b = volume->build;
    if (b->page_in[slot] != VT_HOLE) {
        set_word(&b->slots, b->page_in[slot], VT_NO_SLOT);
    }
    b->page_in[slot] = (uint32_t)page;
    set_word(&b->slots, page, slot);
}

int vt_volume_send_slots(struct vt_volume *volume, struct vt_error *err)
{
    return send_words(volume, &volume->build->slots, err);
}

/* The next slot that no page of this round has, of one that is not wanted if there is one near. */
static uint32_t slot_to_take(struct vt_volume_build *b)
{
    for (unsigned tries = 0;; tries++) {
        /* Fewer pages than slots are taken in a round, so one of another round is met. */
        while (b->taken_in[b->next_slot] == b->round) {
            b->next_slot = (b->next_slot + 1) % b->n_slots;
        }
        uint32_t slot = b->next_slot, page = b->page_in[slot];
        b->next_slot = (slot + 1) % b->n_slots;
        bool wanted = page != VT_HOLE && vt_residency_wants(b->residency, page);
        if (!wanted || tries == TRIES_MAX) {
            if (wanted) {
                vt_residency_lost(b->residency);
            }
            return slot;
        }
    }
}

static uint32_t slot_for(struct update *u, uint64_t page)
{
    struct vt_volume_build *b = u->b;
    if (b->page_in == NULL) {
        return (uint32_t)page;
    }
    uint32_t slot = b->slots.words[page];
    if (slot == VT_NO_SLOT) {
        slot = slot_to_take(b);
        vt_volume_give_slot(u->v, page, slot);
    }
    b->taken_in[slot] = b->round;
    return slot;
}

/* Which of the pages [0, n) that already have slots must keep them in this round. */
static void keep_slots(struct update *u, const uint64_t *pages, uint64_t n)
{
    struct vt_volume_build *b = u->b;
    b->round++;
    for (uint64_t i = 0; b->page_in != NULL && i < n; i++) {
        uint32_t slot = b->slots.words[pages[i]];
        if (slot != VT_NO_SLOT) {
            b->taken_in[slot] = b->round;
        }
    }
}

/* ---- work ---- */

static int send_voxels(struct update *u, const uint64_t *pages, uint64_t n, struct vt_error *err)
{
    const uint32_t in_chunk = (UINT32_C(1) << VT_CHUNK_SHIFT) - 1;
    int rc = 0;
    for (uint64_t i = 0, end; i < n && rc == 0; i = end) {
        uint32_t slot = slot_for(u, pages[i]);
        for (end = i + 1; end < n && pages[end] == pages[end - 1] + 1; end++) {
            uint32_t next = slot_for(u, pages[end]);
            if (next != slot + (end - i) || (next & in_chunk) == 0) {
                break; /* asked once more for its own run: the same slot */
            }
        }
        uint64_t bytes = (end - i) * VT_PAGE_BYTES;
        rc = vt_gpu_upload(u->v->gpu, u->b->chunks[slot >> VT_CHUNK_SHIFT].voxels,
                           (uint64_t)(slot & in_chunk) * VT_PAGE_BYTES,
                           u->v->bytes + pages[i] * VT_PAGE_BYTES, bytes, err);
        u->uploaded += bytes;
    }
    return rc;
}

static void dispatch_levels(struct update *u, uint32_t n_jobs)
{
    struct levels_push push = {
        .volume = u->v->address,
        .jobs = u->b->work->address,
        .n_jobs = n_jobs,
        .now = u->now,
        .groups_x = n_jobs < GROUPS_X ? n_jobs : GROUPS_X,
    };
    vt_gpu_span(u->v->gpu, "levels");
    vt_gpu_dispatch(u->v->gpu, u->b->levels, &push, push.groups_x,
                    (n_jobs + GROUPS_X - 1) / GROUPS_X, 1);
}

/* The parents of the n nodes of level m that are listed at `from` are listed behind them. */
static uint32_t list_parents(struct update *u, unsigned m, uint32_t *from, uint32_t n)
{
    struct vt_volume_build *b = u->b;
    uint32_t grid[3], above[3], n_above = 0;
    uint32_t *to = from + n;
    uint8_t *due = b->node_due + u->v->layout.node_first[m + 1];
    vt_node_grid(u->v->grid, m, grid);
    vt_node_grid(u->v->grid, m + 1, above);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t x = from[i] % grid[0], y = from[i] / grid[0] % grid[1];
        uint32_t z = from[i] / grid[0] / grid[1];
        uint32_t node = ((z >> 1) * above[1] + (y >> 1)) * above[0] + (x >> 1);
        if (!due[node]) {
            due[node] = 1;
            to[n_above++] = node;
        }
    }
    return n_above;
}

static void dispatch_level(struct update *u, unsigned m, const uint32_t *list, uint32_t n)
{
    struct vt_volume_build *b = u->b;
    uint64_t address = b->work->address + (uint64_t)((const uint8_t *)list - b->work->mapped);
    vt_gpu_barrier(u->v->gpu);
    vt_gpu_span(u->v->gpu, "nodes");
    for (uint32_t done = 0, some; done < n; done += some) {
        some = n - done < NODES_AT_ONCE ? n - done : NODES_AT_ONCE;
        struct nodes_push push = {
            .volume = u->v->address,
            .list = address + (uint64_t)done * sizeof *list,
            .n_list = some,
            .level = m,
        };
        vt_gpu_dispatch(u->v->gpu, b->nodes, &push, (some + NODES_A_GROUP - 1) / NODES_A_GROUP, 1,
                        1);
    }
}

static void dispatch_nodes(struct update *u)
{
    const struct vt_volume_layout *layout = &u->v->layout;
    uint32_t *list = u->b->nodes_list, n = u->n_due;
    for (unsigned m = 1; m <= layout->n_node_levels && n > 0; m++) {
        dispatch_level(u, m, list, n);
        uint32_t n_above = m < layout->n_node_levels ? list_parents(u, m, list, n) : 0;
        for (uint32_t i = 0; i < n; i++) {
            u->b->node_due[layout->node_first[m] + list[i]] = 0;
        }
        list += n;
        n = n_above;
    }
    u->n_due = 0;
}

/* Some pages' bytes, all holes that came to be, and with `last` the nodes. */
static int work(struct update *u, const uint64_t *pages, uint64_t n, uint32_t n_jobs, bool last,
                struct vt_error *err)
{
    struct vt_volume_build *b = u->b;
    struct vt_gpu_times times;
    keep_slots(u, pages, n);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t brick = b->brick_of[pages[i]];
        uint32_t word = (uint32_t)pages[i] << 6 | b->orientation[pages[i]];
        u->v->bricks[brick] = word;
        u->v->newest[pages[i]] = u->now;
        u->v->last = pages[i] > u->v->last ? (uint32_t)pages[i] : u->v->last;
        u->v->hottest = u->now > u->v->hottest ? u->now : u->v->hottest;
        b->jobs[n_jobs++] = (struct vt_job){brick, word};
        brick_changed(u, brick);
    }
    u->bricks += n;
    int rc = b->imported ? 0 : send_voxels(u, pages, n, err);
    if (rc == 0) {
        rc = send_words(u->v, &b->attributes, err);
    }
    if (rc == 0 && b->page_in != NULL) {
        rc = vt_volume_send_slots(u->v, err);
    }
    if (rc != 0 || (n_jobs == 0 && (u->n_due == 0 || !last))) {
        return rc;
    }
    vt_volume_touch(u->v);
    rc = vt_gpu_begin(u->v->gpu, err);
    if (rc != 0) {
        return rc;
    }
    dispatch_levels(u, n_jobs);
    if (last) {
        dispatch_nodes(u);
    }
    rc = vt_gpu_end_and_wait(u->v->gpu, &times, err);
    u->gpu_ns += rc == 0 ? times.gpu_ns : 0;
    return rc;
}

static int run(struct update *u, struct vt_error *err)
{
    const struct vt_volume_update *what = u->what;
    int rc = what->highlights != NULL ? paint_highlights(u, err) : 0;
    if (rc != 0) {
        return rc;
    }
    if (what->classes != NULL || what->owners != NULL || what->highlights != NULL) {
        set_attributes(u);
    }
    const uint64_t *pages = u->b->job_pages;
    uint64_t n = changed_pages(u, u->b->job_pages), done = 0;
    uint64_t at_once = u->b->n_slots < PAGES_AT_ONCE ? u->b->n_slots : PAGES_AT_ONCE;
    uint32_t n_jobs = jobs_for_holes(u, n);
    do {
        uint64_t some = n - done < at_once ? n - done : at_once;
        /* Jobs of holes come first, and the list holds one a page: both fit, as no page is both. */
        rc = work(u, pages + done, some, n_jobs, done + some == n, err);
        done += some;
        n_jobs = 0;
    } while (rc == 0 && done < n);
    return rc;
}

int vt_volume_update(struct vt_volume *volume, const struct vt_volume_update *update,
                     struct vt_volume_cost *cost, struct vt_error *err)
{
    uint64_t began = vt_now_ns();
    for (size_t i = 0; !update->all && i < update->n_pages; i++) {
        if (update->pages[i] >= volume->n_pages ||
            (i > 0 && update->pages[i] <= update->pages[i - 1])) {
            return vt_fail(err, VT_E_INVAL,
                           "page %" PRIu64 ": pages of an update are ascending and below %" PRIu32,
                           update->pages[i], volume->n_pages);
        }
    }
    volume->version++;
    struct update u = {.v = volume,
                       .b = volume->build,
                       .what = update,
                       .now = update->all ? 0 : vt_volume_ms(update->now_s)};
    int rc = run(&u, err);
    if (rc == 0 && cost != NULL) {
        *cost = (struct vt_volume_cost){.uploaded_bytes = u.uploaded,
                                        .bricks = u.bricks,
                                        .cpu_ns = vt_now_ns() - began,
                                        .gpu_ns = u.gpu_ns};
    }
    return rc;
}
