#!/usr/bin/env bash
# tests/system/gpu_bench.sh - `vitrine bench virtio-gpu` measures, in numbers that agree with each other.
. "$(dirname "$0")/lib.sh"

vitrine bench virtio-gpu --rounds 2 --flushes 5000 --json >"$scratch/bench" 2>"$scratch/err" ||
    fail "$(cat "$scratch/err")"
json 'all(d[k] > 0 for k in ("flushes_per_s_async", "flushes_per_s_blocking", "commands_per_s"))' \
    <"$scratch/bench" >"$scratch/positive"
expect_eq 'numbers are there' true "$(cat "$scratch/positive")"
expect_eq 'two commands a flush' true \
    "$(json 'abs(d["commands_per_s"] / d["flushes_per_s_async"] - 2) < 0.01' <"$scratch/bench")"
expect_match 'the cost of watching' '^-?[0-9.]+$' "$(json 'd["watch_overhead_percent"]' <"$scratch/bench")"
expect_eq 'no VM is left' '' "$(vitrine ls --names)"
expect_error 2 'rounds' vitrine bench virtio-gpu --rounds 0
note "$(cat "$scratch/bench")"
