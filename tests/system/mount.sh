#!/usr/bin/env bash
# tests/system/mount.sh - the files of a mounted guest against its own /proc; a VM that ends.
. "$(dirname "$0")/lib.sh"

[ -c /dev/fuse ] || skip 'no /dev/fuse'
command -v fusermount3 >/dev/null || skip 'no fusermount3 (tools/setup test)'
mnt=$scratch/mnt
mkdir "$mnt"
unmounted() {
    local status=$?
    umount -l "$mnt" 2>/dev/null || true
    return $status
}
# The end in lib.sh goes by the status of what ran last.
trap 'if unmounted; then finish; else finish; fi' EXIT

start_vm mount --memory 256M --cpus 2
wait_services
pid=$(guest_exec 'MARK=here sleep 1000 </dev/null >/dev/null 2>&1 &
    until grep -q "(sleep) S" /proc/$!/stat; do usleep 10000; done; echo $!' | tr -dc 0-9)

if ! vitrine mount "$vm" "$mnt" 2>"$scratch/err"; then
    grep -qE 'dev/fuse|cannot mount' "$scratch/err" && skip "$(cat "$scratch/err")"
    fail "$(cat "$scratch/err")"
fi
expect_match 'the log' "\"operation\":\"mount\",\"detail\":\"$mnt\"" "$(cat "$VITRINE_STATE_DIR/audit.log")"
expect_eq 'read-only' 1 "$(: 2>/dev/null >"$mnt/x"; echo $?)"

# ---- as the guest says itself ------------------------------------------------------------------
# the_same WHAT COMMAND FILE: what the command prints in the guest is what the file holds.
the_same() {
    guest_exec "$2" | tr -d '\r' >"$scratch/guest"
    sed 's/[[:space:]]*$//' "$3" >"$scratch/ours"
    sed -i 's/[[:space:]]*$//' "$scratch/guest"
    diff "$scratch/guest" "$scratch/ours" >&2 || fail "$1 differs from the guest's own"
}
the_same version 'cat /proc/version' "$mnt/version"
the_same comm "cat /proc/$pid/comm" "$mnt/proc/$pid/comm"
the_same maps "cat /proc/$pid/maps" "$mnt/proc/$pid/maps"
the_same modules "sort /proc/modules | cut -d' ' -f1,2" <(sort "$mnt/modules" | cut -d' ' -f1,2)
the_same mounts "cut -d' ' -f1-3 /proc/1/mounts" <(cut -d' ' -f1-3 "$mnt/mounts")
the_same status "grep -E '^(Name|State|Tgid|Pid|PPid|Uid|Gid|Threads|Cap...|NoNewPrivs):' /proc/$pid/status" \
    <(grep -E '^(Name|State|Tgid|Pid|PPid|Uid|Gid|Threads|Cap...|NoNewPrivs):' "$mnt/proc/$pid/status")
the_same cmdline "tr '\\0' '\\n' </proc/$pid/cmdline" <(tr '\0' '\n' <"$mnt/proc/$pid/cmdline")
the_same environ "tr '\\0' '\\n' </proc/$pid/environ" <(tr '\0' '\n' <"$mnt/proc/$pid/environ")
the_same dmesg 'dmesg | head -n 20' <(head -n 20 "$mnt/dmesg")

# ---- memory --------------------------------------------------------------------------------------
expect_eq 'physmem' "$((256 << 20))" "$(stat -c %s "$mnt/physmem")"
vitrine pause "$vm"
vitrine read "$vm" 0 1M --raw | cmp - <(head -c 1M "$mnt/physmem") || fail 'physmem is not RAM'
IFS=- read -r base _ <"$mnt/proc/$pid/maps"
vitrine read "$vm" "0x$base" 64 --pid "$pid" --raw |
    cmp - <(dd if="$mnt/proc/$pid/mem" bs=1 skip=$((0x$base)) count=64 status=none) || fail 'mem is not its memory'
expect_status 1 dd if="$mnt/proc/$pid/mem" bs=1 count=1 of=/dev/null
vitrine ps "$vm" >"$scratch/ps"
cp "$mnt/vmcore" "$scratch/core"
vitrine ps "$scratch/core" | cmp "$scratch/ps" - || fail 'vmcore: other processes'
cmp <(vitrine modules "$vm") "$mnt/nouns/modules" || fail 'nouns/modules is not what the verb prints'
vitrine modules "$vm" --json | cmp - "$mnt/nouns/modules.json" || fail 'nouns/modules.json'
vitrine resume "$vm"

# ---- every file can be read -------------------------------------------------------------------
# Of a process that ends, and of a kernel thread what it does not have, there is nothing.
find "$mnt" -type f -not -name physmem -not -name vmcore -not -name mem >"$scratch/files"
expect_match 'there are files' '[0-9]{4}' "$(wc -l <"$scratch/files")"
while read -r file; do
    cat "$file" >/dev/null 2>"$scratch/err" ||
        { [[ "$file" == */proc/* ]] && grep -q 'No such file' "$scratch/err"; } ||
        fail "$(cat "$scratch/err")"
done <"$scratch/files"

# ---- the VM ends, the mount is ended -----------------------------------------------------------
exec 5<"$mnt/physmem"
vitrine kill "$vm"
wait_until 'the mount fails' sh -c "! cat '$mnt/version'"
expect_status 1 cat "$mnt/proc/$pid/maps"
expect_match 'cleanly' 'Input/output error' "$(cat "$scratch/err")"
expect_status 1 dd bs=1 count=1 of=/dev/null <&5
exec 5<&-
vitrine unmount "$mnt"
expect_eq 'an empty directory again' '' "$(ls "$mnt")"
expect_error 3 'no guest is mounted' vitrine unmount "$mnt"
