#!/usr/bin/env bash
# tests/system/trace_killed.sh - what is left of a trace when somebody is killed in the middle of it:
# QEMU, who writes the rings; the one who reads them; the one who writes a file. And rings and
# dictionaries that were written over: an error that says where.
. "$(dirname "$0")/lib.sh"

check=$VITRINE_BUILD/tests/system/check_stream
get() { awk -v key="$1" '$1 == key { print $2 }' "$2"; }
whole() { # WHAT KIND FILE: nothing in it that cannot have happened
    "$check" "$2" "$3" >"$scratch/whole" 2>"$scratch/err" || fail "$1: $(cat "$scratch/whole" "$scratch/err")"
    [ "$(get blocks "$scratch/whole")" -gt 10000 ] || fail "$1: only $(get blocks "$scratch/whole") blocks"
    note "$1: $(tr '\n' ' ' <"$scratch/whole")"
}

start_vm a --accel tcg --memory 128M
segment=/dev/shm/qemu_trace_$vm
wait_console 'shell ready' "$vm" 120s
guest_exec 'while :; do sh -c "ls -l /bin | md5sum"; done >/dev/null 2>&1 &'
qemu=$(vitrine info "$vm" --json | json 'd["qemu_pid"]')
has_blocks() { # FILE: whole chunks of it do, so far
    "$check" file "$1" >"$scratch/so_far" 2>/dev/null || true
    [ "$(get blocks "$scratch/so_far")" -gt 20000 ]
}

# A reader who writes a file is killed: the file is read up to its last whole chunk, the guest goes on
# without a reader, and another can come.
"$VITRINE" trace "$vm" --out "$scratch/cut.vtrace" 2>/dev/null &
reader=$!
wait_until 'events are written' has_blocks "$scratch/cut.vtrace"
kill -9 $reader
wait $reader 2>/dev/null || true
whole 'a file whose writer was killed' file "$scratch/cut.vtrace"
expect_eq 'it was not closed' 0 "$(get counted_blocks "$scratch/whole")"
expect_eq 'the guest goes on' alive "$(guest_exec 'echo alive')"
# Some code has a hundred instructions a block: enough of them for as many blocks as are wanted.
vitrine trace "$vm" --count 4000000 --out "$scratch/next.vtrace" 2>"$scratch/said"
whole 'the next file' file "$scratch/next.vtrace"
expect_match 'nothing was lost' ' 0 words were lost' "$(tr '\n' ' ' <"$scratch/said")"

# What somebody left recording is no part of what is asked for next.
vitrine trace "$vm" --leave
vitrine trace "$vm" --filter kernel --mode addresses --count 20000 --json 2>/dev/null >"$scratch/kernel.json"
python3 - "$scratch/kernel.json" <<'PYTHON'
import json, sys

blocks = [e for e in map(json.loads, open(sys.argv[1])) if e.get("kind", e.get("event")) == "block"]
assert len(blocks) > 100 and all(int(b["pc"], 16) >> 63 for b in blocks), blocks[:3]
assert any(b["accesses"] for b in blocks), blocks[:3]
PYTHON

# QEMU is killed while one reads: what it had written comes to the file, which is closed.
"$VITRINE" trace "$vm" --out "$scratch/killed.vtrace" 2>"$scratch/said" &
reader=$!
wait_until 'events are written' has_blocks "$scratch/killed.vtrace"
exec 7<"$segment" # goes with its VM
kill -9 "$qemu"
wait $reader || fail "the reader: $(cat "$scratch/said")"
expect_match 'said' 'the VM ended' "$(cat "$scratch/said")"
whole "QEMU killed, the reader's file" file "$scratch/killed.vtrace"
expect_eq 'words lost' 0 "$(get lost "$scratch/whole")"
exec 7<&-

# QEMU is killed while nobody reads: the rings' last records are whole.
start_vm b --accel tcg --memory 128M
wait_console 'shell ready' "$vm" 120s
guest_exec 'while :; do sh -c "ls -l /bin | md5sum"; done >/dev/null 2>&1 &'
vitrine trace "$vm" --leave --policy keep-last --mode values
qemu=$(vitrine info "$vm" --json | json 'd["qemu_pid"]')
exec 7<"/dev/shm/qemu_trace_$vm"
head_of() { od -An -t u8 -j 8192 -N 8 /proc/self/fd/7 | tr -d ' '; }
wrapped() { [ "$(head_of)" -gt 3000000 ]; } # of 2 Mi words
wait_until 'the ring is full' wrapped
kill -9 "$qemu"
gone() { [ ! -e "/proc/$qemu" ] || [ "$(awk '{ print $3 }' "/proc/$qemu/stat" 2>/dev/null)" = Z ]; }
wait_until 'QEMU is gone' gone
cp --sparse=always /proc/self/fd/7 "$scratch/segment"
exec 7<&-
whole 'QEMU killed, the rings' segment "$scratch/segment"
vitrine trace dump "$scratch/segment" --count 1000 >"$scratch/dump"
expect_eq 'dumped' true "$([ "$(wc -l <"$scratch/dump")" -gt 1000 ] && echo true)"
expect_match 'info' '"arch":"x86_64"' "$(vitrine trace info "$scratch/segment" --json)"

# broken WHAT REGEX PLACE VALUE: 8 bytes written over in a copy. Places are words of vCPU 0's page
# (page:N), its ring after the tail (ring:N), the dictionary (dictionary:N) and the header (header:N).
broken() {
    cp --sparse=always "$scratch/segment" "$scratch/broken"
    python3 - "$scratch/broken" "$3" "$4" <<'PYTHON'
import struct
import sys

path, (kind, n), value = sys.argv[1], sys.argv[2].split(":"), int(sys.argv[3], 0)
with open(path, "r+b") as f:
    header = f.read(80)
    words, = struct.unpack_from("<I", header, 28)
    vcpu, stride, dictionary = struct.unpack_from("<QQQ", header, 40)
    f.seek(vcpu + 64)
    tail, = struct.unpack("<Q", f.read(8))
    at = {"page": vcpu + 8 * int(n), "ring": vcpu + 4096 + (tail + int(n)) % words * 8,
          "dictionary": dictionary + 8 * int(n), "header": 8 * int(n)}[kind]
    f.seek(at)
    f.write(struct.pack("<Q", value))
PYTHON
    expect_status 1 vitrine trace dump "$scratch/broken"
    expect_match "$1" "$2" "$(cat "$scratch/err")"
    expect_eq "$1: lines of error" 1 "$(wc -l <"$scratch/err")"
}
broken 'a word of no kind' 'ring of vCPU 0 at word [0-9]+ \(0x7f00000000000001\)' ring:0 0x7f00000000000001
broken 'a block that is not there' 'vCPU 0 at word [0-9]+.*dictionary' ring:0 0x01000009ffffffff
broken 'a head too far' 'ring of vCPU 0: its head is' page:0 0xffffffffffff
broken 'a tail before all' 'ring of vCPU 0: its head is' page:8 0
broken 'a dictionary that lies' 'trace dictionary at 0x0' dictionary:0 0xffffffff
broken 'another version' 'version' header:1 0xffffffff
