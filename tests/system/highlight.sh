#!/usr/bin/env bash
# tests/system/highlight.sh - highlights of a VM that runs: where memory of a kind lies is held
# against the guest's own page map, and pictures show what was named.
. "$(dirname "$0")/lib.sh"

start_vm a --memory 128M
wait_services

# ---- runs, against /proc/PID/pagemap and what the guest counts -----------------------------------

pid=$(guest_exec 'pidof httpd' | tr -d '\r')
runs() { vitrine highlight "$vm" "$@" --json | json 'd["runs"]'; }
same_pages() { # KIND FROM TO: as numbers of pages
    guest_exec "dd if=/proc/$pid/pagemap bs=8 skip=$(($2 / 4096)) count=$((($3 - $2) / 4096)) \
2>/dev/null | gzip | base64" | tr -d '\r' | base64 -d | gunzip >"$scratch/pagemap"
    runs --pid "$pid" --area "$1" | python3 -c '
import json, struct, sys
first, path = int(sys.argv[1], 16) >> 12, sys.argv[2]
want, got = {}, {}
for i, (entry,) in enumerate(struct.iter_unpack("<Q", open(path, "rb").read())):
    if entry >> 63:
        want[first + i] = entry & (1 << 55) - 1
for run in json.load(sys.stdin):
    assert run["pid"] == int(sys.argv[3]) and run["kind"] == sys.argv[4], run
    for i in range(run["bytes"] >> 12):
        got[(int(run["virtual"], 16) >> 12) + i] = (int(run["physical"], 16) >> 12) + i
assert want and want == got, (want, got)
print(len(want))' "$2" "$scratch/pagemap" "$pid" "$1"
}
for kind in heap stack; do
    range=$(guest_exec "grep '\\[$kind\\]' /proc/$pid/maps" | tr -d '\r')
    range=${range%% *}
    pages=$(same_pages "$kind" "0x${range%-*}" "0x${range#*-}")
    note "$kind of $pid: $pages pages as in its page map"
done
rss=$(guest_exec "awk '/^Rss/ { n += \$2 } END { print n }' /proc/$pid/smaps" | tr -d '\r')
expect_eq 'all of its memory in KiB' "$rss" \
    "$(runs --pid "$pid" | python3 -c 'import json, sys; print(sum(r["bytes"] for r in json.load(sys.stdin)) >> 10)')"
tables=$(guest_exec "awk '/^VmPTE/ { print \$2 }' /proc/$pid/status" | tr -d '\r')
expect_eq 'its page tables in KiB' "$tables" "$(runs --pid "$pid" --area page_tables | python3 -c '
import json, sys
print(sum(r["bytes"] for r in json.load(sys.stdin) if r["level"] <= 3) >> 10)')"
guest_exec 'grep Kernel /proc/iomem' | tr -d '\r' >"$scratch/iomem"
runs --area kernel >"$scratch/kernel"
python3 - "$scratch/iomem" "$scratch/kernel" <<'END'
import json, sys
names = {"code": "kernel_text", "rodata": "kernel_rodata", "data": "kernel_data", "bss": "kernel_bss"}
runs = {r["kind"]: (int(r["physical"], 16), int(r["physical"], 16) + r["bytes"]) for r in json.load(open(sys.argv[2]))}
lines = open(sys.argv[1]).read().split("\n")[:-1]
assert len(lines) == 4, lines
for line in lines:
    span, _, name = line.partition(" : ")
    first, last = (int(x, 16) for x in span.split("-"))
    assert runs[names[name.split()[-1]]] == (first, last + 4096 & ~4095), (line, runs)
END

# ---- kept, listed, replaced, removed -------------------------------------------------------------

expect_eq 'none at first' '[]' "$(vitrine highlight "$vm" --json | json 'd["highlights"]')"
vitrine shot "$vm" "$scratch/none.png" --pause
expect_eq 'made' slab "$(vitrine highlight "$vm" slab --area slab --json | json 'd["highlights"][0]["name"]')"
vitrine highlight "$vm" httpd --pid "$pid" --area heap --area stack --colour lime
vitrine highlight "$vm" low --gpa 0x1001 --gpa 0x2000 --bytes 1 --bytes 8K --label 'two and a half'
expect_eq 'in the order of their making' '["slab", "httpd", "low"]' \
    "$(vitrine highlight "$vm" --json | json '[h["name"] for h in d["highlights"]]')"
