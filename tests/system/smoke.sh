#!/usr/bin/env bash
# tests/system/smoke.sh - one VM from its start to its end, by the verbs a first user tries.
. "$(dirname "$0")/lib.sh"

start_vm a --memory 128M
expect_eq 'names' "$vm" "$(vitrine ls --names)"
expect_eq 'state' running "$(vm_state)"
ram=/dev/shm/qemu_ram_$vm
expect_eq 'mode and size of the RAM file' '600 134217728' "$(stat -c '%a %s' "$ram")"
wait_console 'shell ready'
expect_eq 'an echo in the guest' 'hello from inside' "$(guest_exec 'echo hello from inside')"
expect_status 7 guest_exec 'exit 7'

vitrine pause "$vm"
expect_eq 'state' paused "$(vm_state)"
vitrine resume "$vm"
expect_eq 'state' running "$(vm_state)"
expect_error 1 "$vm" vitrine run "$vm"
expect_eq 'the RAM file is still there' 134217728 "$(stat -c %s "$ram")"

vitrine stop "$vm"
expect_eq 'names after the stop' '' "$(vitrine ls --names)"
[ ! -e "$ram" ] || fail "$ram is still there"
expect_error 3 "$vm" vitrine info "$vm"
