#!/usr/bin/env bash
# tests/system/trace_export.sh - a trace of a program that is known, in every format: what others read
# is what was recorded. And two runs of it, which differ where their argument says.
. "$(dirname "$0")/lib.sh"

program=$VITRINE_BUILD/tests/system/two-ways
[ -x "$program" ] || skip 'the guest program is of another machine'
start_vm a --memory 128M --accel tcg --add "$program"
[ "$(vitrine info "$vm" --json | json 'd["trace_path"] is not None')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd["trace_why"]')"
wait_console 'shell ready'

# The address of a function of the program.
address_of() {
    python3 - "$program" "$1" <<'PYTHON'
import struct, sys
elf = open(sys.argv[1], "rb").read()
shoff, = struct.unpack_from("<Q", elf, 40)
size, n = struct.unpack_from("<HH", elf, 58)
sections = [struct.unpack_from("<IIQQQQIIQQ", elf, shoff + i * size) for i in range(n)]
for s in sections:
    if s[1] == 2:
        names = sections[s[6]][4]
        for at in range(s[4], s[4] + s[5], 24):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", elf, at)
            if elf[names + name:].split(b"\0")[0].decode() == sys.argv[2]:
                print(hex(value))
PYTHON
}

# record FILE ARGUMENT [option of trace...]: a run of the program, from before it begins.
record() {
    local file=$1 way=$2 recorder
    shift 2
    "$VITRINE" trace "$vm" "$@" --out "$file" 2>"$file.said" &
    recorder=$!
    recording() { guest_exec true && [ "$(vitrine trace dump "$file" --count 1 | wc -l)" -gt 0 ]; }
    wait_until 'the recording has begun' recording
    guest_exec "two-ways $way; two-ways $way" >/dev/null
    kill -TERM "$recorder"
    wait "$recorder" || fail "the recording ended with status $?: $(cat "$file.said")"
}
run=$(address_of run) left_at=$(address_of left) right_at=$(address_of right) work=$(address_of work)
# The program lies where no other does (meson.build).
alone=(--filter "range=0x10000000+0x10000")
record "$scratch/a.vtrace" a --mode times "${alone[@]}"
record "$scratch/a2.vtrace" a "${alone[@]}"
record "$scratch/b.vtrace" b "${alone[@]}"

guest_exec 'while :; do cat /proc/self/maps; done >/dev/null & echo busy' >/dev/null
vitrine trace "$vm" --mode times --count 1000000 --out "$scratch/all.vtrace" 2>/dev/null
vitrine kill "$vm"

export_as() { # FILE FORMAT [option...]: to $scratch/FILE.FORMAT
    vitrine trace export "$scratch/$1.vtrace" --out "$scratch/$1.$2" "${@:3}" 2>"$scratch/said"
}
for format in collapsed svg json pftrace dot; do
    export_as all "$format"
    export_as a "$format"
done
export_as a csv --rows blocks
export_as all csv

# The same instructions, whichever way they are counted.
instructions=$(grep -oE '^[0-9]+ instructions' "$scratch/said" | cut -d' ' -f1)
expect_eq 'rows of instructions' "$instructions" "$(($(wc -l <"$scratch/all.csv") - 1))"
expect_eq 'weights of stacks' "$instructions" "$(awk '{ n += $NF } END { print n }' "$scratch/all.collapsed")"

python3 - "$scratch" "$run" "$work" "$left_at" <<'PYTHON'
import collections, csv, json, sys, xml.etree.ElementTree as ET
scratch, run, work, left = sys.argv[1:]

# The program's stack, and its functions' instructions as often as its source says.
entries, roots = collections.Counter(), collections.Counter()
with open(f"{scratch}/a.csv", newline="") as f:
    rows = csv.DictReader(f)
    for row in rows:
        assert None not in row.values() and None not in row, row
        entries[row["pc"]] += 1
        if row["pc"] == run:
            roots[row["root"]] += 1
assert entries[run] == 2 and entries[work] == 2000 and entries[left] == 2000, (entries[run], entries[work])
found = {}
for line in open(f"{scratch}/a.collapsed"):
    stack, weight = line.rsplit(" ", 1)
    frames = stack.split(";")
    for name, address in ("work", work), ("left", left):
        if frames[-1] in (name, address) or frames[-1].endswith(":" + address):
            assert "?" in frames and len(frames) >= 3, frames
            found[name] = found.get(name, 0) + int(weight)
# A turn of the loop in work has 5 to 8 instructions, as compilers go.
assert 2000 * 20 * 4 < found["work"] < 2000 * 20 * 9, found
assert 2000 * 2 <= found["left"] < 2000 * 9, found

# A frame's width is its share; children lie within it.
svg = ET.parse(f"{scratch}/all.svg").getroot()
ns = "{http://www.w3.org/2000/svg}"
frames = [g for g in svg.iter(ns + "g") if g.get("class") == "f"]
assert len(frames) > 10
assert abs(float(frames[0].find(ns + "rect").get("width")) - 1180) < 0.1
assert svg.find(ns + "script").text.strip().startswith("//")
assert roots, "the program's root"

# Slices nest and time does not go back on a thread.
def check(name):
    trace = json.load(open(f"{scratch}/{name}.json"))["traceEvents"]
    open_slices, last = collections.defaultdict(list), collections.defaultdict(float)
    for e in trace:
        if e["ph"] in "BEi":
            key = e["pid"], e["tid"]
            assert e["ts"] >= last[key], e
            last[key] = e["ts"]
        if e["ph"] == "B":
            open_slices[key].append(e["name"])
        elif e["ph"] == "E":
            open_slices[key].pop()
    assert not any(open_slices.values())
    return trace
trace = check("a")
assert sum(e["name"] in ("work", work) or e["name"].endswith(":" + work) for e in trace if e["ph"] == "B") == 2000
trace = check("all")
threads = {e["args"]["name"] for e in trace if e["ph"] == "M"}
assert {"vCPUs", "vCPU 0", "on vCPU 0"} <= threads, threads
assert any(e["ph"] == "i" for e in trace)
assert {"kernel", "vcpu"} <= {e["cat"] for e in trace if e["ph"] == "B"}
json.dump({"begun": sum(e["ph"] == "B" for e in trace), "ended": sum(e["ph"] == "E" for e in trace)},
          open(f"{scratch}/counts", "w"))
PYTHON

# Perfetto's format, read by protoc from the fields that its documentation names.
if command -v protoc >/dev/null; then
    cat >"$scratch/trace.proto" <<'PROTO'
syntax = "proto2";
message Thread { optional int32 pid = 1; optional int32 tid = 2; optional string thread_name = 5; }
message Process { optional int32 pid = 1; optional string process_name = 6; }
message Track { optional uint64 uuid = 1; optional Process process = 3; optional Thread thread = 4;
                optional uint64 parent_uuid = 5; }
message Name { optional uint64 iid = 1; optional string name = 2; }
message Interned { repeated Name event_names = 2; }
message Event { enum Type { NONE = 0; SLICE_BEGIN = 1; SLICE_END = 2; INSTANT = 3; }
                optional Type type = 9; optional uint64 name_iid = 10; optional uint64 track_uuid = 11;
                repeated string categories = 22; }
message Packet { optional uint64 timestamp = 8; optional uint32 sequence = 10; optional Event event = 11;
                 optional Interned interned = 12; optional uint32 flags = 13; optional Track track = 60; }
message Trace { repeated Packet packet = 1; }
PROTO
    protoc --decode=Trace -I "$scratch" "$scratch/trace.proto" <"$scratch/all.pftrace" >"$scratch/decoded"
    ! grep -qE '^ *[0-9]+[:{ ]' "$scratch/decoded" || fail 'a field that Perfetto does not have'
    for what in BEGIN:begun END:ended; do
        expect_eq "slices ${what#*:}" "$(json "d['${what#*:}']" <"$scratch/counts")" \
            "$(grep -c "type: SLICE_${what%:*}" "$scratch/decoded")"
    done
    expect_match 'names' 'process_name: "vCPUs"' "$(cat "$scratch/decoded")"
fi
if command -v dot >/dev/null; then
    nop "$scratch/all.dot" >/dev/null || fail 'graphviz does not read the graph'
    export_as a dot --blocks 12
    # Graphviz 2.43 cannot lay curves around the nodes of some graphs.
    dot -Gsplines=line -Tsvg "$scratch/a.dot" >"$scratch/flow.svg" || fail 'graphviz does not draw the graph'
    expect_match 'the hottest block is in it' 'cluster_' "$(cat "$scratch/flow.svg")"
fi

# Two runs each, the same to the last instruction; and one by its process.
expect_status 0 vitrine trace diff "$scratch/a.vtrace" "$scratch/a2.vtrace" --json
expect_eq 'instructions that are equal' true "$(json 'd["equal"] and d["instructions_equal"] > 150000' <"$scratch/out")"
root_of() { # FILE
    vitrine trace export "$1" --format csv --rows blocks 2>/dev/null |
        python3 -c 'import csv, sys; print(next(csv.DictReader(sys.stdin))["root"])'
}
expect_status 0 vitrine trace diff "$scratch/a.vtrace" "$scratch/a2.vtrace" --from "$run" --prefix --relocate \
    --process "$(root_of "$scratch/a.vtrace")" --process "$(root_of "$scratch/a2.vtrace")"

# The other way once: at the end of the turn, into the other function, and together again.
expect_status 1 vitrine trace diff "$scratch/a2.vtrace" "$scratch/b.vtrace" --count 0 --json
python3 - "$scratch/out" "$left_at" "$right_at" <<'PYTHON'
import json, sys
d = json.load(open(sys.argv[1]))
left, right = sys.argv[2:]
assert len(d["divergences"]) == 2, len(d["divergences"])
first = d["divergences"][0]
assert first["met"] and first["kind"] == "instructions", first
assert first["before"], first
pcs = {side: [i["pc"] for i in first[side]] for side in "ab"}
# Compilers may test before or after; the function is the next that is entered.
assert left in pcs["a"] or right in pcs["b"], pcs
assert 0 < first["skipped_b"] < 200 and first["skipped_a"] < 20, first
assert d["instructions_equal"] > 150000, d["instructions_equal"]
PYTHON
expect_match 'for people' 'they meet again after' \
    "$(vitrine trace diff "$scratch/a2.vtrace" "$scratch/b.vtrace" || :)"

expect_status 2 vitrine trace export "$scratch/a.vtrace" --format pdf
expect_status 3 vitrine trace export "$scratch/none.vtrace"
expect_status 3 vitrine trace diff "$scratch/a.vtrace" "$scratch/none.vtrace"
expect_status 3 vitrine trace diff "$scratch/a.vtrace" "$scratch/b.vtrace" --process no-such-process
expect_status 2 vitrine trace diff "$scratch/a.vtrace" "$0"
