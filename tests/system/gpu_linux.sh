#!/usr/bin/env bash
# tests/system/gpu_linux.sh - Linux's virtio-gpu driver and ours do the same work on the same QEMU; both
# are recorded from outside, and `vitrine gpu diff` finds exactly the differences that
# docs/virtio-gpu.md explains (tests/golden/gpu/linux-card.diff).
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
golden=$here/../golden/gpu/linux-card.diff
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
tree=$cache/kernels/6.12-amd64
[ -d "$tree" ] || tree=$cache/mesa-guest
[ -d "$tree" ] || skip 'no kernel with virtio-gpu: tools/setup kernels, or mesa-guest'

# Watches $vm until told to end. A recording with gaps says nothing about drivers; answers that were looked for
# too late do: diff compares those that both sides have.
# Linux puts the next command where the last one was: the watch has to look before that.
first=()
! chrt -f 1 true 2>/dev/null || first=(chrt -f 1)
watch_begin() {
    rm -f "$1"
    "${first[@]}" "$VITRINE" gpu watch "$vm" --record "$1" >"$scratch/watch" 2>&1 &
    watcher=$!
    wait_until 'it is watched' test -s "$1"
}
watch_end() { # true: every request was seen, before its memory served another
    kill "$watcher"
    wait "$watcher" || true
    note "$(tail -n 1 "$scratch/watch")"
    grep -q ' 0 stale requests' "$scratch/watch" || return 1
    vitrine gpu diff "$1" "$1" --json >"$scratch/self" || fail "$1 differs from itself"
    vitrine gpu diff "$1" "$1" --context 10000 >"$scratch/seen"
    ! grep -qE 'commands not seen|type 0x0|device reset' "$scratch/seen" || return 1
    # What a resource is backed with is whole pages; in memory that serves another by now it hardly is.
    grep -oE 'length [0-9]+' "$scratch/seen" | awk '$2 == 0 || $2 % 4096 != 0 { wrong = 1 } END { exit wrong }'
}

linux() { # FILE
    local unload seen=1
    start_vm linux --kernel-tree "$tree" --module virtio-gpu --gpu virtio,indirect_desc=off \
        --append drm_kms_helper.fbdev_emulation=0 \
        --add "$VITRINE_BUILD/tests/system/kms-draw:/bin/kms-draw"
    wait_console 'shell ready' "$vm" 120s
    unload='until rmmod virtio-gpu 2>/dev/null; do sleep 0.1; done' # it is busy while it begins
    guest_exec "until [ -e /dev/dri/card0 ]; do sleep 0.1; done; $unload"
    for _ in {1..8}; do
        watch_begin "$1"
        guest_exec 'modprobe virtio-gpu; until [ -e /dev/dri/card0 ]; do sleep 0.1; done; sleep 0.5
            kms-draw 1280x800 8 20 | tail -n 1' >"$scratch/drawn"
        expect_eq 'what Linux drew' DONE "$(tr -d '\r' <"$scratch/drawn")"
        if watch_end "$1"; then
            seen=0
            break
        fi
        guest_exec "$unload"
    done
    [ $seen = 0 ] || fail "too little of Linux's commands was seen in all tries: $(cat "$scratch/watch")"
    vitrine kill "$vm"
}

card() { # FILE
    local script at i rest='wait 80'
    # A command at a time, so that each can be seen.
    script="$rest; gpu displays; create 1 1280x800; $rest; back 1; $rest; create 2 1280x800; $rest; back 2; $rest"
    script+="; transfer 1 0,0,1280x800; $rest; show 0 1 0,0,1280x800; $rest; flush 1 0,0,1280x800"
    for i in 0 1 2 3 4 5 6 7; do
        at=$((i * 73)),$((i * 41)),64x64
        script+="; $rest; transfer 1 $at; $rest; flush 1 $at"
    done
    for i in 'transfer 2 0,0,1280x800' 'show 0 2 0,0,1280x800' 'flush 2 0,0,1280x800' 'create 3 64x64' 'back 3' \
        'transfer 3 0,0,64x64' 'cursor 0 3 20 10 3 4' 'move 0 40 30' 'move 0 60 30' 'cursor 0 0 0 0' \
        'destroy 3' 'show 0 0' 'destroy 1' 'destroy 2' stay; do
        script+="; $rest; $i"
    done
    for _ in {1..12}; do
        start_vm card --guest gpu-card --machine q35 --gpu virtio,indirect_desc=off --paused \
            --append "$script"
        watch_begin "$1"
        vitrine resume "$vm"
        wait_console '"event": "(stay|error|trap|end)"'
        ! grep -aE '"event": "(refused|error|trap)"' "$VITRINE_RUNTIME_DIR/$vm/console.log" ||
            fail 'the script is not what the driver takes'
        if watch_end "$1"; then
            vitrine kill "$vm"
            return
        fi
        vitrine kill "$vm"
    done
    fail "too little of the card's commands was seen in all tries: $(cat "$scratch/watch")"
}

linux "$scratch/linux.vgpu"
card "$scratch/card.vgpu"
expect_status 1 vitrine gpu diff "$scratch/linux.vgpu" "$scratch/card.vgpu" --context 0
grep -E '^  [-+!]|^      |queue$' "$scratch/out" | sed 's/ -> .*//' >"$scratch/diff"
if [ "${1:-}" = --rebase ]; then
    mkdir -p "${golden%/*}"
    cp "$scratch/diff" "$golden"
fi
diff -u "$golden" "$scratch/diff" >&2 || fail 'the drivers differ in other ways than docs/virtio-gpu.md says'
note "$(grep -cE '^  [-+!]' "$scratch/diff") differences, all of them known; $(json 'd["same"]' <"$scratch/self") commands of ours"
