#!/usr/bin/env bash
# tests/system/memory_three_vms.sh - three VMs at once: each has a bridge of its own, a write in one
# is seen in no other, and when one dies the others and the tools are well.
. "$(dirname "$0")/lib.sh"

# What only VM $1 may hold. The text is put together in the guest: typed whole it would be in every
# console's buffers.
word() { printf 'glass-%s-%s' "$1" "$$"; }

for i in 1 2 3; do
    start_vm "$i" --memory 128M
    wait_console 'shell ready'
done
for i in 1 2 3; do
    vm=$prefix-$i
    guest_exec "vt-pattern $(word "$i") 4 </dev/null >/tmp/p 2>&1 &
        until grep -qs READY /tmp/p; do usleep 10000; done
        vt-dirty 200 60 </dev/null >/dev/null 2>&1 &
        sed -n 's/^page 0 .* pa //p' /tmp/p" | tr -d '\r' >"$scratch/pa.$i"
done

follow() { # I: a snapshot and a look at its pattern
    local vm=$prefix-$1
    vitrine snapshot "$vm" "$scratch/$1.raw" >/dev/null
    grep -qaF "$(word "$1").00000000" "$scratch/$1.raw" || return 1
    vitrine read "$vm" "$(cat "$scratch/pa.$1")" 64 --raw | grep -aF "$(word "$1").00000000" >/dev/null
}

# All three at the same time, each while the others write and are read.
for i in 1 2 3; do
    follow "$i" &
    pids[i]=$!
done
for i in 1 2 3; do
    wait "${pids[i]}" || fail "VM $i does not hold what was written in it"
done
for i in 1 2 3; do
    for other in 1 2 3; do
        [ "$i" = "$other" ] || ! grep -qaF "$(word "$other")" "$scratch/$i.raw" ||
            fail "VM $i holds what was written in VM $other"
    done
done

# Following them all: how often is counted, how fast is for 'vitrine bench vms' to say.
vitrine bench vms --memory 128M --ticks 60 --json >"$scratch/bench" 2>/dev/null
expect_eq 'guests followed' 3 "$(json 'len(d["updates_per_s"])' <"$scratch/bench")"

# kill -9 of one QEMU in the middle of being read.
victim=$(vitrine info "$prefix-2" --json | json 'd["qemu_pid"]')
(
    while vitrine snapshot "$prefix-2" "$scratch/2.raw" >/dev/null 2>"$scratch/last-words"; do
        :
    done
) &
reader=$!
kill -9 "$victim"
wait "$reader"
expect_eq 'what its reader says: lines' 1 "$(wc -l <"$scratch/last-words")"
expect_match 'what its reader says' "$prefix-2" "$(cat "$scratch/last-words")"
for i in 1 3; do
    follow "$i" || fail "VM $i suffered from the end of VM 2"
done
gone() { [ ! -e "/dev/shm/qemu_ram_$prefix-2" ] && [ ! -e "$VITRINE_RUNTIME_DIR/$prefix-2" ]; }
wait_until 'VM 2 left nothing' gone
