#!/usr/bin/env bash
# tests/system/accel_gpu.sh - a guest's loop that writes what it reads is run by a GPU's kernel, while pages
# become ones to be copied on write; the GPU's process is asked to end in the middle of a slice, then in one that
# it tries beside the host's kernel, then killed in one: no iteration is lost or done twice.
. "$(dirname "$0")/lib.sh"

rounds=$VITRINE_BUILD/tests/system/gpu-rounds
taken=$(dirname "$0")/hybrid/taken.py
[ "$(uname -m)" = x86_64 ] || skip 'kernels are of x86-64'
start_vm a --memory 256M --accel tcg --add "$rounds"
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
wait_services

guest_exec 'setsid gpu-rounds /tmp/enough </dev/null >/tmp/said 2>&1 &'

# until_taken NAME BACKEND SIGNAL: an accelerator, $pid, gets the signal while it runs a slice on the GPU; what it
# says is in $scratch/NAME. One that finds the GPU slower leaves it alone: then it is for another one to try.
until_taken() {
    local deadline=$((SECONDS + patience))
    while :; do
        setsid "$VITRINE" accel "$vm" --backend "$2" --gpu llvmpipe --cache "$scratch/cache" --json >"$scratch/$1" 2>&1 &
        pid=$!
        ! "$taken" "$vm" 30 "$3" "$pid" 2>"$scratch/why" || return 0
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" || {
            ! grep -q 'no GPU' "$scratch/$1" || skip "$(grep 'no GPU' "$scratch/$1")"
            fail "it failed: $(cat "$scratch/$1")"
        }
        [ $SECONDS -lt $deadline ] || fail "$(cat "$scratch/why"): $(cat "$scratch/$1")"
        vitrine accel off "$vm"
    done
}

# Ended while a slice is under way: it is finished, and the kernel is the host's from then on.
mkdir "$scratch/cache"
until_taken first gpu 15
wait "$pid" || fail "an end that was asked for failed: $(cat "$scratch/first")"
expect_match 'whose kernel it was' '"backend": ?"gpu"' "$(cat "$scratch/first")"
expect_eq 'kernels that a check disabled' 0 \
    "$(vitrine accel status "$vm" --json | json 'sum(l["fate"] == "disabled" for l in d["loops"])')"

# A GPU is tried for what the host's kernel is kept for, while that stays where it is.
vitrine accel off "$vm"
until_taken auto auto 15
wait "$pid" || fail "it failed: $(cat "$scratch/auto")"
expect_match 'what the host did before' '"fate": ?"kept".*"backend": ?"host"' "$(cat "$scratch/auto")"
vitrine accel off "$vm"

# Killed while one is: what was half done is as it was, and the guest does it itself.
until_taken second gpu 9
wait "$pid" || true
wait_until 'the kernel is out of use' grep -q 'its worker is lost' "$VITRINE_RUNTIME_DIR/$vm/qemu.log"

guest_exec 'touch /tmp/enough; while pidof gpu-rounds; do usleep 100000; done; cat /tmp/said' >"$scratch/said"
said=$(tr -d '\r' <"$scratch/said" | grep ^rounds=)
expect_match 'the children' ' children=[1-9][0-9]* wrong=0 ' "$said"
expect_eq 'what was computed' "$("$rounds" "$(sed -E 's/rounds=([0-9]+) .*/\1/' <<<"$said")")" "$said"
