#!/usr/bin/env bash
# tests/system/machine_bad_input.sh - what run refuses: one line that names the thing, the right
# status, nothing left.
. "$(dirname "$0")/lib.sh"

refuse() { # STATUS REGEX option...
    local status=$1 regex=$2
    shift 2
    expect_error "$status" "$regex" vitrine run "$prefix-r" "$@"
    expect_eq "left after refusing '$*'" '' "$(find "$VITRINE_RUNTIME_DIR" -mindepth 1 -not -name .lock 2>/dev/null
        find /dev/shm -name "qemu_ram_$prefix-r")"
}

for name in '' . .. a/b -- "$(printf 'a\033[2J')" "$(printf 'x%.0s' {1..33})"; do
    expect_status 1 vitrine run -- "$name" || true
    expect_eq 'lines about a bad name' 1 "$(wc -l <"$scratch/err")"
    if grep -q $'\033' "$scratch/err"; then
        fail 'an escape sequence reached the terminal'
    fi
done
expect_error 2 'needs NAME' vitrine run
refuse 2 'cpus' --cpus 0
refuse 2 'memory' --memory much
refuse 1 '64 MiB' --memory 1M
refuse 1 "'sparc'" --accel sparc
refuse 1 "'tap'" --net tap
refuse 3 "$scratch/none" --kernel "$scratch/none"
refuse 3 "$scratch/none" --disk "$scratch/none"
refuse 1 'not a regular file' --kernel /dev/null
printf 'QFI\373\0\0\0\003\0\0\0\0\0\0\001\0%0500d' 0 >"$scratch/overlay"
refuse 1 'names other files' --disk "$scratch/overlay"
refuse 1 'do not fit: /dev/shm' --memory 32T
refuse 1 'unsupported machine type|invalid' --machine nonsense
refuse 1 'invalid option' --qemu-arg=-nonsense
: >"$scratch/empty"
refuse 1 "QEMU ended" --kernel "$scratch/empty"
printf '#!/bin/sh\nexec sleep 1000\n' >"$scratch/silent"
chmod 755 "$scratch" "$scratch/silent"
own_qemu=${VITRINE_QEMU-}
export VITRINE_QEMU=$scratch/none
refuse 3 "VITRINE_QEMU.*$scratch/none"
VITRINE_QEMU=$scratch/silent
refuse 124 "$prefix-r: QEMU: no QMP greeting" --accel tcg --timeout 300ms
VITRINE_QEMU=$own_qemu

if ! grep -qw cpu /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
    refuse 1 'cgroup v2' --cpu-quota 50
    refuse 1 'cgroup v2' --memory-limit 1G
fi
: >"/dev/shm/qemu_ram_$prefix-r"
expect_error 1 "/dev/shm/qemu_ram_$prefix-r exists" vitrine run "$prefix-r"
[ -e "/dev/shm/qemu_ram_$prefix-r" ] || fail "somebody else's RAM file was removed"
rm "/dev/shm/qemu_ram_$prefix-r"

for verb in info pause resume reset stop kill detach; do
    expect_error 3 "no VM named '$prefix-r'" vitrine $verb "$prefix-r"
done
