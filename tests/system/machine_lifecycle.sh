#!/usr/bin/env bash
# tests/system/machine_lifecycle.sh - run, ls, info, pause, resume, reset, stop, kill: what they say,
# what they do, and that nothing is left.
. "$(dirname "$0")/lib.sh"

left_of() { # VM: whatever of it there still is
    find /dev/shm -name "qemu_*_$1"
    find "$VITRINE_RUNTIME_DIR" -mindepth 1 -maxdepth 1 -name "$1"
}

start_vm a --memory 128M --cpus 2
ram=/dev/shm/qemu_ram_$vm
expect_eq 'state' running "$(vm_state)"
expect_eq 'mode of the RAM file' 600 "$(stat -c %a "$ram")"
expect_eq 'size of the RAM file' $((128 << 20)) "$(stat -c %s "$ram")"
expect_eq 'mode of the directory' 700 "$(stat -c %a "$VITRINE_RUNTIME_DIR/$vm")"
info=$(vitrine info "$vm" --json)
expect_eq 'name' "$vm" "$(json 'd["name"]' <<<"$info")"
expect_eq 'memory' $((128 << 20)) "$(json 'd["memory_bytes"]' <<<"$info")"
expect_eq 'cpus' 2 "$(json 'd["cpus"]' <<<"$info")"
expect_eq 'ram_path' "$ram" "$(json 'd["ram_path"]' <<<"$info")"
expect_eq 'regions' "[{\"gpa\": \"0x0\", \"offset\": \"0x0\", \"bytes\": $((128 << 20))}]" \
    "$(json 'd["regions"]' <<<"$info")"
pid=$(json 'd["qemu_pid"]' <<<"$info")
expect_match 'command line of qemu_pid' "qemu_ram_$vm" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
expect_eq 'no_new_privs' 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status")"
if [ "$(id -u)" = 0 ]; then
    uid=$(awk '/^Uid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")
    for word in $uid; do
        if [ "$word" -lt 61184 ] || [ "$word" -gt 65519 ]; then
            fail "QEMU runs as $uid"
        fi
    done
    expect_eq 'groups of QEMU' '' "$(awk '/^Groups/ { $1 = ""; print }' "/proc/$pid/status" | tr -d ' ')"
    expect_eq 'owner of the RAM file' "${uid%% *}" "$(stat -c %u "$ram")"
fi
row=$(vitrine ls --ours --json | json "[r for r in d if r['name'] == '$vm'][0]")
expect_eq 'state in ls' running "$(json 'd["state"]' <<<"$row")"
expect_eq 'names' "$vm" "$(vitrine ls --names)"

wait_console 'shell ready'
vitrine pause "$vm"
expect_eq 'state after pause' paused "$(vm_state)"
vitrine pause "$vm" # twice is no failure
vitrine resume "$vm"
expect_eq 'state after resume' running "$(vm_state)"
expect_eq 'the guest goes on' hello "$(guest_exec 'echo hello')"

# A second one of that name, and a second VM, which has a uid of its own.
expect_error 1 "named '$vm'" vitrine run "$vm"
first=$vm
start_vm b --memory 64M --paused
expect_eq 'state of a VM started paused' paused "$(vm_state)"
if [ "$(id -u)" = 0 ] &&
    [ "$(stat -c %u "/dev/shm/qemu_ram_$vm")" = "$(stat -c %u "/dev/shm/qemu_ram_$first")" ]; then
    fail 'two VMs share a uid'
fi
vitrine kill "$vm"
expect_eq 'left of a killed VM' '' "$(left_of "$vm")"
expect_error 3 "no VM named '$vm'" vitrine info "$vm"

# Reset boots anew: the banner comes a second time.
vm=$first
guest_exec 'echo mark > /tmp/mark' >/dev/null
vitrine reset "$vm"
wait_until 'the guest booted a second time' \
    sh -c "[ \$(grep -c 'shell ready' '$VITRINE_RUNTIME_DIR/$vm/console.log') = 2 ]"
expect_eq 'files after a reset' '' "$(guest_exec 'cat /tmp/mark 2>/dev/null || true')"

# stop returns when all is gone; the guest gets its chance first, and a paused one none.
vitrine stop "$vm" --timeout "${patience}s"
expect_eq 'left of a stopped VM' '' "$(left_of "$vm")"
if [ -d "/proc/$pid" ]; then
    fail 'QEMU outlived stop'
fi
start_vm c --memory 64M --paused
vitrine stop "$vm"
expect_eq 'left of a stopped paused VM' '' "$(left_of "$vm")"

# A VM that ended starts again as it was.
expect_error 3 "no VM named 'never'" vitrine run never --again
expect_error 2 'without --memory' vitrine run "$vm" --again --memory 128M
vitrine run "$vm" --again
expect_eq 'RAM of a VM that was started again' $((64 << 20)) "$(vitrine info "$vm" --json | json 'd["memory_bytes"]')"
vitrine kill "$vm"

# The guest's own power-off ends the VM as well.
start_vm d --memory 128M
wait_console 'shell ready'
vitrine console "$vm" --send $'poweroff -f\n' >/dev/null 2>&1 || true
wait_until 'a VM that powered off is gone' sh -c "[ -z \"\$('$VITRINE' ls --names)\" ]"
expect_eq 'left after the guest powered off' '' "$(left_of "$vm")"
