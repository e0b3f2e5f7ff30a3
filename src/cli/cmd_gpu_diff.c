/* cli/cmd_gpu_diff.c - `vitrine gpu diff`: two recordings of a virtio-gpu held against each other.
 */
#include "cli/cli.h"

#include "gpu/diff.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT 3
#define LINE 512
#define TYPES_MAX 128

/* How often a type of command is on each side, and how it fared. */
struct tally {
    uint32_t type;
    uint64_t a, b, steps[VT_VGPU_STEP_ONLY_B + 1];
};

struct recording {
    const char *path;
    struct vt_vgpu_origin origin;
    struct vt_vgpu_sequence *sequence;
};

struct view {
    struct recording a, b;
    struct vt_vgpu_diff *diff;
    const struct vt_vgpu_step *steps;
    size_t n;
    struct tally tallies[TYPES_MAX];
    unsigned n_tallies;
    uint64_t totals[VT_VGPU_STEP_ONLY_B + 1];
};

static const char *const kinds[] = {"same", "changed", "only_a", "only_b"};

/* ---------------------------------------------------------------- one command as text */

static const char *said(const struct vt_vgpu_event_seen *e)
{
    uint32_t type = 0;
    if ((e->flags & VT_VGPU_NO_RESPONSE) != 0) {
        return "not answered";
    }
    if ((e->flags & VT_VGPU_STALE_RESPONSE) != 0) {
        return "answer not seen";
    }
    if (e->response_bytes < sizeof type) {
        return "empty";
    }
    memcpy(&type, e->response, sizeof type);
    return vt_vgpu_type_name(type) != NULL ? vt_vgpu_type_name(type) : "of unknown type";
}

static const char *text_of(const struct vt_vgpu_event_seen *e, char line[LINE])
{
    const struct vt_vgpu_message *message;
    uint32_t elements;
    switch (e->kind) {
    case VT_VGPU_SEEN_LOST:
        snprintf(line, LINE, "(%llu commands not seen)", (unsigned long long)e->lost);
        break;
    case VT_VGPU_SEEN_RESET:
        snprintf(line, LINE, "(device reset)");
        break;
    default:
        vt_vgpu_check_request(e->request, e->request_bytes, &message, &elements);
        size_t n = vt_vgpu_describe(message, e->request, e->request_bytes, line, LINE - 64);
        snprintf(line + n, LINE - n, " -> %s", said(e));
    }
    return line;
}

/* ---------------------------------------------------------------- counting */

static struct tally *tally_of(struct view *view, const struct vt_vgpu_event_seen *e)
{
    uint32_t type = 0;
    if (e->kind == VT_VGPU_SEEN_COMMAND) {
        memcpy(&type, e->request, e->request_bytes < sizeof type ? e->request_bytes : sizeof type);
    }
    if (vt_vgpu_command_of(type) == NULL) {
        type = 0;
    }
    unsigned i = 0;
    while (i < view->n_tallies && view->tallies[i].type != type) {
        i++;
    }
    if (i == view->n_tallies) {
        view->tallies[view->n_tallies++].type = type;
    }
    return &view->tallies[i];
}

static int by_type(const void *left, const void *right)
{
    const struct tally *a = left, *b = right;
    return a->type < b->type ? -1 : a->type > b->type;
}

static void count(struct view *view)
{
    for (size_t i = 0; i < view->n; i++) {
        const struct vt_vgpu_step *step = &view->steps[i];
        const bool in_a = step->kind != VT_VGPU_STEP_ONLY_B;
        struct tally *t = tally_of(view, in_a ? vt_vgpu_sequence_at(view->a.sequence, step->a)
                                              : vt_vgpu_sequence_at(view->b.sequence, step->b));
        t->a += in_a;
        t->b += step->kind != VT_VGPU_STEP_ONLY_A;
        t->steps[step->kind]++;
        view->totals[step->kind]++;
    }
    qsort(view->tallies, view->n_tallies, sizeof view->tallies[0], by_type);
}

static const char *tally_name(const struct tally *t)
{
    return t->type != 0 ? vt_vgpu_type_name(t->type) : "(others)";
}

/* ---------------------------------------------------------------- for people */

static void print_field(const char *name, const char *a, const char *b, void *arg)
{
    (void)arg;
    printf("      %s: %s | %s\n", name, a, b);
}

static void print_step(const struct view *view, const struct vt_vgpu_step *step)
{
    static const char marks[] = " !-+";
    char line[LINE];
    const struct vt_vgpu_event_seen *e = step->kind == VT_VGPU_STEP_ONLY_B
                                             ? vt_vgpu_sequence_at(view->b.sequence, step->b)
                                             : vt_vgpu_sequence_at(view->a.sequence, step->a);
    printf("  %c %s\n", marks[step->kind], text_of(e, line));
    vt_vgpu_diff_fields(view->diff, step, print_field, NULL);
}