expect_eq 'labels' '["slab", "httpd heap, stack", "two and a half"]' \
    "$(vitrine highlight "$vm" --json | json '[h["label"] for h in d["highlights"]]')"
expect_eq 'whole pages, joined' '[12288, 1, "#ff3fd8"]' \
    "$(vitrine highlight "$vm" low --json | json '[(h["bytes"], h["runs"], h["colour"]) for h in d["highlights"]][0]')"
vitrine highlight "$vm" low --gpa 0x100000 --colour '#102030'
expect_eq 'replaced' '["low", 4096, "#102030", "low"]' \
    "$(vitrine highlight "$vm" --json | json '[[h["name"], h["bytes"], h["colour"], h["label"]] for h in d["highlights"]][2]')"

expect_status 1 vitrine highlight "$vm" bad --gpa 0x80000000
expect_status 2 vitrine highlight "$vm" bad --area heaps
expect_status 2 vitrine highlight "$vm" bad --area slab --colour pink
expect_status 2 vitrine highlight "$vm" bad --gpa 0 --gpa 1 --bytes 1
expect_status 2 vitrine highlight "$vm" slab --remove --area slab
expect_status 3 vitrine highlight "$vm" nothing --remove
expect_status 3 vitrine highlight "$vm" bad --pid 99999 --area heap
expect_eq 'nothing came of those' 3 "$(vitrine highlight "$vm" --json | json 'len(d["highlights"])')"

# ---- in the picture -----------------------------------------------------------------------------

vitrine pause "$vm"
vitrine shot "$vm" "$scratch/shown.png" --json >"$scratch/shown"
expect_eq 'in its JSON' '["slab", "httpd", "low"]' "$(json '[h["name"] for h in d["highlights"]]' <"$scratch/shown")"
vitrine shot "$vm" "$scratch/hidden.png" --no-highlights
vitrine highlight "$vm" slab --remove
vitrine highlight "$vm" --clear
expect_eq 'all gone' '[]' "$(vitrine highlight "$vm" --json | json 'd["highlights"]')"
vitrine shot "$vm" "$scratch/cleared.png"
cmp -s "$scratch/shown.png" "$scratch/hidden.png" && fail '--no-highlights changes nothing'
same_pictures() { # but for the seconds in the title
    python3 - "$@" <<'END'
import sys, zlib
def rows(path):
    data, at, out = open(path, "rb").read(), 8, b""
    while at < len(data):
        n = int.from_bytes(data[at:at + 4], "big")
        out += data[at + 8:at + 8 + n] if data[at + 4:at + 8] == b"IDAT" else b""
        at += 12 + n
    return zlib.decompress(out)
a, b = (rows(p) for p in sys.argv[1:3])
sys.exit(a[len(a) // 8:] != b[len(b) // 8:])
END
}
same_pictures "$scratch/hidden.png" "$scratch/cleared.png" || fail 'without highlights the picture differs'
vitrine resume "$vm"

# A file that somebody damaged: said, left as it is, and no picture fails for it.
echo '{"highlights": 7}' >"$VITRINE_RUNTIME_DIR/$vm/highlights.json"
expect_status 1 vitrine highlight "$vm"
expect_match 'says which' 'highlights.json' "$(cat "$scratch/err")"
expect_status 0 vitrine shot "$vm" "$scratch/damaged.png"
expect_match 'is noted' 'left out' "$(cat "$scratch/err")"
vitrine highlight "$vm" --clear
vitrine highlight "$vm" slab --area slab >"$scratch/out"

# They end with the VM.
vitrine kill "$vm"
[ ! -e "$VITRINE_RUNTIME_DIR/$vm" ] || fail 'the directory is still there'
