#!/usr/bin/env bash
# tests/system/plugin_example.sh - the example plugin of docs/plugins.md in real QEMUs: which
# instructions of a program on bare metal write to its memory, and how often, is what the program's
# source says; and in a Linux guest it is steered while the guest runs.
. "$(dirname "$0")/lib.sh"

: "${VITRINE_BUILD:=$(dirname "$VITRINE")}"
card=$VITRINE_BUILD/guests/card/gpu-card-x86_64
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
program=${VITRINE_QEMU:-$cache/qemu/qemu-system-x86_64}
command -v nm >/dev/null || skip 'no nm'
[ -x "$program" ] || skip "no $program (tools/setup qemu)"

cat >"$scratch/writes.py" <<'PYTHON'
"""make FILE FIRST LAST | range FILE FIRST LAST | show FILE | expect FILE ROUNDS"""
import mmap
import struct
import sys
import zlib

HEAD, SLOT, SLOTS = struct.Struct("<8sIIQQIIQ"), struct.Struct("<QQQQ"), 4096
verb, path = sys.argv[1:3]
if verb == "make":
    with open(path, "wb") as f:
        first, last = (int(n, 0) for n in sys.argv[3:])
        f.write(HEAD.pack(b"VTWRITES", 1, SLOTS, first, last, 0, 0, 0))
        f.truncate(HEAD.size + SLOTS * SLOT.size)
    sys.exit()
with open(path, "r+b") as f:
    file = mmap.mmap(f.fileno(), 0)
if verb == "range":
    # Whoever reads between the two sees an empty range.
    first, last = (int(n, 0) for n in sys.argv[3:])
    for at, value in ((16, 1), (24, 0), (24, last), (16, first)):
        file[at:at + 8] = struct.pack("<Q", value)
    sys.exit()
head = HEAD.unpack_from(file, 0)
slots = [s for s in (SLOT.unpack_from(file, HEAD.size + i * SLOT.size) for i in range(SLOTS)) if s[0]]
total = sum(s[1] for s in slots)
if verb == "show":
    print(total)
    sys.exit()

# What the source (guests/card/compute_words.c) writes to its words: the same computation here.
M, WORDS, SORTED, CALLS = (1 << 64) - 1, 4096, 1024, 2048
rounds, moves, result = int(sys.argv[3]), 0, 0


def turn(a: int, b: int) -> int:
    return ((a << 7 | a >> 57) & M) ^ b


FUNCTIONS = [lambda a, b: (a + b) & M, turn, lambda a, b: a * (b | 1) & M,
             lambda a, b: a ^ (~b & M) if a < b else b]
for i in range(rounds):
    x, words = (result + i) | 1, []
    for _ in range(WORDS):
        x ^= x << 13 & M
        x ^= x >> 7
        x ^= x << 17 & M
        words.append(x)
    result = turn(result, zlib.crc32(struct.pack("<4096Q", *words)))
    gap = 364
    while gap > 0:
        for at in range(gap, SORTED):
            value = words[at]
            while at >= gap and words[at - gap] > value:
                words[at] = words[at - gap]
                at -= gap
                moves += 1
            words[at] = value
        gap //= 3
    for k in range(CALLS):
        result = FUNCTIONS[result >> 60 & 3](result, words[k])
placed = rounds * sum(SORTED - gap for gap in (364, 121, 40, 13, 4, 1))
assert head[7] == 0, f"{head[7]} writes found no slot"
assert head[6] == 1, "not told that QEMU ended"
assert total == rounds * WORDS + moves + placed, (total, rounds * WORDS, moves, placed)
assert sum(s[2] for s in slots) == 8 * total
# An instruction a purpose, or several where the compiler unrolled.
counts = sorted(s[1] for s in slots)
sums = {sum(c for k, c in enumerate(counts) if bits >> k & 1) for bits in range(1 << len(counts))}
assert len(counts) <= 16 and {rounds * WORDS, moves, placed} <= sums, counts
print(f"interface {head[5]}: {total} writes by {len(slots)} instructions")
PYTHON
writes() { python3 "$scratch/writes.py" "$@"; }

words=0x$(nm "$card" | awk '$3 == "load" { print $1 }')
bare_metal() { # QEMU INTERFACE
    writes make "$scratch/bare" "$words" $((words + 8 * 4096 - 1))
    timeout 300 "$1" -M microvm -accel tcg -cpu max -m 128M -nodefaults -no-user-config -display none \
        -serial "file:$scratch/serial" -no-reboot -kernel "$card" -append 'compute 40' \
        -plugin "file=$VITRINE_BUILD/plugins/vitrine-writes-$2.so,fd=9" 9<>"$scratch/bare" 2>"$scratch/err" ||
        fail "$(cat "$scratch/err" "$scratch/serial")"
    note "$(writes expect "$scratch/bare" 40)"
}

bare_metal "$program" 7
[ ! -x "$cache/old-qemus/trixie/qemu-system-x86_64" ] || bare_metal "$cache/old-qemus/trixie/qemu-system-x86_64" 4

# Beside our own plugin, behind QEMU's sandbox, and steered: what is written to the kernel's half.
chmod 711 "$scratch"
writes make "$scratch/live" 1 0
chmod 666 "$scratch/live"
start_vm b --memory 128M --qemu-arg -plugin \
    --qemu-arg "file=$VITRINE_BUILD/plugins/vitrine-writes-7.so,path=$scratch/live"
wait_console 'shell ready'
expect_eq 'an empty range' 0 "$(writes show "$scratch/live")"
some() { [ "$(writes show "$scratch/live")" -gt 0 ]; }
writes range "$scratch/live" 0xffff800000000000 0xffffffffffffffff
wait_until 'kernel writes are counted' some
writes range "$scratch/live" 1 0
vitrine pause "$vm"
before=$(writes show "$scratch/live")
vitrine resume "$vm"
guest_exec 'echo hello' >/dev/null
expect_eq 'an empty range again' "$before" "$(writes show "$scratch/live")"

# What is no file of its own stops QEMU, in words.
printf 'something else' >"$scratch/live"
expect_error 1 'vitrine-writes: not such a file|vitrine-writes: no file' vitrine run "$prefix-c" --qemu-arg -plugin \
    --qemu-arg "file=$VITRINE_BUILD/plugins/vitrine-writes-7.so,path=$scratch/live"
