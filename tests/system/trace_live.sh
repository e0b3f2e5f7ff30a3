#!/usr/bin/env bash
# tests/system/trace_live.sh - `vitrine trace VM` on a guest that runs: every mode, filters, what is
# left in the rings, and VMs that cannot be traced.
. "$(dirname "$0")/lib.sh"

events() { # JSON lines on stdin, an expression over the list `d`
    python3 -c "import json, sys; d = [json.loads(line) for line in sys.stdin]; print($1)"
}

start_vm a --accel tcg --memory 128M
wait_console 'shell ready'
segment=$(vitrine info "$vm" --json | json 'd["trace_path"]')
expect_eq 'segment' "/dev/shm/qemu_trace_$vm" "$segment"
expect_eq 'mode of the segment' 600 "$(stat -c %a "$segment")"

guest_exec 'while :; do :; done >/dev/null 2>&1 & echo busy' >/dev/null

# Blocks: each instruction follows from the one before, but for what says that it does not.
vitrine trace "$vm" --count 20000 --json >"$scratch/blocks" 2>"$scratch/said"
expect_eq 'enough was shown' True \
    "$(events 'sum(len(e["instructions"]) for e in d if e["kind"] == "block") >= 20000' <"$scratch/blocks")"
expect_eq 'bytes of a block follow each other' True "$(events '
    all(a["pc"] == hex(int(b["pc"], 16) + b["size"]) for e in d if e["kind"] == "block"
        for b, a in zip(e["instructions"], e["instructions"][1:]))' <"$scratch/blocks")"
expect_match 'summary' 'instructions ran in .* words were lost' "$(tr '\n' ' ' <"$scratch/said")"

# Each mode has what those before have.
expect_match 'a count' '"instructions":[0-9]+,"seconds"' "$(vitrine trace "$vm" --mode count --for 100ms --json)"
vitrine trace "$vm" --mode addresses --count 2000 --json 2>/dev/null >"$scratch/addresses"
expect_eq 'accesses without values' True "$(events '
    any(e["accesses"] for e in d if e["kind"] == "block") and
    not any("value" in a for e in d if e["kind"] == "block" for a in e["accesses"])' <"$scratch/addresses")"
vitrine trace "$vm" --mode values --count 2000 --json 2>/dev/null >"$scratch/values"
expect_eq 'accesses with values' True "$(events '
    all("value" in a for e in d if e["kind"] == "block" for a in e["accesses"])' <"$scratch/values")"

# A filter, and words that are none.
vitrine trace "$vm" --filter kernel --count 2000 --json 2>/dev/null >"$scratch/kernel"
expect_eq 'kernel alone' True "$(events '
    all(int(e["pc"], 16) >> 63 for e in d if e["kind"] == "block")' <"$scratch/kernel")"
expect_error 2 "'x' is none of kernel" vitrine trace "$vm" --filter x
expect_error 2 '--mode: ' vitrine trace "$vm" --mode all

# A flight recorder: set and left, looked at without disturbing it, ended.
vitrine trace "$vm" --leave --policy keep-last
guest_exec true
vitrine trace "$vm" --mode off
vitrine trace dump "$vm" --count 5000 >"$scratch/first"
vitrine trace dump "$segment" --count 5000 >"$scratch/second"
[ -s "$scratch/first" ] || fail 'the rings are empty'
cmp "$scratch/first" "$scratch/second" || fail 'looking at the rings changed them'

# The guest goes on, and the segment goes with the VM.
expect_eq 'the guest goes on' hello "$(guest_exec 'echo hello')"
vitrine kill "$vm"
[ ! -e "$segment" ] || fail 'the segment outlives its VM'

start_vm b --memory 96M --accel tcg --paused --no-trace
expect_error 1 "$vm cannot be traced: started without the plugin" vitrine trace "$vm" --count 1
expect_error 3 "no VM named '$prefix-none'" vitrine trace "$prefix-none"
vitrine kill "$vm"
vitrine run "$vm" --again
expect_error 1 'cannot be traced' vitrine trace "$vm" --count 1
vitrine kill "$vm"
