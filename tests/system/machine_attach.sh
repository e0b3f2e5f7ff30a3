#!/usr/bin/env bash
# tests/system/machine_attach.sh - VMs somebody else started: found, attached, steered, left alone;
# and peers that are no QEMU.
. "$(dirname "$0")/lib.sh"

qemu=${VITRINE_QEMU:-${VITRINE_CACHE_DIR:-/var/cache/vitrine}/qemu/qemu-system-x86_64}
[ -x "$qemu" ] || qemu=$(command -v qemu-system-x86_64) || skip 'no QEMU'
vm=$prefix-x
pids=()

# by_hand NAME [option...]: a QEMU without vitrine; its pid in $pid.
by_hand() {
    local name=$1
    shift
    # Not this test's environment: to vitrine it is somebody else's.
    env -u VITRINE_RUNTIME_DIR "$qemu" -name "$name" -nodefaults -display none -S \
        -qmp "unix:$scratch/$name.qmp,server=on,wait=off" "$@" &
    pid=$!
    pids+=("$pid")
    wait_until "$name listens" listens "$scratch/$name.qmp"
}
row() { vitrine ls --json | json "[r for r in d if r['name'] == '$1'][0]"; }
end_by_hand() {
    kill -9 "${pids[@]}" 2>/dev/null || true
    rm -f "/dev/shm/qemu_ram_$vm"
}
trap 'status=$?; set +e; end_by_hand; (exit $status); finish' EXIT

by_hand "$vm" -m 128M -machine q35,memory-backend=mem -object \
    "memory-backend-file,id=mem,size=128M,mem-path=/dev/shm/qemu_ram_$vm,share=on"
first=$pid

# ls finds it, with the command to attach it.
expect_eq 'state in ls' 'not attached' "$(row "$vm" | json 'd["state"]')"
expect_eq 'pid in ls' "$first" "$(row "$vm" | json 'd["qemu_pid"]')"
expect_eq 'note in ls' "vitrine attach $vm --qmp $scratch/$vm.qmp" "$(row "$vm" | json 'd["note"]')"
expect_eq 'names are ours only' '' "$(vitrine ls --names)"

vitrine attach "$vm" --qmp "$scratch/$vm.qmp"
expect_error 1 "named '$vm'" vitrine attach "$vm" --qmp "$scratch/$vm.qmp"
info=$(vitrine info "$vm" --json)
expect_eq 'attached' true "$(json 'd["attached"]' <<<"$info")"
expect_eq 'qemu_pid' "$first" "$(json 'd["qemu_pid"]' <<<"$info")"
expect_eq 'ram_path' "/dev/shm/qemu_ram_$vm" "$(json 'd["ram_path"]' <<<"$info")"
expect_eq 'tracking' hash "$(json 'd["tracking"]' <<<"$info")"
expect_eq 'state' paused "$(vm_state)"
vitrine resume "$vm"
expect_eq 'state after resume' running "$(vm_state)"
expect_error 1 'did not start it' vitrine save "$vm" "$scratch/file"

# Detaching and attaching by name alone leave it running.
vitrine detach "$vm"
expect_eq 'names after detach' '' "$(vitrine ls --names)"
kill -0 "$first" || fail 'detach ended QEMU'
vitrine attach "$vm"
expect_eq 'state after attaching again' running "$(vm_state)"

# Its end is noticed.
kill -9 "$first"
wait_until 'the end of QEMU was noticed' sh -c "[ -z \"\$('$VITRINE' ls --names)\" ]"
[ -e "/dev/shm/qemu_ram_$vm" ] || fail "vitrine removed somebody else's RAM file"

# RAM that is not shared is said plainly.
by_hand "$prefix-private" -m 64M
vitrine attach "$prefix-private" --qmp "$scratch/$prefix-private.qmp"
expect_match 'why there is no RAM' 'private to QEMU' \
    "$(vitrine info "$prefix-private" --json | json 'd["ram_why"]')"
expect_eq 'ram_path' null "$(vitrine info "$prefix-private" --json | json 'd["ram_path"]')"
vitrine kill "$prefix-private"
wait_until 'kill of an attached VM ended QEMU' sh -c "! kill -0 $pid"

# A socket another client holds.
by_hand "$prefix-held" -m 64M
mkfifo "$scratch/hold"
socat - "UNIX-CONNECT:$scratch/$prefix-held.qmp" <"$scratch/hold" >"$scratch/greeting" &
pids+=($!)
exec 8>"$scratch/hold"
wait_until 'the holder was greeted' grep -q QMP "$scratch/greeting"
expect_match 'note in ls' 'another client holds' "$(row "$prefix-held" | json 'd["note"]')"
expect_error 124 "$prefix-held.qmp.*another client" \
    vitrine attach "$prefix-held" --qmp "$scratch/$prefix-held.qmp" --timeout 300ms
exec 8>&-

# Peers that are no QEMU: one line that names the socket.
expect_error 3 "$scratch/none" vitrine attach x --qmp "$scratch/none"
expect_error 2 'needs NAME' vitrine attach
python3 - "$scratch/stale" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
PY
expect_error 1 "$scratch/stale" vitrine attach x --qmp "$scratch/stale"
n=0 # a peer removes its path when it ends, whoever has it then
for answer in "printf 'SSH-2.0-OpenSSH\r\n'; cat" cat "printf '{\"QMP\": '; cat"; do
    peer=$scratch/peer$((n += 1))
    printf '%s\n' "$answer" >"$peer.sh"
    socat "UNIX-LISTEN:$peer" "EXEC:sh $peer.sh" 2>/dev/null &
    pids+=($!)
    wait_until 'the peer listens' listens "$peer"
    status=0
    vitrine attach x --qmp "$peer" --timeout 300ms 2>"$scratch/err" || status=$?
    expect_match "status against '$answer'" '^(1|124)$' $status
    expect_eq 'lines' 1 "$(wc -l <"$scratch/err")"
    expect_match 'message' "$peer: " "$(cat "$scratch/err")"
done
expect_eq 'names at the end' '' "$(vitrine ls --names)"
