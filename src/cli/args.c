/* cli/args.c - from argv to struct vt_args, checked against the verb's option table; messages. */
#include "cli/args.h"

#include "base/io.h"
#include "base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile int vt_interrupted;

static const struct vt_option common_options[] = {
    {"json", NULL, "print JSON, one document on one line", false},
    {"pretty", NULL, "print JSON, indented", false},
    {"help", NULL, "show this help", false},
    {0},
};

const struct vt_option *vt_common_options(void)
{
    return common_options;
}

static const struct vt_option *find_in(const struct vt_option *table, const char *name, size_t len)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0) {
            return table;
        }
    }
    return NULL;
}

static const struct vt_option *find(const struct vt_verb *verb, const char *name, size_t len)
{
    const struct vt_option *o = find_in(verb->options, name, len);
    return o != NULL ? o : find_in(common_options, name, len);
}

static int add_operand(struct vt_args *args, const char *text)
{
    if (args->n_operands == args->verb->max_operands) {
        return vt_usage_error(args, "unexpected operand '%s'", text);
    }
    args->operands[args->n_operands++] = text;
    return 0;
}

/* --name, --name=value, --name value. Returns how many of argv it took, or a negative exit code. */
static int add_option(struct vt_args *args, int left, const char *const *argv)
{
    const char *name = argv[0] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct vt_option *o = find(args->verb, name, len);
    if (o == NULL) {
        return -vt_usage_error(args, "unknown option '%s'", argv[0]);
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    int taken = 1;
    if (o->value == NULL && value != NULL) {
        return -vt_usage_error(args, "option --%s takes no value", o->name);
    }
    if (o->value != NULL && value == NULL) {
        if (left < 2) {
            return -vt_usage_error(args, "option --%s needs a value (%s)", o->name, o->value);
        }
        value = argv[1];
        taken = 2;
    }
    for (unsigned i = 0; i < args->n_given; i++) {
        if (args->given[i].option == o && !o->repeatable) {
            return -vt_usage_error(args, "option --%s given twice", o->name);
        }
    }
    args->given[args->n_given++] = (struct vt_given){.option = o, .value = value};
    return taken;
}

int vt_args_parse(const struct vt_verb *verb, int argc, const char *const *argv,
                  struct vt_args *args)
{
    *args = (struct vt_args){.verb = verb};
    args->operands = calloc((size_t)argc + 1, sizeof *args->operands);
    args->given = calloc((size_t)argc + 1, sizeof *args->given);
    if (args->operands == NULL || args->given == NULL) {
        fputs("vitrine: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    bool only_operands = false;
    for (int i = 0; i < argc;) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            i++;
        } else if (!only_operands && strcmp(argv[i], "-h") == 0) {
            args->given[args->n_given++] =
                (struct vt_given){.option = find_in(common_options, "help", 4)};
            i++;
        } else if (!only_operands && strncmp(argv[i], "--", 2) == 0) {
            int taken = add_option(args, argc - i, argv + i);
            if (taken < 0) {
                return -taken;
            }
            i += taken;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            return vt_usage_error(args, "unknown option '%s'", argv[i]);
        } else {
            int rc = add_operand(args, argv[i++]);
            if (rc != 0) {
                return rc;
            }
        }
    }
    if (args->n_operands < verb->min_operands && !vt_args_flag(args, "help")) {
        return vt_usage_error(args, "needs %s", verb->operands);
    }
    return 0;
}

void vt_args_fini(struct vt_args *args)
{
    free(args->operands);
    free(args->given);
}

const char *vt_args_operand(const struct vt_args *args, unsigned i)
{
    return i < args->n_operands ? args->operands[i] : NULL;
}

unsigned vt_args_operands(const struct vt_args *args)
{
    return args->n_operands;
}

/* Values of an option in the order given. A name that is in no table is a bug in the verb. */
static const struct vt_given *given(const struct vt_args *args, const char *name, unsigned nth)
{
    assert(find(args->verb, name, strlen(name)) != NULL);
    for (unsigned i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i].option->name, name) == 0 && nth-- == 0) {
            return &args->given[i];
        }
    }
    return NULL;
}

