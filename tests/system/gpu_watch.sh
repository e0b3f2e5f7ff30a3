#!/usr/bin/env bash
# tests/system/gpu_watch.sh - what `vitrine gpu watch` sees of a virtio-gpu is what QEMU's own trace
# says the device did, command for command: our driver over MMIO and PCI, split and packed rings,
# with and without indirect tables; then Linux's, where a kernel that has it is there.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
trace=(--qemu-arg=-trace '--qemu-arg=virtio_gpu*')

# watch_begins FILE [OPTION...]: in the background; $watcher is its process.
watch_begins() {
    local file=$1
    shift
    "$VITRINE" gpu watch "$vm" --record "$file" "$@" >"$scratch/shown" 2>"$scratch/watch" &
    watcher=$!
    wait_until 'the watch begins' test -s "$file"
}

watch_ends() {
    local status=0
    wait $watcher || status=$?
    expect_eq "status of the watch of $vm" 0 "$status"
    note "$vm: $(cat "$scratch/watch")"
}

# agrees FILE: the recording with QEMU's trace. Before the VM ends: its log goes then.
trace_agrees() {
    "$here/gpu/trace_agrees.py" "$VITRINE_RUNTIME_DIR/$vm/qemu.log" "$1" >"$scratch/agrees" 2>&1
}
agrees() {
    wait_until "the recording of $vm and QEMU's trace agree" trace_agrees "$1" ||
        fail "$(cat "$scratch/agrees")"
    note "$vm: $(cat "$scratch/agrees")"
}

# Pauses let a watcher on a busy machine keep up; that nothing may be lost is not what is tested.
script='wait 200; gpu up; wait 50; card 640x480 watched; wait 50; animate 40 50; wait 50'
script+='; create 77 64x64; wait 20; back 77 3; wait 20; cursor 0 77 5 6; wait 20; move 0 7 8; wait 20'
script+='; raw SET_SCANOUT scanout_id=99 resource_id=77; wait 20; raw RESOURCE_UNREF resource_id=4711'
script+='; wait 20; cursor 0 0 0 0; wait 20; destroy 77; wait 50; say finished; stay'

card() { # NAME OPTION OF RUN...
    start_vm "$1" --guest gpu-card --memory 128M --paused --append "$script" "${trace[@]}" "${@:2}"
    watch_begins "$scratch/$1" --table --json --show
    vitrine resume "$vm"
    wait_console finished
    wait_until 'the last command is recorded' recorded "$scratch/$1" RESOURCE_UNREF 2
    agrees "$scratch/$1"
    vitrine kill "$vm"
    watch_ends
    expect_match "$vm: what the watch says" 'the VM ended' "$(cat "$scratch/watch")"
    # What it holds in the end: the card's buffers, one of them shown; the rest is gone again.
    tail -n 1 "$scratch/shown" >"$scratch/table"
    expect_eq "$vm: what scanout 0 shows" 640 "$(json '[r["width"] for s in d["scanouts"] for r in d["resources"] if
        s["scanout"] == 0 and s["resource"] == r["id"]][0]' <"$scratch/table")"
    expect_eq "$vm: resource 77" false "$(json 'any(r["id"] == 77 for r in d["resources"])' <"$scratch/table")"
}

# recorded FILE NAME N: at least N such commands.
recorded() {
    [ "$(vitrine gpu export "$1" --json | grep -c "\"$2\"")" -ge "$3" ]
}

reset_seen() {
    vitrine gpu export "$1" --json | grep '"reset"' >/dev/null
}

card mmio --machine microvm --gpu virtio
card pci --gpu virtio
card packed --gpu virtio,packed=on
card direct --gpu virtio,indirect_desc=off,event_idx=off

# Two devices: one has to be named, and only what it does is seen.
start_vm two --guest gpu-card --machine microvm --memory 128M --gpu virtio --gpu virtio --paused \
    --append 'wait 200; set device 1; card 320x240 second; say finished; stay'
expect_error 1 'gpu0, gpu1' vitrine gpu watch "$vm"
expect_error 3 "no virtio-gpu is called 'gpu2'" vitrine gpu watch "$vm" --device gpu2
vitrine gpu watch "$vm" --device gpu0 --record "$scratch/gpu0" 2>/dev/null &
other=$!
watch_begins "$scratch/gpu1" --device gpu1
wait_until 'the other watch begins' test -s "$scratch/gpu0"
vitrine resume "$vm"
wait_console finished
either_seen() {
    for used in gpu0 gpu1; do
        recorded "$scratch/$used" RESOURCE_FLUSH 1 && return
    done
    return 1
}
wait_until 'commands of a device are seen' either_seen
vitrine kill "$vm"
watch_ends
wait $other || fail 'the watch of the other device'
[ "$used" = gpu0 ] && idle=gpu1 || idle=gpu0
expect_eq "commands of $idle" '' "$(vitrine gpu export "$scratch/$idle")"

# A guest that is reset, and one whose driver is loaded anew, are followed.
start_vm reset --guest gpu-card --memory 128M --gpu virtio --paused \
    --append 'wait 200; card 320x240 again; wait 100; gpu down; wait 100; card 320x240 again; say finished; stay'
watch_begins "$scratch/reset"
vitrine resume "$vm"
wait_console finished
wait_until 'both lives of the driver are seen' recorded "$scratch/reset" RESOURCE_CREATE_2D 4
reset_seen "$scratch/reset" || fail 'no reset was seen'
vitrine reset "$vm"
wait_until 'the VM is seen after its reset' recorded "$scratch/reset" RESOURCE_CREATE_2D 6
kill -TERM $watcher
watch_ends
vitrine kill "$vm"

expect_error 3 'no VM named' vitrine gpu watch "$prefix-nobody"
start_vm none --guest gpu-card --memory 128M --append 'stay'
expect_error 3 'no virtio-gpu' vitrine gpu watch "$vm"
vitrine kill "$vm"

# Linux: a kernel of Debian's with its driver as a module.
tree=${VITRINE_CACHE_DIR:-/var/cache/vitrine}/kernels/6.12-amd64
if [ -z "$(find "$tree" -name 'virtio-gpu.ko*' 2>/dev/null)" ]; then
    note "$tree has no virtio-gpu: Linux's driver was not watched (tools/setup kernels)"
    exit 0
fi
start_vm linux --kernel-tree "$tree" --module virtio-gpu --gpu virtio --memory 256M --paused "${trace[@]}"
watch_begins "$scratch/linux"
vitrine resume "$vm"
wait_console 'shell ready'
guest_exec 'modprobe virtio_gpu && until [ -e /dev/fb0 ]; do usleep 10000; done' >/dev/null
wait_until "Linux's first flush is seen" recorded "$scratch/linux" RESOURCE_FLUSH 1
guest_exec 'for c in /sys/class/vtconsole/vtcon*; do echo 0 >$c/bind; done; modprobe -r virtio_gpu' >/dev/null
wait_until 'the driver is seen to go' reset_seen "$scratch/linux"
guest_exec 'modprobe virtio_gpu && until [ -e /dev/fb0 ]; do usleep 10000; done; ls /dev/dri' >"$scratch/dri"
expect_match "Linux's card" card0 "$(cat "$scratch/dri")"
agrees "$scratch/linux"
kill -TERM $watcher
watch_ends