/* The first and the last `context` of equal steps between others. */
static void print_steps(const struct view *view, uint64_t context)
{
    const size_t control = vt_vgpu_sequence_control(view->a.sequence);
    const size_t control_b = vt_vgpu_sequence_control(view->b.sequence);
    bool cursor = false;
    for (size_t i = 0; i < view->n;) {
        if (i == 0 || (!cursor && view->steps[i].a >= control && view->steps[i].b >= control_b)) {
            cursor = view->steps[i].a >= control && view->steps[i].b >= control_b;
            puts(cursor ? "cursor queue" : "control queue");
        }
        size_t end = i;
        while (end < view->n && view->steps[end].kind == VT_VGPU_STEP_SAME &&
               (cursor || view->steps[end].a < control)) {
            end++;
        }
        if (end == i) {
            print_step(view, &view->steps[i++]);
            continue;
        }
        for (size_t k = i; k < end; k++) {
            if (k - i >= context && end - k > context) {
                size_t left_out = end - context - k;
                printf("    … %zu the same\n", left_out);
                k += left_out;
            }
            if (k < end) {
                print_step(view, &view->steps[k]);
            }
        }
        i = end;
    }
}

static void print_summary(const struct view *view)
{
    printf("\n%-26s %8s %8s %8s %8s %8s %8s\n", "COMMAND", "IN A", "IN B", "SAME", "CHANGED",
           "ONLY A", "ONLY B");
    for (unsigned i = 0; i < view->n_tallies; i++) {
        const struct tally *t = &view->tallies[i];
        printf("%-26s %8llu %8llu %8llu %8llu %8llu %8llu\n", tally_name(t),
               (unsigned long long)t->a, (unsigned long long)t->b, (unsigned long long)t->steps[0],
               (unsigned long long)t->steps[1], (unsigned long long)t->steps[2],
               (unsigned long long)t->steps[3]);
    }
}

static void print_recording(const char *letter, const struct recording *r)
{
    printf("%s: %s", letter, r->path);
    if (r->origin.vm[0] != '\0') {
        printf(" (%s of %s)", r->origin.source, r->origin.vm);
    }
    putchar('\n');
}

/* ---------------------------------------------------------------- for programs */

static void write_field(const char *name, const char *a, const char *b, void *arg)
{
    struct vt_json_writer *w = arg;
    vt_json_object(w);
    vt_json_kv_string(w, "name", name);
    vt_json_kv_string(w, "a", a);
    vt_json_kv_string(w, "b", b);
    vt_json_object_end(w);
}

static void write_command(struct vt_json_writer *w, const char *key,
                          const struct vt_vgpu_event_seen *e)
{
    char line[LINE];
    vt_json_key(w, key);
    vt_json_object(w);
    vt_json_kv_u64(w, "sequence", e->sequence);
    vt_json_kv_string(w, "queue", e->queue == VT_VGPU_CURSOR_QUEUE ? "cursor" : "control");
    vt_json_kv_string(w, "text", text_of(e, line));
    vt_json_object_end(w);
}

