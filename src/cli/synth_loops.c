/* cli/synth_loops.c - loops from files and from the command line. See synth_loops.h. */
#include "cli/synth_loops.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define LOOPS_MAX 4096u

static bool stop(void *unused)
{
    (void)unused;
    return vt_interrupted != 0;
}

int vt_synth_args(const struct vt_args *args, struct vt_proof_options *options)
{
    uint64_t timeout_ns;
    int result = vt_args_duration(args, "timeout", 20000000000u, &timeout_ns);
    if (result == 0 && (timeout_ns < 1000000 || timeout_ns / 1000000 > UINT32_MAX)) {
        result = vt_usage_error(args, "--timeout takes 1 millisecond or more");
    }
    *options = (struct vt_proof_options){.timeout_ms = (uint32_t)(timeout_ns / 1000000),
                                         .directory = vt_args_value(args, "smt2"),
                                         .keep_structure = vt_args_flag(args, "all"),
                                         .stop = stop};
    struct vt_error err;
    if (result == 0 && options->directory != NULL &&
        vt_make_dirs(options->directory, 0755, &err) != 0) {
        result = vt_report(args, &err);
    }
    return result;
}

int vt_synth_apart(const struct vt_proof_options *all, const char *name, char path[PATH_MAX],
                   struct vt_proof_options *own, struct vt_error *err)
{
    *own = *all;
    if (all->directory == NULL) {
        return 0;
    }
    int rc = vt_path_format(path, err, "%s/%s", all->directory, name);
    rc = rc != 0 ? rc : vt_make_dirs(path, 0755, err);
    own->directory = path;
    return rc;
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, tolower(c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Appends; false: not hexadecimal, or too much. */
static bool append(struct vt_synth_loop *loop, int64_t at, const char *hex)
{
    if (loop->n_blocks == VT_SYNTH_BLOCKS_MAX) {
        return false;
    }
    struct vt_synth_block *b = &loop->blocks[loop->n_blocks++];
    *b = (struct vt_synth_block){.at = at, .first = loop->n_bytes};
    while (*hex != '\0') {
        if (isspace((unsigned char)*hex)) {
            hex++;
            continue;
        }
        int high = digit(hex[0]), low = high >= 0 ? digit(hex[1]) : -1;
        if (low < 0 || loop->n_bytes == VT_SYNTH_BYTES_MAX) {
            return false;
        }
        loop->bytes[loop->n_bytes++] = (uint8_t)(high * 16 + low);
        hex += 2;
    }
    b->n = loop->n_bytes - b->first;
    return b->n > 0;
}

int vt_synth_loop_of_hex(const char *hex, struct vt_synth_loop *loop, struct vt_error *err)
{
    *loop = (struct vt_synth_loop){0};
    if (!append(loop, 0, hex)) {
        return vt_fail(err, VT_E_INVAL, "'%.40s' is not code in hexadecimal, of up to %u bytes",
                       hex, VT_SYNTH_BYTES_MAX);
    }
    return vt_synth_loop_finish(loop, err);
}

static bool get_address(const json_t *object, uint64_t *value)
{
    const char *text = json_string_value(json_object_get(object, "address"));
    return text != NULL && vt_parse_u64(text, value, NULL) == 0;
}

static bool read_loop(const json_t *object, struct vt_synth_loop *loop)
{
    const json_t *code = json_object_get(object, "code");
    uint64_t at;
    *loop = (struct vt_synth_loop){0};
    if (!get_address(object, &loop->head)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(code); i++) {
        const json_t *block = json_array_get(code, i);
        const char *bytes = json_string_value(json_object_get(block, "bytes"));
        if (bytes == NULL || !get_address(block, &at) ||
            !append(loop, (int64_t)(at - loop->head), bytes)) {
            return false;
        }
    }
    return vt_synth_loop_finish(loop, NULL) == 0;
}

int vt_synth_loops_of_hot(const char *path, struct vt_synth_loop **loops, uint32_t *n,
                          uint32_t *left_out, struct vt_error *err)
{
    char *text;
    size_t bytes;
    json_error_t why;
    int rc = vt_read_file(path, FILE_BYTES_MAX, &text, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    json_t *object = json_loadb(text, bytes, 0, &why);
    free(text);
    const json_t *all = json_object_get(object, "loops");
    size_t count = json_array_size(all);
    struct vt_synth_loop *out = NULL;
    *n = *left_out = 0;
    if (!json_is_array(all) || count > LOOPS_MAX) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s: not what 'vitrine hot --json' writes", path);
    } else if ((out = calloc(count + 1, sizeof *out)) == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "%zu loops", count);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (read_loop(json_array_get(all, i), &out[*n])) {
            ++*n;
        } else {
            ++*left_out;
        }
    }
    json_decref(object);
    if (rc == 0) {
        *loops = out;
    }
    return rc;
}
