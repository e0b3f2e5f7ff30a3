/* server/mcp.h - the Model Context Protocol: the operations as tools for language models.
 *
 * One server for both transports and both eras. Modern requests (2026-07-28) carry their version in
 * _meta and stand each for itself; a client that sends `initialize` speaks 2024-11-05 to 2025-11-25
 * (legacy). Tools are the rows of vt_ops with VT_OP_TOOL; resources are the VMs and what their
 * nouns list; prompts are questions people ask.
 *
 * Source: modelcontextprotocol.io/specification/2026-07-28 and /2025-11-25, JSON-RPC 2.0.
 */
#ifndef VT_SERVER_MCP_H
#define VT_SERVER_MCP_H

#include "server/host.h"

/** Bytes of one message; longer ones are refused unread. */
#define VT_MCP_MESSAGE_MAX ((size_t)1 << 20)

struct vt_mcp;

/** `host` outlives it. What it makes of vt_ops (lists, schemas) is made here, once; afterwards any
 *  number of threads may use it. */
int vt_mcp_create(struct vt_host *host, struct vt_mcp **mcp, struct vt_error *err);
/** Takes NULL. */
void vt_mcp_destroy(struct vt_mcp *mcp);

/* ---------------------------------------------------------------- HTTP */

/** A request to /mcp whose Host, Origin and token were looked at already. Strings are borrowed;
 *  headers that were not sent are NULL. */
struct vt_mcp_http_request {
    const char *method;           /**< "POST"; all others get 405 */
    const char *protocol_version; /**< MCP-Protocol-Version */
    const char *mcp_method;       /**< Mcp-Method */
    const char *mcp_name;         /**< Mcp-Name */
    const char *content_type;
    const char *accept;
    const char *body;
    size_t bytes;
    bool may_change;    /**< the sender may change VMs: he showed the token */
    volatile int *stop; /**< or NULL; non-zero (the client went away) ends the work early */
};
struct vt_mcp_http_reply {
    unsigned status;
    const char *content_type; /**< static; NULL: no body */
    const char *allow;        /**< static, with 405; else NULL */
    char *body;               /**< malloc'ed, the caller's to free, or NULL */
    size_t bytes;
};
/** Answers one. Runs the tool that is called, so it takes as long as that does: call it on a worker
 *  thread. Always gives a reply; VT_E_NOMEM when there was no memory for one. */
int vt_mcp_http(struct vt_mcp *mcp, const struct vt_mcp_http_request *request,
                struct vt_mcp_http_reply *reply, struct vt_error *err);

/* ---------------------------------------------------------------- stdio */

/** One connection that lives longer than a message: a process over stdio. */
struct vt_mcp_session {
    char version[16]; /**< what `initialize` agreed on; "": nothing yet */
    bool may_change;
};

/** Answers one message (a line without its end). `*reply` is NULL for what gets no answer
 * (notifications, responses, requests whose *stop became non-zero), else malloc'ed, one line of
 * JSON without the newline, *reply_bytes long; the caller's to free. Messages of one session may be
 *  answered on several threads at once after `initialize`. VT_E_NOMEM. */
int vt_mcp_message(struct vt_mcp *mcp, struct vt_mcp_session *session, const char *text,
                   size_t bytes, volatile int *stop, char **reply, size_t *reply_bytes,
                   struct vt_error *err);

/** Serves one client on two descriptors until `in` ends or *stop (may be NULL) becomes non-zero.
 *  Lines are messages. Tools run on threads of their own, so answers may come in another order than
 *  requests; `notifications/cancelled` ends one early. What was asked for when `in` ends is
 * answered while somebody can read `out`, and does so within a second; after that, and when *stop
 * is set, the host is interrupted. A line longer than VT_MCP_MESSAGE_MAX is refused and skipped.
 * VT_E_GONE when nobody reads `out` any more. */
int vt_mcp_serve(struct vt_mcp *mcp, int in, int out, bool may_change, const volatile int *stop,
                 struct vt_error *err);

#endif
