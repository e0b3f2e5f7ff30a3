#!/usr/bin/env bash
# tests/system/trust.sh - the trust checks on a live guest: no alarm while it is quiet or busy, and
# every lie that is written into its kernel is found (trust.py).
. "$(dirname "$0")/lib.sh"

checks=(hidden syscalls idt ttys ftrace kprobes notifiers inline)

no_alarm() { # WHEN
    local check found
    for check in "${checks[@]}"; do
        vitrine "$check" "$vm" --json >"$scratch/rows"
        found=$(json 'd["findings"]' <"$scratch/rows")
        [ "$found" = 0 ] || fail "$check, $1: $(json "[r for r in d['$check'] if r['finding']]" <"$scratch/rows")"
    done
}

start_vm a --memory 256M --cpus 2 --module dummy
wait_services
no_alarm quiet

# Processes and modules come and go all the time.
guest_exec 'mount -t tracefs none /sys/kernel/tracing 2>/dev/null; true'
guest_exec '(while :; do (true) & (true) | (true); wait; done) >/dev/null 2>&1 &
(while :; do rmmod dummy; modprobe dummy; done) >/dev/null 2>&1 &'
for round in $(seq "${TRUST_ROUNDS:-3}"); do
    no_alarm "busy, round $round"
done

# A tracer and a probe to lie about, where the kernel can.
guest_exec 'cd /sys/kernel/tracing && echo vfs_fallocate >set_ftrace_filter &&
echo function >current_tracer && echo p:vt vfs_rename >kprobe_events && echo 1 >events/kprobes/vt/enable' ||
    note 'no tracing in this guest'

vitrine pause "$vm"
python3 "$(dirname "$0")/trust.py" "$vm" "/dev/shm/qemu_ram_$vm"
vitrine resume "$vm"

# The guest lives on as if nothing had been.
expect_eq 'the guest still answers' fine "$(guest_exec 'echo fine')"
