/* tests/fuzz/fuzz_venus_show.c - a recorded Venus command and its reply, shown as text and as JSON.
 *
 * Input: two bytes of the reply's length, the command, the reply. Whatever they are, JSON stays
 * well-formed, and neither form depends on when it is asked.
 */
#include "tests/fuzz/fuzz.h"

#include "gpu/venus_show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_BYTES 64u

static char *as_json(const struct vt_vgpu_event_seen *event, size_t *size)
{
    struct vt_json_writer w;
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    FUZZ_CHECK(out != NULL);
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_vgpu_venus_json(&w, event, BLOB_BYTES);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    fclose(out);
    return text;
}

static char *as_line(const struct vt_vgpu_event_seen *event, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    FUZZ_CHECK(out != NULL);
    vt_vgpu_venus_line(out, event, BLOB_BYTES);
    fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 2) {
        return 0;
    }
    size_t reply = (size_t)(bytes[0] | bytes[1] << 8), size, again;
    bytes += 2;
    count -= 2;
    reply = reply < count ? reply : count;
    const struct vt_vgpu_event_seen event = {
        .kind = VT_VGPU_SEEN_VENUS,
        .slot = VT_VGPU_VENUS_COMMAND,
        .request = bytes,
        .request_bytes = (uint32_t)(count - reply),
        .response = bytes + count - reply,
        .response_bytes = (uint32_t)reply,
    };
    int32_t result;
    (void)vt_vgpu_venus_result(&event, &result);

    char *line = as_line(&event, &size), *line_again = as_line(&event, &again);
    FUZZ_CHECK(size == again && memcmp(line, line_again, size) == 0);
    FUZZ_CHECK(memchr(line, '\n', size) == NULL);
    free(line);
    free(line_again);

    char *json = as_json(&event, &size);
    json_error_t error;
    json_t *value = json_loadb(json, size, JSON_ALLOW_NUL, &error);
    FUZZ_CHECK(value != NULL);
    json_decref(value);
    free(json);
    return 0;
}
