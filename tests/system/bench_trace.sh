#!/usr/bin/env bash
# tests/system/bench_trace.sh - `vitrine bench trace` measures, in numbers that agree with each other.
. "$(dirname "$0")/lib.sh"

vitrine bench trace --rounds 1 --workload compute --compute 100 --peers "$scratch" --json >"$scratch/bench" 2>"$scratch/err" ||
    fail "$(cat "$scratch/err")"
python3 - "$scratch/bench" <<'PYTHON'
import json
import sys

bench = json.load(open(sys.argv[1]))
assert bench["rounds"] == 1 and bench["peers"] == [], bench
modes = {(m["mode"], m["consumer"]): m for m in bench["modes"]}
assert set(mode for mode, _ in modes) == {"none", "idle", "count", "blocks", "times", "addresses", "values"}
assert {consumer for mode, consumer in modes if mode == "values"} == {"none", "decode", "store"}
count = modes["count", "none"]["instructions"]
for name, m in modes.items():
    assert m["workload"] == "compute", m
    # The same program: what differs is how long it looked at the clock.
    assert abs(m["instructions"] - count) < 0.2 * count, (name, m["instructions"], count)
    assert m["drops"] == 0 and m["wall_s"] > 0 and m["instructions_per_s"] > 0, m
    assert abs(m["instructions_per_s"] * m["wall_s"] - m["instructions"]) < 0.01 * m["instructions"], m
    assert (m["file_bytes"] > 0) == (name[1] == "store"), m
    assert (m["consumer_s"] > 0) == (name[1] != "none"), m
assert modes["idle", "none"]["slowdown"] == 1
# What is recorded grows with the detail.
sizes = [modes[mode, "decode"]["bytes"] for mode in ("blocks", "addresses", "values")]
assert sizes[0] * 2 < sizes[1] and sizes[1] < sizes[2], sizes
assert modes["idle", "none"]["bytes"] < 1000 and modes["none", "none"]["bytes"] == 0
PYTHON
vitrine bench trace --rounds 1 --workload compute --compute 5 --peers "$scratch" --mode blocks >"$scratch/table" 2>/dev/null
expect_eq 'rows' 'idle count blocks blocks blocks' \
    "$(awk '$1 == "compute" { print $2 }' "$scratch/table" | tr '\n' ' ' | sed 's/ $//')"
expect_eq 'no VM is left' '' "$(vitrine ls --names)"
expect_error 2 'rounds' vitrine bench trace --rounds 0
expect_error 2 'workload' vitrine bench trace --workload rest
