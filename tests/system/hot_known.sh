#!/usr/bin/env bash
# tests/system/hot_known.sh - what is learned of a program equals what its source says, number by
# number: loops, nesting, trips, kinds of work, sequences; from a VM that runs and from a file.
. "$(dirname "$0")/lib.sh"

[ -x "$VITRINE_BUILD/tests/system/hot-known" ] || skip 'the guest program is of another machine'
start_vm a --memory 256M --accel tcg --add "$VITRINE_BUILD/tests/system/hot-known"
segment=$(vitrine info "$vm" --json | json 'd["trace_path"] or ""')
[ -n "$segment" ] || skip "$(vitrine info "$vm" --json | json 'd["trace_why"]')"
wait_console 'shell ready'
can=$("$VITRINE_BUILD/tests/system/raw_ring" counters "$segment" | awk '$1 == "capabilities" { print $2 }')
[ $((can & 1)) = 1 ] || skip 'this QEMU does not tell where faults cut blocks short'
guest_exec 'mkfifo /run/in; setsid hot-known >/run/where 2>&1 <>/run/in &
    until grep -q ready /run/where; do usleep 10000; done; cat /run/where' | tr -d '\r' >"$scratch/where"
at() { awk -v name="$1" '$1 == name { print $2 }' "$scratch/where"; }
its_pid() { pid=$(vitrine ps "$vm" --json | json '[p["pid"] for p in d["processes"] if p["comm"] == "hot-known"][0]'); }
wait_until 'it is among the processes' its_pid
known="range=$(at begin)-$(at end)"

# once VERB…: the loops run one time while the command records; it is then asked to end.
once() {
    "$VITRINE" "$@" &
    local recorder=$!
    wait_recording
    guest_exec ': >/run/where; echo >/run/in
        until grep -q done /run/where; do usleep 10000; done' >/dev/null
    kill -TERM "$recorder"
    wait "$recorder"
}

once hot "$vm" --filter "pid=$pid" --filter "$known" --for 5m --top 1000 --json >"$scratch/live"
once trace "$vm" --filter user --filter "$known" --out "$scratch/known.vtrace" 2>"$scratch/said"
vitrine hot "$scratch/known.vtrace" --top 1000 --json >"$scratch/file"
# The whole process: what else it does, once, is beside the loops and changes nothing of them.
once hot "$vm" --pid "$pid" --user --for 5m --top 1000 --json >"$scratch/whole"

for of in live file whole; do
    python3 "$(dirname "$0")/trace/hot_known.py" "$scratch/where" "$scratch/$of" "$of" \
        "$VITRINE_BUILD/tests/system/hot-known" ||
        fail "$of: what was learned is not what the source says"
done

# A loop's hash is that of its code, whoever recorded it.
hashes() { json '" ".join(sorted(l["hash"] for l in d["loops"] if l["depth"] > 1))' <"$scratch/$1"; }
expect_eq 'hashes' "$(hashes live)" "$(hashes file)"

# As text: where the guest went, instruction by instruction.
vitrine hot "$scratch/known.vtrace" --only loops --asm --top 1 >"$scratch/text"
expect_eq 'one table' Loops "$(grep -E '^[A-Z][a-z]+$' "$scratch/text" | tr -d '\n')"
expect_match 'an instruction' ' 300000  0x[0-9a-f]+  imul rax, rax, 0x4d
 +300000  0x[0-9a-f]+  rol rax, 0x9
 +300000  0x[0-9a-f]+  dec ecx
 +300000  0x[0-9a-f]+  jnz 0x[0-9a-f]+   ; taken 99.6 %' "$(cat "$scratch/text")"
