/* tests/unit/gpu/write_sample.c - writes the sample (sample.h) as a recording, for tests/unit/gpu's
 * scripts: write_sample FILE.
 */
#include "tests/unit/gpu/sample.h"

#include <stdio.h>

static bool put(const struct vt_vgpu_event_seen *event, void *writer)
{
    struct vt_error err;
    return vt_vgpu_writer_put(writer, event, &err) == 0;
}

int main(int argc, char **argv)
{
    struct vt_vgpu_writer *writer;
    struct vt_error err;
    if (argc != 2 || vt_vgpu_writer_create(argv[1], true, &vt_sample_origin, &writer, &err) != 0) {
        return 1;
    }
    vt_sample_put(put, writer);
    return vt_vgpu_writer_close(writer, &err) == 0 ? 0 : 1;
}
