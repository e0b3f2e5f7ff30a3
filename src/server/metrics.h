/* server/metrics.h - what a server counts, and all of it as OpenMetrics text.
 *
 * Counting belongs to the loop's thread.
 *
 * Source: OpenMetrics 1.0 (prometheus/OpenMetrics, specification/OpenMetrics.md).
 */
#ifndef VT_SERVER_METRICS_H
#define VT_SERVER_METRICS_H

#include "server/ops.h"
#include "server/stream.h"
#include "server/websocket.h"

#define VT_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Why a connection or a request was not served. */
enum vt_refusal {
    VT_REFUSED_MALFORMED, /**< no HTTP, or a target, header or body that cannot be */
    VT_REFUSED_TOO_LARGE,
    VT_REFUSED_HOST,
    VT_REFUSED_ORIGIN,
    VT_REFUSED_TOKEN,
    VT_REFUSED_HEADER_TIMEOUT,
    VT_REFUSED_BODY_TIMEOUT,
    VT_REFUSED_READ_TIMEOUT, /**< the answer was not read */
    VT_REFUSED_IDLE,         /**< closed after keeping quiet between requests */
    VT_REFUSED_EVICTED,      /**< made room for another before its request was whole */
    VT_REFUSED_CONNECTIONS,  /**< too many of them */
    VT_REFUSED_QUEUE,        /**< too much to do */
    VT_REFUSALS,
};

/** Requests that are no operation, in place of an operation's index. */
enum vt_other_request {
    VT_REQUEST_PAGE,
    VT_REQUEST_HEALTH,
    VT_REQUEST_METRICS,
    VT_REQUEST_OPENAPI,
    VT_REQUEST_EVENTS,
    VT_REQUEST_VOLUME,
    VT_REQUEST_MCP,
    VT_REQUEST_NONE, /**< leads nowhere */
    VT_REQUESTS_OTHER,
};

struct vt_metrics;

/** `ops` (ended by NULL) outlives it. */
int vt_metrics_create(const struct vt_op *const *ops, struct vt_metrics **metrics,
                      struct vt_error *err);
/** Takes NULL. */
void vt_metrics_destroy(struct vt_metrics *metrics);

/** An answer went out: of operation `index`, or of vt_metrics_other. */
void vt_metrics_request(struct vt_metrics *metrics, unsigned index, unsigned status, uint64_t ns);
unsigned vt_metrics_other(const struct vt_metrics *metrics, enum vt_other_request what);
void vt_metrics_refused(struct vt_metrics *metrics, enum vt_refusal why);
void vt_metrics_connection(struct vt_metrics *metrics);
void vt_metrics_ws_ended(struct vt_metrics *metrics, enum vt_ws_end how);
void vt_metrics_ws_sent(struct vt_metrics *metrics, uint64_t messages);
void vt_metrics_cached(struct vt_metrics *metrics, bool hit);
/** A sample of a VM took so long. */
void vt_metrics_sample(struct vt_metrics *metrics, const char *vm, uint64_t ns);

struct vt_watch;

/** What is so just now. */
struct vt_metrics_now {
    unsigned connections, ws_clients, jobs_waiting, jobs_running;
    uint64_t feed_dropped;
    struct vt_host *host;                   /**< or NULL */
    struct vt_watch *watch;                 /**< or NULL */
    const struct vt_streams_stats *streams; /**< or NULL */
};
/** Writes all, from "# TYPE" to "# EOF". */
void vt_metrics_write(const struct vt_metrics *metrics, const struct vt_metrics_now *now,
                      FILE *out);

#endif
