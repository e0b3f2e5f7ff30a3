#!/usr/bin/env bash
# tests/system/hot.sh - `vitrine hot` on a program whose source says what it does: each of its loops
# with its trip count, its share of the instructions and its kind, and its sequences.
. "$(dirname "$0")/lib.sh"

[ -x "$VITRINE_BUILD/tests/system/hot-loops" ] || skip 'the guest program is of another machine'
start_vm a --memory 256M --accel tcg --add "$VITRINE_BUILD/tests/system/hot-loops"
[ "$(vitrine info "$vm" --json | json 'd["trace_path"] is not None')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd["trace_why"]')"
wait_console 'shell ready'
guest_exec 'setsid hot-loops >/run/where 2>&1 </dev/null &
    until grep -q ready /run/where; do usleep 10000; done; cat /run/where' | tr -d '\r' >"$scratch/where"

pid=$(guest_exec 'pidof hot-loops' | tr -d '\r')
# hot_of NAME INSTRUCTIONS [option...]: what runs, to $scratch/NAME, as soon as so much did: it may have
# to wait for a CPU.
hot_of() {
    vitrine hot "$vm" --json "${@:3}" >"$scratch/$1"
    [ "$(json "d['instructions'] > $2" <"$scratch/$1")" = true ]
}
wait_until 'its loops run' hot_of hot 1000000 --user --pid "$pid" --for 1s
python3 - "$scratch/hot" "$scratch/where" <<'PYTHON'
import json, sys

hot = json.load(open(sys.argv[1]))
where = dict(line.split() for line in open(sys.argv[2]) if " 0x" in line)
# Of one turn: instructions, trips, work.
turn = {
    "chase": (3000, 1000, "pointer chasing"),
    "stream": (2000, 500, "streaming"),
    "outer": (20 * 403, 20, "simple ALU"),
    "inner": (8000, 100, "simple ALU"),
    "float": (800, 200, "floating point"),
}
total = 3000 + 2000 + 20 * 403 + 800
loops = {loop["address"]: loop for loop in hot["loops"]}

assert hot["lost_words"] == 0 and not hot["truncated"], hot
# Signals go to their handlers through the kernel, which is not recorded here.
assert hot["unexplained"] < 100, hot
for name, (instructions, trips, work) in turn.items():
    loop = loops.get(where[name])
    assert loop, f"{name}: no loop at {where[name]} in {sorted(loops)}"
    assert loop["process"] == "hot-loops", loop
    assert loop["work"] == work, f"{name}: {loop['work']}"
    assert loop["depth"] == (3 if name == "inner" else 2), f"{name}: depth {loop['depth']}"
    # What ran when the recording began and ended is cut: one turn of those that were recorded.
    turns = loop["iterations"] / trips / (20 if name == "inner" else 1)
    assert turns > 10, f"{name}: {turns} turns, which tell nothing"
    assert abs(loop["trips"] - trips) < trips * (0.01 + 1 / turns), f"{name}: {loop['trips']} trips"
    share = 100 * instructions / total
    assert abs(loop["percent"] - share) < share * (0.01 + 2 / turns), f"{name}: {loop['percent']} of {share} %"

# The hottest sequences are the four inner loops, whole, and what three of them and the outer one
# have in common; each as often as its loops went round.
expected = {
    "imul r,r,i; rol r,i; dec r; jnz i": ["inner"],
    "dec r; jnz i": ["inner", "stream", "float", "outer"],
    "mov r,m; test r,r; jnz i": ["chase"],
    "add r,m; add r,i; dec r; jnz i": ["stream"],
    "mulsd v,v; addsd v,v; dec r; jnz i": ["float"],
}
shown = [s["sequence"] for s in hot["sequences"][:5]]
assert shown == list(expected), shown
for sequence in hot["sequences"][:5]:
    want = sum(loops[where[name]]["iterations"] for name in expected[sequence["sequence"]])
    assert abs(sequence["count"] - want) <= want * 0.001, (sequence, want)
# The hottest path goes round in the inner loop; the hottest block is that loop.
assert hot["blocks"][0]["address"] == hot["paths"][0]["address"] == where["inner"]
assert hot["blocks"][0]["first"].startswith("imul "), hot["blocks"][0]
PYTHON

# It leaves nothing on: another one can follow. The kernel's functions have names.
wait_until 'the kernel runs' hot_of kernel 10000 --kernel --top 100 --for 500ms
expect_eq 'kernel alone' '["kernel"]' \
    "$(json 'sorted({f["process"] for f in d["functions"]})' <"$scratch/kernel")"
expect_eq 'names' true "$(json 'any("irq" in f["place"] for f in d["functions"])' <"$scratch/kernel")"
tables() {
    vitrine hot "$vm" --for 200ms --top 3 >"$scratch/table"
    grep -E '^[A-Z][a-z]+$' "$scratch/table" | tr '\n' ' ' | grep -x 'Loops Functions Sequences Paths Blocks '
}
wait_until 'there are tables of all kinds' tables

expect_status 2 vitrine hot "$vm" --top 0
expect_status 2 vitrine hot ./none.vtrace --user
expect_status 3 vitrine hot ./none.vtrace
expect_status 1 vitrine hot "$0"
expect_status 3 vitrine hot "$prefix-none"
