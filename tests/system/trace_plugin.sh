#!/usr/bin/env bash
# tests/system/trace_plugin.sh - what the trace plugin writes, against its own counters and QEMU's
# inline operations, without the library's reader: every QEMU there is that loads plugins.
. "$(dirname "$0")/lib.sh"

raw_ring=$VITRINE_BUILD/tests/system/raw_ring
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}

steer() { "$raw_ring" steer "$segment" "$@" >/dev/null || fail "the plugin does not follow: $*"; }
total() { "$raw_ring" counters "$segment" | awk -v name="$1" '$1 == "vcpu" { for (i = 3; i < NF; i += 2) if ($i == name) sum += $(i + 1) } END { print sum + 0 }'; }
drained() { awk -v name="$1" '$NF && /^block/ { for (i = 1; i < NF; i += 2) if ($i == name) print $(i + 1) }' "$scratch/drained"; }

# recorded DETAIL SETTING…: the guest works meanwhile; every word is read.
recorded() {
    local names='instructions blocks accesses dropped'
    for name in $names; do
        declare -g "before_$name=$(total "$name")"
    done
    : >"$scratch/drained"
    "$raw_ring" drain "$segment" 3600 >"$scratch/drained" &
    local reader=$!
    wait_until 'the reader reads' grep -q reading "$scratch/drained"
    steer "$1" 0 "${@:2}"
    guest_exec 'md5sum /bin/busybox; ls -lR /bin | sort -k5 | tail -n 1; for i in 1 2 3 4; do sh -c "exit 0"; done' >/dev/null
    steer 0 0
    wait "$reader" || fail "the reader: $(cat "$scratch/drained")"
    for name in $names; do
        local before=before_$name
        declare -g "$name=$(($(total "$name") - ${!before}))"
    done
}

# shellcheck disable=SC2154 # recorded declares what it counted
on() { # SUFFIX OPTION…
    start_vm "$@"
    segment=/dev/shm/qemu_trace_$vm
    wait_console 'shell ready' "$vm" 120s
    local qemu
    qemu=$(vitrine info "$vm" --json | json 'd["qemu_version"]')
    expect_eq 'off: instructions' 0 "$(total instructions)"
    expect_eq 'off: blocks known' 0 "$("$raw_ring" counters "$segment" | awk '$1 == "blocks" { print $2 }')"

    recorded 2
    expect_eq "$qemu: lost" "0 0" "$dropped $(drained lost)"
    expect_eq "$qemu: blocks" "$blocks" "$(drained block)"
    expect_eq "$qemu: instructions" "$instructions" "$(drained instructions)"
    [ "$instructions" -gt 1000000 ] || fail "$qemu: only $instructions instructions"
    note "$qemu, blocks: $(tail -n 1 "$scratch/drained")"

    recorded 5
    expect_eq "$qemu: lost with values" "0 0" "$dropped $(drained lost)"
    expect_eq "$qemu: accesses" "$accesses" "$(drained access)"

    # Programs alone: no device makes QEMU execute an instruction again without counting it.
    recorded 4 flags=1 privileges=2
    expect_eq "$qemu: blocks by QEMU's inline operations" "$blocks" "$(drained block)"
    expect_eq "$qemu: accesses by QEMU's inline operations" "$accesses" "$(drained access)"
    [ "$instructions" -le "$(drained instructions)" ] || fail "$qemu: $instructions instructions began, blocks have $(drained instructions)"
    note "$qemu, programs: $instructions instructions began in blocks of $(drained instructions), $(drained cut) cuts"

    # It follows whatever vCPUs do: just when they go to sleep, too, and QEMU lives.
    flips() { "$raw_ring" flip "$segment" "$1" >"$scratch/flips" || fail "$qemu, $2: $(tail -n 1 "$scratch/flips") of $(wc -l <"$scratch/flips")"; }
    flips 100 'an idle guest'
    vitrine pause "$vm"
    flips 1000 'a paused VM'
    vitrine resume "$vm"

    # A reader that dies does not take the guest with it.
    guest_exec 'while :; do md5sum /bin/busybox; done >/dev/null 2>&1 &' >/dev/null
    : >"$scratch/drained"
    "$raw_ring" drain "$segment" 3600 >"$scratch/drained" &
    local reader=$!
    wait_until 'the reader reads' grep -q reading "$scratch/drained"
    kill -STOP "$reader"
    local waited
    waited=$(total waits)
    steer 2 0
    wait_until 'the guest waits for the reader' bash -c "$(declare -f total); raw_ring=$raw_ring segment=$segment; [ \$(total waits) -gt $waited ]"
    kill -9 "$reader"
    wait "$reader" 2>/dev/null || true
    steer 0 0
    expect_eq "$qemu: the guest goes on" alive "$(guest_exec 'echo alive')"
    vitrine kill "$vm"
    [ ! -e "$segment" ] || fail "$segment is still there"
}

vitrine run --help | grep -e --no-trace >/dev/null || skip 'this vitrine has no trace'
on private --cpus 4
older=$cache/old-qemus/trixie/qemu-system-x86_64
if [ -x "$older" ]; then
    VITRINE_QEMU=$older on older --cpus 4
else
    note "no older QEMU here ('tools/setup old-qemus')"
fi
