#!/usr/bin/env bash
# tests/system/old_qemus.sh - every QEMU that `tools/setup old-qemus` brought: VMs started with it,
# saved and restored, and VMs somebody else started, with shared RAM and without.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
shopt -s nullglob
programs=("$cache"/old-qemus/*/qemu-system-x86_64)
[ ${#programs[@]} -gt 0 ] || skip "no older QEMU in $cache/old-qemus (tools/setup old-qemus)"
pid=

# by_hand SUFFIX [option...]: a QEMU without vitrine; its pid in $pid, its socket in $qmp.
by_hand() {
    vm=$prefix-$1 qmp=$scratch/$1.qmp
    shift
    env -u VITRINE_RUNTIME_DIR "$qemu" -name "$vm" -nodefaults -display none -cpu max \
        -qmp "unix:$qmp,server=on,wait=off" "$@" &
    pid=$!
    wait_until "$vm listens" listens "$qmp"
}
end_by_hand() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
    rm -f "/dev/shm/qemu_ram_$prefix-"*
}
trap 'status=$?; set +e; end_by_hand; (exit $status); finish' EXIT

number_of_processes() { vitrine ps "$vm" --json | json 'len(d["processes"])'; }
expect_whole() { # WHAT COUNT
    [ "$2" -gt 20 ] || fail "$1: only $2 processes"
}

of_our_own() {
    start_vm "a$version" --memory 128M --cpus 2
    wait_console 'shell ready' "$vm" 120s
    info=$(vitrine info "$vm" --json)
    expect_eq 'version' "$version" "$(json 'd["qemu_version"]' <<<"$info")"
    expect_eq 'RAM' "/dev/shm/qemu_ram_$vm" "$(json 'd["ram_path"]' <<<"$info")"
    note "$version: $(json 'd["machine"] + ", " + d["accel"] + ", changes by " + d["tracking"]' <<<"$info")"
    expect_match 'tracking' '^(pagemap|hash)$' "$(json 'd["tracking"]' <<<"$info")"
    expect_whole 'ps' "$(number_of_processes)"
    vitrine shot "$vm" "$scratch/ram.png" --json >"$scratch/shot"
    expect_eq 'understood' true "$(json 'd["understood"]' <"$scratch/shot")"
    vitrine pause "$vm"
    expect_eq 'state after pause' paused "$(vm_state)"
    vitrine resume "$vm"
    expect_eq 'state after resume' running "$(vm_state)"

    guest_exec 'echo before > /tmp/when'
    vitrine save "$vm" "$scratch/saved"
    guest_exec 'echo after > /tmp/when'
    vitrine restore "$prefix-r$version" "$scratch/saved"
    expect_eq 'the memory that was restored' before "$(guest_exec 'cat /tmp/when' "$prefix-r$version")"
    expect_eq 'the memory of the first' after "$(guest_exec 'cat /tmp/when')"
    vitrine kill "$prefix-r$version"
    rm "$scratch/saved"
    vitrine reset "$vm"
    wait_until 'the guest booted a second time' \
        sh -c "[ \$(grep -c 'shell ready' '$VITRINE_RUNTIME_DIR/$vm/console.log') = 2 ]"
    vitrine stop "$vm" --timeout 60s
    expect_eq 'names after stop' '' "$(vitrine ls --names)"
}

# A disk, a CD and a network card are described in words that changed over the years.
with_devices() {
    truncate -s 16M "$scratch/disk" "$scratch/cd"
    start_vm "d$version" --memory 128M --machine pc --net user --disk "$scratch/disk" \
        --iso "$scratch/cd" --paused
    expect_eq 'state with devices' paused "$(vm_state)"
    vitrine kill "$vm"
}

of_somebody_else() {
    local machine
    for machine in q35 pc; do
        by_hand "$machine$version" -serial null -smp 2 -m 4G -machine "$machine,memory-backend=mem" \
            -object "memory-backend-file,id=mem,size=4G,mem-path=/dev/shm/qemu_ram_$prefix-$machine$version,share=on" \
            -kernel "$scratch/guest/kernel" -initrd "$scratch/guest/initrd" \
            -append "$(cat "$scratch/guest/append")"
        vitrine attach "$vm" --qmp "$qmp"
        info=$(vitrine info "$vm" --json)
        expect_eq 'attached' true "$(json 'd["attached"]' <<<"$info")"
        expect_eq 'version of it' "$version" "$(json 'd["qemu_version"]' <<<"$info")"
        expect_eq 'its tracking' hash "$(json 'd["tracking"]' <<<"$info")"
        expect_eq 'bytes above 4 GiB' true \
            "$(json 'd["regions"][-1]["gpa"] == "0x100000000"' <<<"$info")"
        wait_until 'its shell is up' sh -c "'$VITRINE' ps '$vm' | grep -q heartbeat"
        expect_whole 'ps of it' "$(number_of_processes)"
        vitrine top --json --once >"$scratch/top"
        expect_match 'top' "$vm" "$(cat "$scratch/top")"
        vitrine snapshot "$vm" "$scratch/ram" >/dev/null
        expect_whole 'ps of its snapshot' \
            "$(vitrine ps "$scratch/ram" --json | json 'len(d["processes"])')"
        rm "$scratch/ram"
        vitrine pause "$vm"
        expect_eq 'state of it' paused "$(vm_state)"
        vitrine detach "$vm"
        kill -0 "$pid" || fail 'detach ended QEMU'
        kill -9 "$pid"
        wait "$pid" 2>/dev/null || true
        rm "/dev/shm/qemu_ram_$vm"
    done
}

without_shared_ram() { # WHY [option...]
    local why=$1
    shift
    by_hand "p$version" -S "$@"
    vitrine attach "$vm" --qmp "$qmp"
    expect_match 'why there is no RAM' "$why" "$(vitrine info "$vm" --json | json 'd["ram_why"]')"
    expect_error 1 "$why" vitrine ps "$vm"
    vitrine kill "$vm"
    wait "$pid" || true
    rm -f "$qmp"
}

vitrine guest build --out "$scratch/guest" >/dev/null
for qemu in "${programs[@]}"; do
    export VITRINE_QEMU=$qemu
    version=$("$qemu" --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
    note "QEMU $version"
    of_our_own
    with_devices
    of_somebody_else
    without_shared_ram 'private to QEMU' -m 64M
    without_shared_ram 'no file' -m 64M -machine q35,memory-backend=mem \
        -object memory-backend-ram,id=mem,size=64M,share=on
done