static void write_steps(const struct view *view, struct vt_json_writer *w)
{
    vt_json_key(w, "steps");
    vt_json_array(w);
    for (size_t i = 0; i < view->n; i++) {
        const struct vt_vgpu_step *step = &view->steps[i];
        if (step->kind == VT_VGPU_STEP_SAME) {
            continue;
        }
        vt_json_object(w);
        vt_json_kv_string(w, "kind", kinds[step->kind]);
        if (step->kind != VT_VGPU_STEP_ONLY_B) {
            write_command(w, "a", vt_vgpu_sequence_at(view->a.sequence, step->a));
        }
        if (step->kind != VT_VGPU_STEP_ONLY_A) {
            write_command(w, "b", vt_vgpu_sequence_at(view->b.sequence, step->b));
        }
        if (step->kind == VT_VGPU_STEP_CHANGED) {
            vt_json_key(w, "fields");
            vt_json_array(w);
            vt_vgpu_diff_fields(view->diff, step, write_field, w);
            vt_json_array_end(w);
        }
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_counts(struct vt_json_writer *w, const uint64_t counts[])
{
    for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        vt_json_kv_u64(w, kinds[k], counts[k]);
    }
}

static void write_recording(struct vt_json_writer *w, const char *key, const struct recording *r)
{
    vt_json_key(w, key);
    vt_json_object(w);
    vt_json_kv_string(w, "path", r->path);
    vt_json_kv_string(w, "vm", r->origin.vm);
    vt_json_kv_string(w, "source", r->origin.source);
    vt_json_kv_u64(w, "commands", vt_vgpu_sequence_count(r->sequence));
    vt_json_object_end(w);
}

static void write_all(const struct view *view, bool summary, bool pretty)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, pretty);
    vt_json_object(&w);
    write_recording(&w, "a", &view->a);
    write_recording(&w, "b", &view->b);
    vt_json_kv_bool(&w, "equal", view->totals[VT_VGPU_STEP_SAME] == view->n);
    write_counts(&w, view->totals);
    vt_json_key(&w, "commands");
    vt_json_array(&w);
    for (unsigned i = 0; i < view->n_tallies; i++) {
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", tally_name(&view->tallies[i]));
        vt_json_kv_u64(&w, "in_a", view->tallies[i].a);
        vt_json_kv_u64(&w, "in_b", view->tallies[i].b);
        write_counts(&w, view->tallies[i].steps);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    if (!summary) {
        write_steps(view, &w);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

/* ---------------------------------------------------------------- the verb */

static int read_recording(struct recording *r, const char *path, struct vt_error *err)
{
    r->path = path;
    return vt_vgpu_sequence_read(path, &r->sequence, &r->origin, err);
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    uint64_t context;
    const bool summary = vt_args_flag(args, "summary");
    int rc = vt_args_u64(args, "context", CONTEXT, &context);
    if (rc != 0) {
        return rc;
    }
    const char **ignore = vt_args_values(args, "ignore");
    struct view *view = calloc(1, sizeof *view);
    if (ignore == NULL || view == NULL) {
        rc = vt_fail(&err, VT_E_NOMEM, "out of memory");
    }
    rc = rc != 0 ? rc : read_recording(&view->a, vt_args_operand(args, 0), &err);
    rc = rc != 0 ? rc : read_recording(&view->b, vt_args_operand(args, 1), &err);
    rc = rc != 0
             ? rc
             : vt_vgpu_diff_create(view->a.sequence, view->b.sequence, ignore, &view->diff, &err);
    int result = VT_EXIT_OK;
    if (rc != 0) {
        /* 1 says that they differ. */
        result = vt_report(args, &err);
        result = result == VT_EXIT_FAILED ? VT_EXIT_USAGE : result;
    } else {
        view->steps = vt_vgpu_diff_steps(view->diff, &view->n);
        count(view);
        if (vt_args_json(args)) {
            write_all(view, summary, vt_args_pretty(args));
        } else {
            print_recording("A", &view->a);
            print_recording("B", &view->b);
            if (!summary) {
                print_steps(view, context);
            }
            print_summary(view);
        }
        result = vt_output_finish(stdout);
        if (result == VT_EXIT_OK && view->totals[VT_VGPU_STEP_SAME] != view->n) {
            result = VT_EXIT_FAILED;
        }
    }
    if (view != NULL) {
        vt_vgpu_diff_destroy(view->diff);
        vt_vgpu_sequence_destroy(view->a.sequence);
        vt_vgpu_sequence_destroy(view->b.sequence);
    }
    free(view);
    free(ignore);
    return result;
}

static const struct vt_option options[] = {
    {"context", "N", "equal commands shown before and behind others (default: 3)", false},
    {"ignore", "FIELD", "do not compare this field, or \"response\" as a whole", true},
    {"summary", NULL, "only how many of each command", false},
    {0},
};

const struct vt_verb vt_verb_gpu_diff = {
    .name = "gpu diff",
    .group = "GPU",
    .summary = "Compare two recorded sequences of virtio-gpu commands",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description = "A and B are files that 'vitrine gpu watch' or 'vitrine gpu log' recorded. What "
                   "differs from\n"
                   "run to run is left out: times, fence ids, guest-physical addresses and into "
                   "how many pieces\n"
                   "memory fell. Resources and contexts are compared by what happens to them, not "
                   "by their ids.\n"
                   "The two queues are compared apart.\n\n"
                   "Lines with - are only in A, with + only in B; with ! the same command has "
                   "other fields or\n"
                   "another response, and each is shown as 'A | B'. Exits with 0 when nothing "
                   "differs, with 1\n"
                   "when something does, and with 2 or 3 when a file cannot be compared.",
    .examples = "vitrine gpu diff linux.vgpu card.vgpu\n"
                "vitrine gpu diff linux.vgpu card.vgpu --ignore flags --summary\n"
                "vitrine gpu diff before.vgpu after.vgpu --json",
    .run = run,
};
