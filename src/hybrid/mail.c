/* hybrid/mail.c - see mail.h. Whoever writes to the mailbox may do so at any time: each number that
 * decides something is read once.
 */
#include "hybrid/mail.h"

#include <string.h>

int vt_mail_read(const struct vt_hybrid_mailbox *m, uint32_t n_streams, struct vt_mail_request *r,
                 struct vt_error *err)
{
    memcpy(r->inputs, m->inputs, sizeof r->inputs);
    memcpy(r->carries, m->carries, sizeof r->carries);
    for (uint32_t i = 0; i < n_streams; i++) {
        uint32_t first = __atomic_load_n(&m->streams[i].first, __ATOMIC_RELAXED);
        uint32_t n = __atomic_load_n(&m->streams[i].n, __ATOMIC_RELAXED);
        if (first > VT_HYBRID_MAIL_PAGES || n > VT_HYBRID_MAIL_PAGES - first) {
            return vt_fail(err, VT_E_CORRUPT, "a stream of %u pages from %u on", n, first);
        }
        memcpy(r->pages + first, m->pages + first, n * sizeof *r->pages);
        r->streams[i] = (struct vt_pixel_gpu_stream){
            .pages = r->pages + first, .n_pages = n, .position = m->streams[i].position};
    }
    r->call = (struct vt_pixel_gpu_call){
        .count = m->count, .inputs = r->inputs, .carries = r->carries, .streams = r->streams};
    return 0;
}
