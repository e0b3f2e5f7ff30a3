#!/usr/bin/env bash
# tests/system/hybrid_plugin.sh - kernels made by hand run in place of a guest program's loops: over
# pages that are shared, write-protected, missing, mapped twice, executed; in two processes at once;
# between signals and forks; under debuggers, as code of 32 bits. What the program computes is the same as without them, and a kernel that does
# something else is found out.
. "$(dirname "$0")/lib.sh"

: "${VITRINE_BUILD:=$(dirname "$VITRINE")}"
programs=$VITRINE_BUILD/tests/system
kernels=(xor64 fill64 xorv back8 length sum64)
[ "$(uname -m)" = x86_64 ] || skip 'kernels are of x86-64'

driver() { "$programs/hybrid_driver" "$vm" "$@"; }

# number KERNEL NAME: of the driver's line of it.
number() { driver stats | sed -nE "s/^$1 (.* )?$2=([0-9]+)( .*)?\$/\2/p"; }

start_vm a --accel tcg --memory 192M --add "$programs/hybrid-guest"
why=$(vitrine info "$vm" --json | sed -nE 's/.*"hybrid_why": ?"([^"]*)".*/\1/p')
[ -z "$why" ] || skip "no kernels in this QEMU: $why"
wait_console 'shell ready'
plain=$(guest_exec 'hybrid-guest all')
expect_eq 'cases' 15 "$(wc -l <<<"$plain")"

# All of them at once.
driver install active "${kernels[@]}"
expect_eq 'with kernels' "$plain" "$(guest_exec 'hybrid-guest all')"
for kernel in "${kernels[@]}"; do
    expect_eq "$kernel's state" 1 "$(number "$kernel" state)"
    [ "$(number "$kernel" iterations)" -gt 1000 ] || fail "$kernel did nothing: $(driver stats)"
done
[ "$(number xor64 bounced)" -gt 0 ] || fail 'no element crossed pages'
[ "$(number sum64 no_overlap)" -gt 0 ] || fail 'no cell was overlapped'
[ "$(number xor64 stop_protected)" -gt 0 ] || fail 'no page was protected'

# One call in three runs both ways.
driver install active "${kernels[@]}" canary=3
expect_eq 'with canaries' "$plain" "$(guest_exec 'hybrid-guest all')"
for kernel in "${kernels[@]}"; do
    [ "$(number "$kernel" canaries)" -gt 0 ] || fail "$kernel was not checked: $(driver stats)"
    expect_eq "$kernel's failed canaries" 0 "$(number "$kernel" failed)"
done

# Passive ones count and do nothing; to turn them on again takes no new translation.
driver passive
before=$(number xor64 iterations)
expect_eq 'passive' "$plain" "$(guest_exec 'hybrid-guest all')"
expect_eq 'iterations of passive kernels' "$before" "$(number xor64 iterations)"
driver active
expect_eq 'active again' "$plain" "$(guest_exec 'hybrid-guest all')"
[ "$(number xor64 iterations)" -gt "$before" ] || fail 'it is not active again'

# A kernel that is wrong about one word is never used.
driver install active wrong canary=1
guest_exec 'hybrid-guest sizes' >"$scratch/said"
expect_eq 'with a wrong kernel' "$(grep '^sizes' <<<"$plain")" "$(cat "$scratch/said")"
expect_eq 'its state' 3 "$(number wrong state)"
expect_eq 'why' 6 "$(number wrong refusal)"
expect_eq 'its failed canaries' 1 "$(number wrong failed)"

# Two kernels of one loop, each run looked at: what one of them ran the guest did not, and the other's check
# of it is worthless, not failed.
driver install active xor64 xor64 canary=1
guest_exec 'hybrid-guest bench xor64 32768 2000' >/dev/null
guest_exec 'hybrid-guest sizes' >"$scratch/said"
expect_eq 'with two kernels of a loop' "$(grep '^sizes' <<<"$plain")" "$(cat "$scratch/said")"
expect_eq 'their states' $'1\n1' "$(number xor64 state)"
expect_eq 'their failed canaries' $'0\n0' "$(number xor64 failed)"
[ "$(number xor64 discarded | sort -n | tail -n 1)" -gt 0 ] || fail "no check met the other kernel: $(driver stats)"

driver remove
expect_eq 'what is installed' '' "$(driver stats)"
expect_eq 'without kernels' "$plain" "$(guest_exec 'hybrid-guest all')"
vitrine kill "$vm"
[ ! -e "/dev/shm/qemu_hybrid_$vm" ] || fail 'the segment is left'

start_vm b --accel tcg --memory 96M --paused --no-accel
expect_match 'without the plugin' 'kernels +none: started without the plugin' "$(vitrine info "$vm")"
vitrine kill "$vm"
start_vm c --accel tcg --memory 96M --paused --cpus 2
expect_match 'two CPUs' 'kernels +none: 2 CPUs, not one' "$(vitrine info "$vm")"
