#!/usr/bin/env bash
# tests/system/trace_live.sh - `vitrine trace VM` on a guest that runs: every mode, filters, what is
# left in the rings, and VMs that cannot be traced.
. "$(dirname "$0")/lib.sh"

events() { # JSON lines on stdin, an expression over the list `d`
    python3 -c "import json, sys; d = [json.loads(line) for line in sys.stdin]; print($1)"
}

start_vm a --accel tcg --memory 128M --add "$VITRINE_BUILD/tests/system/anywhere"
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

# One process: its programs and the kernel for it, under roots that differ in one bit at most.
pid=$(guest_exec 'sh -c "while :; do :; done" >/dev/null 2>&1 &
    until grep -q while /proc/$!/cmdline; do usleep 10000; done; echo $!')
vitrine trace "$vm" --filter "pid=${pid//[!0-9]/}" --count 200000 --json 2>/dev/null >"$scratch/process"
expect_eq 'one process alone' True "$(events '
    {int(e["root"], 16) & ~0x1000 for e in d if e["kind"] == "block"}.__len__() == 1 and
    any(int(e["pc"], 16) >> 63 == 0 for e in d if e["kind"] == "block")' <"$scratch/process")"
guest_exec "kill ${pid//[!0-9]/}" >/dev/null

# It is the same process when it executes another program, and when it ends, so does the trace.
pid=$(guest_exec 'mkfifo /run/go
    (read -r _ </run/go; exec sh -c "while :; do :; done") >/dev/null 2>&1 & echo $!')
pid=${pid//[!0-9]/}
seen() { od -An -t u4 -j 4100 -N 4 "$segment" | tr -d ' '; } # the generation that the plugin follows
before=$(seen)
"$VITRINE" trace "$vm" --filter "pid=$pid" --filter user --out "$scratch/followed.vtrace" 2>"$scratch/said" &
tracer=$!
steered() { [ "$(seen)" != "$before" ]; }
wait_until 'it is recorded' steered
guest_exec 'echo >/run/go' >/dev/null
many() { [ "$(vitrine trace dump "$scratch/followed.vtrace" --count 5000 | wc -l)" -ge 5000 ]; }
wait_until 'the other program is recorded' many
guest_exec "kill $pid" >/dev/null
wait $tracer || fail "the trace of a process that ended: $(cat "$scratch/said")"
expect_match 'said' 'the process ended' "$(cat "$scratch/said")"

# Two processes run one program at two places, and QEMU translates it for whichever runs first: a
# range is of the addresses at which it executes.
ranges=
for _ in 1 2; do
    process=$(guest_exec 'anywhere >/dev/null 2>&1 &
        until grep -q "r-xp.*anywhere" /proc/$!/maps; do usleep 10000; done; echo $!')
    process=${process//[!0-9]/}
    range=$(guest_exec "sed -n 's/^\\([0-9a-f]*\\)-\\([0-9a-f]*\\) r-xp.*anywhere/0x\\1-0x\\2/p' /proc/$process/maps" | tr -d '\r\n')
    expect_match 'where the program is' '^0x[0-9a-f]+-0x[0-9a-f]+$' "$range"
    ranges+="$range "
done
for range in $ranges; do
    vitrine trace "$vm" --filter "range=$range" --mode addresses --count 20000 --for 2m --json 2>/dev/null >"$scratch/range"
    expect_eq "instructions in $range, of $ranges" True "$(events "
        sum(len(e['instructions']) for e in d if e['kind'] == 'block') >= 20000 and
        all(${range%-*} <= int(e['pc'], 16) <= ${range#*-} for e in d if e['kind'] == 'block') and
        len({e['root'] for e in d if e['kind'] == 'block'}) == 1" <"$scratch/range")"
done
guest_exec 'killall anywhere' >/dev/null
expect_error 3 'has no process 999999 with memory of its own' vitrine trace "$vm" --filter pid=999999
expect_error 2 "'pid=x' is no process" vitrine trace "$vm" --filter pid=x
expect_error 2 '--mode: ' vitrine trace "$vm" --mode all

# A file holds what was seen; a name that is neither a VM nor a file is none.
vitrine trace "$vm" --count 5000 --out "$scratch/run.vtrace" --show --json >"$scratch/shown" 2>/dev/null
vitrine trace dump "$scratch/run.vtrace" --json >"$scratch/kept"
instructions='[i["pc"] for e in d if e["kind"] == "block" for i in e["instructions"]]'
expect_eq 'instructions in the file' "$(events "$instructions" <"$scratch/shown")" \
    "$(events "$instructions" <"$scratch/kept")"
expect_eq 'what it is of' "$vm x86_64" \
    "$(vitrine trace info "$scratch/run.vtrace" --json | json 'd["vm"] + " " + d["arch"]')"
expect_error 1 'exists' vitrine trace "$vm" --count 1 --out "$scratch/run.vtrace"
expect_error 3 'no VM named' vitrine trace dump "$prefix-none"

# A part of it: by number, by time, by what executed and what it touched. What a kernel does for processes
# that were killed may fill a recording.
both() {
    vitrine trace "$vm" --mode addresses --count 100000 --out "$scratch/part.vtrace" --replace 2>/dev/null &&
        vitrine trace dump "$scratch/part.vtrace" --json |
        events '{int(e["pc"], 16) >> 63 for e in d if e["kind"] == "block"} == {0, 1}' | grep -x True
}
wait_until 'a recording of user code and of the kernel' both
vitrine trace dump "$scratch/part.vtrace" --to 2000 --json >"$scratch/whole"
expect_eq 'events by number' "$(sed -n '501,700p' "$scratch/whole" | md5sum)" \
    "$(vitrine trace dump "$scratch/part.vtrace" --from 500 --to 700 --json | md5sum)"
when=$(sed -n 1500p "$scratch/whole" | json 'd["time_ns"]')
vitrine trace dump "$scratch/part.vtrace" --from "${when}ns" --count 200 --json >"$scratch/later"
expect_eq 'events by time' True "$(events "
    min(e['time_ns'] for e in d) == $when and len(d) == 200" <"$scratch/later")"
expect_eq 'nothing is before the beginning' 0 \
    "$(vitrine trace dump "$scratch/part.vtrace" --to 0 | wc -l)"
expect_eq 'user alone' True "$(vitrine trace dump "$scratch/part.vtrace" --filter user --count 500 --json |
    events 'len(d) > 0 and not any(int(e["pc"], 16) >> 63 for e in d if e["kind"] == "block")')"
touched=$(vitrine trace dump "$scratch/part.vtrace" --accesses --count 100 --json | tail -n 1 |
    json 'd["address"]')
expect_eq 'who touched it' True "$(vitrine trace dump "$scratch/part.vtrace" --accesses --count 20 \
    --address "$touched+1" --json | events "len(d) > 0 and
    all(int(a['address'], 16) <= $touched < int(a['address'], 16) + a['bytes'] for a in d)")"
expect_eq 'a line an access' 7 "$(vitrine trace dump "$scratch/part.vtrace" --accesses --count 7 | wc -l)"
expect_error 1 'event 99999999999 of' vitrine trace dump "$scratch/part.vtrace" --from 99999999999
expect_error 2 'is for recording' vitrine trace dump "$scratch/part.vtrace" --filter point=1
expect_error 2 'no range' vitrine trace dump "$scratch/part.vtrace" --address 5

# What is there stays what it is.
mkfifo "$scratch/fifo"
expect_error 1 'exists' vitrine trace "$vm" --count 1 --out "$scratch/fifo"
expect_error 1 'no plain file' vitrine trace "$vm" --count 1 --out "$scratch/fifo" --replace
[ -p "$scratch/fifo" ] || fail 'the FIFO was replaced'

# How much of it there is: the same numbers as the file's, and the parts are the whole.
vitrine trace stat "$scratch/part.vtrace" --json >"$scratch/stat"
vitrine trace dump "$scratch/part.vtrace" --json >"$scratch/whole"
expect_eq 'instructions' "$(events 'sum(len(e["instructions"]) for e in d if e["kind"] == "block")' \
    <"$scratch/whole")" "$(json 'd["instructions"]' <"$scratch/stat")"
expect_eq 'stores' "$(events 'sum(a["store"] for e in d if e["kind"] == "block" for a in e["accesses"])' \
    <"$scratch/whole")" "$(json 'd["stores"]' <"$scratch/stat")"
expect_eq 'parts' true "$(json '(
    all(sum(r["instructions"] for r in d[t]) == d["instructions"] for t in ("classes", "vcpus")) and
    sum(r["loads"] for r in d["sizes"]) == d["loads"] == sum(r["loads"] for r in d["classes"]) and
    0 < sum(r["instructions"] for r in d["time"]) <= d["instructions"] and d["data_pages"] > 0)' <"$scratch/stat")"
says_classes() { vitrine trace stat "$vm" --for 100ms --filter kernel >"$scratch/people" && grep -q 'Instructions by class' "$scratch/people"; }
wait_until 'for people' says_classes
expect_error 2 '--from and --to are of what was recorded' vitrine trace stat "$vm" --for 1s --from 1

# Counting goes on without us, and top shows it.
vitrine trace "$vm" --mode count --leave
counted() { vitrine top "$vm" --once --json | json 'd[0]["instructions_per_s"] > 0' | grep -x true; }
wait_until 'top shows instructions' counted
vitrine trace "$vm" --mode off
expect_eq 'none are counted any more' null \
    "$(vitrine top "$vm" --once --json | json 'd[0]["instructions_per_s"]')"

# A flight recorder: set and left, looked at without disturbing it, ended.
vitrine trace "$vm" --leave --policy keep-last
guest_exec true
vitrine trace "$vm" --mode off
# A segment alone has no names.
shown='[(e["kind"], e.get("pc"), e["sequence"], e["time_ns"]) for e in d]'
vitrine trace dump "$vm" --count 5000 --json | events "$shown" >"$scratch/first"
vitrine trace dump "$segment" --count 5000 --json | events "$shown" >"$scratch/second"
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
