/* tests/fuzz/fuzz_venus_wire.c - the generated readers and writers of every command and reply.
 *
 * The first byte says what the others are: commands one after another, as a stream brings them; one
 * command's arguments or reply as they are; or a seed for a command or a reply that is right, and
 * what to change of its bytes. Nothing is looked up. What is accepted lies inside of the input, and
 * is the same when it is written and read again.
 */
#include "tests/fuzz/fuzz.h"
#include "vn_fill.h"

#include <string.h>

enum { ARGUMENTS = 64, COMMANDS_MAX = 4096 };

struct room {
    struct vt_venus_arena read, again, seed;
    struct vt_venus_out once, twice;
};

static struct vt_venus_in reader(struct vt_venus_arena *arena, const uint8_t *bytes, size_t count)
{
    vt_venus_arena_reset(arena);
    return (struct vt_venus_in){.start = bytes, .at = bytes, .end = bytes + count, .arena = arena};
}

/* What was read is written, read and written again: from then on nothing changes. */
static void settle(struct room *r, const struct vn_filled *command, const uint64_t *args)
{
    uint64_t second[ARGUMENTS];
    r->once.at = r->once.start;
    r->twice.at = r->twice.start;
    command->encode(&r->once, 0, args);
    if (r->once.overflow) {
        return;
    }
    size_t n = (size_t)(r->once.at - r->once.start);
    FUZZ_CHECK(n >= 8);
    struct vt_venus_in in = reader(&r->again, r->once.start + 8, n - 8);
    if (!command->decode(&in, second)) {
        FUZZ_CHECK(in.fault.kind == VT_VENUS_MEMORY);
        return;
    }
    FUZZ_CHECK(in.at == in.end);
    command->encode(&r->twice, 0, second);
    FUZZ_CHECK((size_t)(r->twice.at - r->twice.start) == n);
    FUZZ_CHECK(memcmp(r->once.start, r->twice.start, n) == 0);
}

static bool read_one(struct room *r, const struct vn_filled *command, const uint8_t **at,
                     const uint8_t *end)
{
    uint64_t args[ARGUMENTS];
    FUZZ_CHECK(command->size <= sizeof args);
    struct vt_venus_in in = reader(&r->read, *at, (size_t)(end - *at));
    bool read = command->decode(&in, args);
    FUZZ_CHECK(read == (in.fault.kind == VT_VENUS_FINE));
    FUZZ_CHECK(in.at >= *at && in.at <= end);
    if (read) {
        *at = in.at;
        settle(r, command, args);
    } else {
        char text[512];
        FUZZ_CHECK(strlen(vt_venus_fault_text(&in.fault, text, sizeof text)) < sizeof text);
    }
    return read;
}

static void read_reply(struct room *r, const struct vn_filled *command, const uint8_t *bytes,
                       size_t count)
{
    uint64_t args[ARGUMENTS];
    struct vt_venus_in in = reader(&r->read, bytes, count);
    memset(args, 0, sizeof args);
    if (command->decode_reply(&in, args)) {
        FUZZ_CHECK(in.at >= bytes && in.at <= bytes + count);
        r->once.at = r->once.start;
        command->reply(&r->once, args);
    }
}

static const struct vn_filled *command_of(const uint8_t *bytes)
{
    return &vn_filled[(size_t)(bytes[0] | bytes[1] << 8) % vn_filled_count];
}

/* A command, or its reply, from a seed; then triples {where, where, what} change its bytes. */
static void mutate(struct room *r, bool reply, const uint8_t *bytes, size_t count)
{
    const struct vn_filled *command = command_of(bytes);
    const size_t head = reply ? 0 : 8;
    uint64_t args[ARGUMENTS] = {0};
    uint32_t seed;
    memcpy(&seed, bytes + 2, sizeof seed);
    struct vn_fill fill = {.state = 0x9e3779b97f4a7c15U * (seed + UINT64_C(1)) | 1,
                           .arena = &r->seed,
                           .small = (seed & 1) != 0};
    vt_venus_arena_reset(&r->seed);
    command->fill(&fill, args);
    r->once.at = r->once.start;
    if (reply) {
        command->reply(&r->once, args);
    } else {
        command->encode(&r->once, 0, args);
    }
    size_t n = (size_t)(r->once.at - r->once.start);
    if (r->once.overflow || n <= head) {
        return;
    }
    n -= head;
    uint8_t *exact = malloc(n);
    if (exact == NULL) {
        return;
    }
    memcpy(exact, r->once.start + head, n);
    for (size_t i = 6; i + 3 <= count; i += 3) {
        exact[(size_t)(bytes[i] | bytes[i + 1] << 8) % n] ^= bytes[i + 2];
    }
    if (reply) {
        read_reply(r, command, exact, n);
    } else {
        const uint8_t *at = exact;
        bool read = read_one(r, command, &at, exact + n);
        FUZZ_CHECK(count >= 9 || (read && at == exact + n));
    }
    free(exact);
}

static struct room *room(void)
{
    static struct room *r;
    if (r == NULL) {
        r = calloc(1, sizeof *r);
        FUZZ_CHECK(r != NULL);
        vt_venus_arena_init(&r->read, (size_t)16 << 20);
        vt_venus_arena_init(&r->again, (size_t)64 << 20);
        vt_venus_arena_init(&r->seed, (size_t)64 << 20);
        vt_venus_out_init(&r->once, (size_t)4 << 20);
        vt_venus_out_init(&r->twice, (size_t)4 << 20);
    }
    r->once.overflow = r->twice.overflow = false;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 7) {
        return 0;
    }
    struct room *r = room();
    const uint8_t *at = bytes + 3, *end = bytes + count;
    switch (bytes[0] % 4) {
    case 0: /* commands, each with two bytes before it that say which */
        for (unsigned n = 0; n < COMMANDS_MAX && end - at >= 2; n++) {
            const struct vn_filled *command = command_of(at);
            at += 2;
            if (!read_one(r, command, &at, end)) {
                break;
            }
        }
        break;
    case 1:
        read_one(r, command_of(bytes + 1), &at, end);
        break;
    case 2:
        read_reply(r, command_of(bytes + 1), at, (size_t)(end - at));
        break;
    default:
        mutate(r, (bytes[0] & 4) != 0, bytes + 1, count - 1);
        break;
    }
    return 0;
}
