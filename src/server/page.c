/* server/page.c - the page people see who open the server in a browser: its VMs, and where to ask.
 *
 * It loads nothing and runs nothing; its style is let in by its hash (CSP level 2, 7.2).
 */
#include "base/text.h"
#include "server/reply.h"
#include "server/watch.h"
#include "vitrine/version.h"

#include <inttypes.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--line:#8884}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}"
    "h1{font-weight:600;margin:0}h2{font-size:1rem;font-weight:600;margin:2.5rem 0 .5rem}"
    "p{margin:.25rem 0}.dim{opacity:.65}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid var(--line);"
    "font-weight:400}th{opacity:.65}a{color:inherit;text-underline-offset:.2em}"
    "code{font:.9em ui-monospace,monospace}";

static void row(const struct vt_watched *vm, void *arg)
{
    static const char *const lists[] = {"processes", "modules", "mounts", "sockets", "events"};
    FILE *f = arg;
    char ram[32];
    /* Names of VMs need no escaping: vt_name_is_valid. */
    fprintf(f, "<tr><td><a href=\"/api/v1/vms/%s\">%s</a><td>%s<td>%s<td>", vm->name, vm->name,
            vt_vm_state_name(vm->state), vt_format_bytes(ram, sizeof ram, vm->ram_bytes));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        fprintf(f, "%s<a href=\"/api/v1/vms/%s/%s\">%s</a>", i > 0 ? " " : "", vm->name, lists[i],
                lists[i]);
    }
    fputs("</tr>\n", f);
}

static void any(const struct vt_watched *vm, void *arg)
{
    (void)vm;
    *(bool *)arg = true;
}

static void policy(char *out, size_t room)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1];
    sha256_init(&ctx);
    sha256_update(&ctx, sizeof style - 1, (const uint8_t *)style);
    sha256_digest(&ctx, sizeof digest, digest);
    base64_encode_raw(text, sizeof digest, digest);
    text[sizeof text - 1] = '\0';
    snprintf(out, room,
             "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; "
             "frame-ancestors 'none'",
             text);
}

struct vt_reply *vt_reply_page(struct vt_watch *watch)
{
    char *text = NULL, csp[256];
    size_t bytes = 0;
    bool some = false;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return NULL;
    }
    fprintf(f,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n<title>vitrine</title>\n"
            "<style>%s</style>\n<h1>vitrine</h1>\n"
            "<p class=\"dim\">a glass case for virtual machines, version %s</p>\n",
            style, VITRINE_VERSION);
    vt_watch_each(watch, any, &some);
    fputs("<h2>Machines</h2>\n", f);
    if (some) {
        fputs("<table>\n<tr><th>name<th>state<th>RAM<th>what is inside</tr>\n", f);
        vt_watch_each(watch, row, f);
        fputs("</table>\n", f);
    } else {
        fputs("<p>None runs. <code>vitrine run web</code> starts one.</p>\n", f);
    }
    fputs("<h2>Ask</h2>\n"
          "<p><a href=\"/api/v1/vms\">/api/v1/vms</a> all machines, as JSON</p>\n"
          "<p><a href=\"/api/openapi.json\">/api/openapi.json</a> every operation</p>\n"
          "<p><a href=\"/metrics\">/metrics</a> for Prometheus</p>\n"
          "<p><code>/api/v1/events</code> what happens, as a WebSocket</p>\n"
          "<p><code>/mcp</code> tools for language models</p>\n",
          f);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    struct vt_reply *r = vt_reply_make(200, text, bytes, "text/html; charset=utf-8");
    policy(csp, sizeof csp);
    if (r != NULL && !vt_reply_header(r, "Content-Security-Policy", csp)) {
        vt_reply_drop(r);
        return NULL;
    }
    return r;
}
