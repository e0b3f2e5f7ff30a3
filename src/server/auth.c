/* server/auth.c - see auth.h. */
#include "server/auth.h"

#include "base/io.h"
#include "server/websocket.h"

#include <errno.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#define TOKEN_BYTES 32
#define TOKEN_MIN 16
#define HOST_MAX 255

int vt_token_make(char token[VT_TOKEN_MAX + 1], struct vt_error *err)
{
    uint8_t bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return vt_fail_errno(err, VT_E_IO, errno, "getrandom");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    }
    explicit_bzero(bytes, sizeof bytes);
    return 0;
}

int vt_token_load(const char *path, char token[VT_TOKEN_MAX + 1], struct vt_error *err)
{
    struct stat st;
    char *text;
    if (stat(path, &st) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return vt_fail(err, VT_E_PERM, "%s: others may read it; chmod 600", path);
    }
    int rc = vt_read_file(path, VT_TOKEN_MAX + 2, &text, NULL, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = strcspn(text, "\r\n");
    bool ends = text[n + strspn(text + n, "\r\n")] == '\0';
    bool printable = true;
    for (size_t i = 0; i < n; i++) {
        printable &= text[i] > ' ' && text[i] < 0x7f;
    }
    if (!ends || !printable || n < TOKEN_MIN || n > VT_TOKEN_MAX) {
        rc = vt_fail(err, VT_E_INVAL, "%s: a token is one line of %d to %d printable characters",
                     path, TOKEN_MIN, VT_TOKEN_MAX);
    } else {
        memcpy(token, text, n);
        token[n] = '\0';
    }
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

static void digest(const char *text, size_t bytes, uint8_t out[SHA256_DIGEST_SIZE])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, bytes, (const uint8_t *)text);
    sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
}

static bool is_token(const struct vt_auth *auth, const char *shown, size_t bytes)
{
    uint8_t a[SHA256_DIGEST_SIZE], b[SHA256_DIGEST_SIZE];
    digest(shown, bytes, a);
    digest(auth->token, strlen(auth->token), b);
    return auth->token[0] != '\0' && memeql_sec(a, b, sizeof a) != 0;
}

bool vt_auth_shows_token(const struct vt_auth *auth, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *shown = authorization + sizeof scheme - 1;
    shown += strspn(shown, " ");
    return is_token(auth, shown, strlen(shown));
}

int vt_auth_offers_token(const struct vt_auth *auth, const char *protocols)
{
    static const char prefix[] = VT_WS_TOKEN_PREFIX;
    const char *word;
    size_t n;
    int found = 0;
    while (protocols != NULL && (word = vt_ws_word(&protocols, &n)) != NULL) {
        if (n >= sizeof prefix - 1 && memcmp(word, prefix, sizeof prefix - 1) == 0) {
            bool ours = is_token(auth, word + sizeof prefix - 1, n - (sizeof prefix - 1));
            found = ours && found >= 0 ? 1 : -1;
        }
    }
    return found;
}

/* Bytes of the host in "host[:port]", brackets included; 0 when it is none. (RFC 3986, 3.2.2) */
static size_t host_length(const char *text)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t n = strnlen(text, HOST_MAX + 8);
    if (n > HOST_MAX + 6) {
        return 0;
    }
    if (text[0] == '[') {
        n = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        if (text[n] != ']' || n == 1) {
            return 0;
        }
        n++;
    } else {
        n = strspn(text, name);
    }
    const char *port = text + n;
    if (*port == ':') {
        size_t digits = strspn(port + 1, "0123456789");
        port += 1 + digits;
        if (digits == 0 || digits > 5) {
            return 0;
        }
    }
    return *port == '\0' ? n : 0;
}

static bool is_host(const char *text, size_t n, const char *name)
{
    return name != NULL && strlen(name) == n && strncasecmp(text, name, n) == 0;
}

unsigned vt_auth_host(const struct vt_auth *auth, const char *host, const char *local)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t n = host != NULL ? host_length(host) : 0;
    if (n == 0) {
        return 400;
    }
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        if (is_host(host, n, always[i])) {
            return 0;
        }
    }
    for (const char *const *name = auth->hosts; name != NULL && *name != NULL; name++) {
        if (is_host(host, n, *name)) {
            return 0;
        }
    }
    return is_host(host, n, local) ? 0 : 421;
}

unsigned vt_auth_origin(const struct vt_auth *auth, const char *origin, const char *host)
{
    static const char scheme[] = "http://";
    if (origin == NULL) {
        return 0;
    }
    if (strncasecmp(origin, scheme, sizeof scheme - 1) == 0 &&
        strcasecmp(origin + sizeof scheme - 1, host) == 0) {
        return 0;
    }
    for (const char *const *one = auth->origins; one != NULL && *one != NULL; one++) {
        if (strcasecmp(*one, origin) == 0) {
            return 0;
        }
    }
    return 403;
}

unsigned vt_auth_may(const struct vt_auth *auth, enum vt_peer peer, enum vt_wants wants, bool shown)
{
    if (peer == VT_PEER_OWNER || shown || wants == VT_WANTS_FILES) {
        return 0;
    }
    if (peer == VT_PEER_LOCAL) {
        bool free = wants == VT_WANTS_HEALTH || (wants == VT_WANTS_READ && !auth->always);
        return free ? 0 : 401;
    }
    return 401;
}
