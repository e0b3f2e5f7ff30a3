#!/usr/bin/env bash
# tests/system/accel_gpu.sh - a guest's loop that writes what it reads is run by a GPU's kernel, while pages
# become ones to be copied on write; the GPU's process is asked to end in the middle of a slice, then killed in
# one: no iteration is lost or done twice.
. "$(dirname "$0")/lib.sh"

rounds=$VITRINE_BUILD/tests/system/gpu-rounds
taken=$(dirname "$0")/hybrid/taken.py
[ "$(uname -m)" = x86_64 ] || skip 'kernels are of x86-64'
start_vm a --memory 256M --accel tcg --add "$rounds"
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
wait_services

guest_exec 'setsid gpu-rounds /tmp/enough </dev/null >/tmp/said 2>&1 &'

# accelerate NAME: in $pid, what it says in $scratch/NAME.
accelerate() {
    setsid "$VITRINE" accel "$vm" --backend gpu --gpu llvmpipe --cache "$scratch/cache" --json >"$scratch/$1" 2>&1 &
    pid=$!
}

# Ended while a slice is under way: it is finished, and the kernel is the host's from then on.
mkdir "$scratch/cache"
accelerate first
if ! "$taken" "$vm" "$patience" 15 $pid; then
    ! grep -q 'no GPU' "$scratch/first" || skip "$(grep 'no GPU' "$scratch/first")"
    fail "no slice reached the GPU: $(cat "$scratch/first")"
fi
wait $pid || fail "an end that was asked for failed: $(cat "$scratch/first")"
expect_match 'whose kernel it was' '"backend": ?"gpu"' "$(cat "$scratch/first")"
expect_eq 'kernels that a check disabled' 0 \
    "$(vitrine accel status "$vm" --json | json 'sum(l["fate"] == "disabled" for l in d["loops"])')"

# Killed while one is: what was half done is as it was, and the guest does it itself.
accelerate second
"$taken" "$vm" "$patience" 9 $pid || fail "no slice reached the GPU again: $(cat "$scratch/second")"
wait $pid || true
wait_until 'the kernel is out of use' grep -q 'its worker is lost' "$VITRINE_RUNTIME_DIR/$vm/qemu.log"

guest_exec 'touch /tmp/enough; while pidof gpu-rounds; do usleep 100000; done; cat /tmp/said' >"$scratch/said"
said=$(tr -d '\r' <"$scratch/said" | grep ^rounds=)
expect_match 'the children' ' children=[1-9][0-9]* wrong=0 ' "$said"
expect_eq 'what was computed' "$("$rounds" "$(sed -E 's/rounds=([0-9]+) .*/\1/' <<<"$said")")" "$said"
