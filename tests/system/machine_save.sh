#!/usr/bin/env bash
# tests/system/machine_save.sh - a VM saved to a file and restored into a new process, with what
# can go wrong on the way.
. "$(dirname "$0")/lib.sh"

file=$scratch/saved
start_vm a --memory 128M
wait_console 'shell ready'
guest_exec 'echo before > /tmp/when; cat /proc/sys/kernel/random/boot_id' >"$scratch/boot"
vitrine save "$vm" "$file"
expect_eq 'state after save' running "$(vm_state)"
expect_eq 'mode of the file' 600 "$(stat -c %a "$file")"
guest_exec 'echo after > /tmp/when' >/dev/null

# A second VM from it goes on where the first was, beside it.
vitrine restore "$prefix-b" "$file"
expect_eq 'state after restore' running "$(vm_state "$prefix-b")"
expect_eq 'the same boot' "$(cat "$scratch/boot")" \
    "$(guest_exec 'cat /proc/sys/kernel/random/boot_id' "$prefix-b")"
expect_eq 'its memory' before "$(guest_exec 'cat /tmp/when' "$prefix-b")"
expect_eq 'the memory of the first' after "$(guest_exec 'cat /tmp/when')"
expect_error 1 "named '$vm'" vitrine restore "$file"

# What was paused comes back paused; --stop ends the VM.
vitrine pause "$prefix-b"
vitrine save "$prefix-b" "$file" --stop
expect_eq 'names after save --stop' "$vm" "$(vitrine ls --names)"
vitrine restore "$file"
expect_eq 'state' paused "$(vm_state "$prefix-b")"
vitrine resume "$prefix-b"
expect_eq 'its memory' before "$(guest_exec 'cat /tmp/when' "$prefix-b")"
vitrine kill "$prefix-b"

# Files that are none, or not all of one.
head -c 100000 "$file" >"$scratch/cut"
expect_error 1 'cut short' vitrine restore "$scratch/cut"
expect_error 1 'not a saved VM' vitrine restore /etc/os-release
expect_error 3 "$scratch/none" vitrine restore "$scratch/none"
expect_error 1 "$scratch" vitrine save "$vm" "$scratch"
expect_error 3 "$scratch/none/x" vitrine save "$vm" "$scratch/none/x"

# An interrupt: the VM goes on, no file.
mkdir "$scratch/interrupted"
"$VITRINE" save "$vm" "$scratch/interrupted/file" 2>"$scratch/err" &
saver=$!
wait_until 'the file is being written' sh -c "ls '$scratch/interrupted' | grep ."
kill -TERM $saver 2>/dev/null || true # it may be done already
if ! wait $saver; then
    expect_eq 'files after an interrupted save' '' "$(ls "$scratch/interrupted")"
fi
expect_eq 'state after an interrupted save' running "$(vm_state)"

# Disk full: the VM goes on, no file.
if [ "$(id -u)" = 0 ] && mkdir "$scratch/full" && mount -t tmpfs -o size=8m none "$scratch/full"; then
    status=0
    vitrine save "$vm" "$scratch/full/file" 2>"$scratch/err" || status=$?
    files=$(ls -A "$scratch/full")
    wait_until 'QEMU has let the full disk go' umount "$scratch/full"
    expect_eq 'status of save on a full disk' 1 $status
    expect_match 'message' "$scratch/full/file.*No space left" "$(cat "$scratch/err")"
    expect_eq 'files on a full disk' '' "$files"
else
    note 'no mount here: a full disk was not tried'
fi
expect_eq 'state at the end' running "$(vm_state)"
expect_eq 'the guest lives' after "$(guest_exec 'cat /tmp/when')"