bool vt_args_flag(const struct vt_args *args, const char *name)
{
    return given(args, name, 0) != NULL;
}

const char *vt_args_value(const struct vt_args *args, const char *name)
{
    const struct vt_given *g = given(args, name, 0);
    return g != NULL ? g->value : NULL;
}

const char *vt_args_value_at(const struct vt_args *args, const char *name, unsigned i)
{
    const struct vt_given *g = given(args, name, i);
    return g != NULL ? g->value : NULL;
}

static int number(const struct vt_args *args, const char *name, uint64_t fallback, uint64_t *out,
                  int (*parse)(const char *, uint64_t *, struct vt_error *))
{
    const char *text = vt_args_value(args, name);
    struct vt_error err;
    if (text == NULL) {
        *out = fallback;
        return 0;
    }
    if (parse(text, out, &err) != 0) {
        return vt_usage_error(args, "--%s: %s", name, err.message);
    }
    return 0;
}

const char **vt_args_values(const struct vt_args *args, const char *name)
{
    unsigned n = 0;
    while (vt_args_value_at(args, name, n) != NULL) {
        n++;
    }
    const char **values = calloc(n + 1, sizeof *values);
    for (unsigned i = 0; values != NULL && i < n; i++) {
        values[i] = vt_args_value_at(args, name, i);
    }
    return values;
}

int vt_args_bytes(const struct vt_args *args, const char *name, uint64_t fallback, uint64_t *out)
{
    return number(args, name, fallback, out, vt_parse_bytes);
}

int vt_args_u64(const struct vt_args *args, const char *name, uint64_t fallback, uint64_t *out)
{
    return number(args, name, fallback, out, vt_parse_u64);
}

int vt_args_duration(const struct vt_args *args, const char *name, uint64_t fallback_ns,
                     uint64_t *out_ns)
{
    return number(args, name, fallback_ns, out_ns, vt_parse_duration);
}

bool vt_args_json(const struct vt_args *args)
{
    return vt_args_flag(args, "json") || vt_args_flag(args, "pretty");
}

bool vt_args_pretty(const struct vt_args *args)
{
    return vt_args_flag(args, "pretty");
}

static bool progress_shown;

static void clear_progress(void)
{
    if (progress_shown) {
        fputs("\r\x1b[K", stderr);
        progress_shown = false;
    }
}

void vt_progress(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (isatty(STDERR_FILENO)) {
        clear_progress();
        if (text[0] != '\0') {
            fputs(text, stderr);
            progress_shown = true;
        }
    } else if (text[0] != '\0') {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

#define SHARE_FIRST_NS 500000000u
#define SHARE_TERMINAL_NS 200000000u
#define SHARE_LINES_NS 5000000000u

void vt_progress_share(struct vt_share *share, uint64_t done, uint64_t total)
{
    uint64_t now = vt_now_ns();
    if (share->next_ns == 0) {
        share->next_ns = now + SHARE_FIRST_NS;
    }
    if (done >= total) {
        if (share->told) {
            vt_progress("%s", "");
        }
    } else if (now >= share->next_ns) {
        vt_progress("%s: %u %%", share->what, (unsigned)((double)done / (double)total * 100));
        share->told = true;
        share->next_ns = now + (isatty(STDERR_FILENO) ? SHARE_TERMINAL_NS : SHARE_LINES_NS);
    }
}

int vt_cli_progress(uint64_t done, uint64_t total, void *share)
{
    vt_progress_share(share, done, total);
    return vt_interrupted;
}

int vt_usage_error(const struct vt_args *args, const char *fmt, ...)
{
    clear_progress();
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "vitrine %s: ", args->verb->name);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, " (see 'vitrine %s --help')\n", args->verb->name);
    va_end(ap);
    return VT_EXIT_USAGE;
}

int vt_report(const struct vt_args *args, const struct vt_error *err)
{
    clear_progress();
    fprintf(stderr, "vitrine %s: %s\n", args->verb->name, err->message);
    switch (err->code) {
    case VT_E_NOT_FOUND:
        return VT_EXIT_NOT_FOUND;
    case VT_E_TIMEOUT:
        return VT_EXIT_TIMEOUT;
    default:
        return VT_EXIT_FAILED;
    }
}
