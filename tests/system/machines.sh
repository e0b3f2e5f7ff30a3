#!/usr/bin/env bash
# tests/system/machines.sh - every machine that vitrine starts: boots, is read, saved and started
# again, is attached to when somebody else started it, and leaves nothing. The guest is gpu-card,
# whose report says what must be found in its RAM.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
pids=()
end_by_hand() {
    [ ${#pids[@]} = 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
    rm -f "/dev/shm/qemu_ram_$prefix"-*
}
trap 'status=$?; set +e; end_by_hand; (exit $status); finish' EXIT

report() { vitrine console "$vm" --wait "\"event\": \"$1\".*\\}\$" --timeout "${patience}s"; }

# The driver's log begins with its magic, at the address that the guest tells.
check_ram() {
    local at
    at=$(report log-ring | json 'd["address"]')
    expect_eq "$1: magic at $at" 'VT-GPULOG' "$(vitrine read "$vm" "$at" 9 --raw)"
}

# check WHAT ARCH BASE [option of run...]: RAM begins at BASE.
check() {
    local what=$1 arch=$2 base=$3 info pid
    shift 3
    start_vm "${what// /-}" --arch "$arch" --guest gpu-card --memory 64M "$@" --append 'card 640x480; stay'
    report stay >/dev/null
    info=$(vitrine info "$vm" --json)
    expect_eq "$what: architecture" "$arch" "$(json 'd["arch"]' <<<"$info")"
    expect_eq "$what: RAM" "$base" "$(json 'd["regions"][0]["gpa"]' <<<"$info")"
    expect_eq "$what: changes" "$(vitrine info "$first" --json | json 'd["tracking"]')" \
        "$(json 'd["tracking"]' <<<"$info")"
    pid=$(json 'd["qemu_pid"]' <<<"$info")
    expect_match "$what: program" "qemu-system-$arch" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
    expect_eq "$what: no_new_privs" 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$pid/status")"
    check_ram "$what"
    expect_eq "$what: screen" '[640, 480]' \
        "$(vitrine gpu state "$vm" --json | json '[d["screens"][0][k] for k in ("width", "height")]')"

    vitrine pause "$vm"
    expect_eq "$what: paused" paused "$(vm_state)"
    vitrine resume "$vm"
    vitrine reset "$vm" # the guest begins anew
    wait_until "$what: booted twice" \
        sh -c "[ \"\$(grep -c '\"event\": \"stay\"' '$VITRINE_RUNTIME_DIR/$vm/console.log')\" = 2 ]"

    vitrine save "$vm" "$scratch/saved"
    vitrine kill "$vm"
    vitrine restore "$scratch/saved"
    expect_eq "$what: state after restore" running "$(vm_state)"
    expect_eq "$what: architecture after restore" "$arch" "$(vitrine info "$vm" --json | json 'd["arch"]')"
    expect_eq "$what: screen after restore" '[640, 480]' \
        "$(vitrine gpu state "$vm" --json | json '[d["screens"][0][k] for k in ("width", "height")]')"
    if [ "$arch" != x86_64 ]; then
        expect_error 1 "a machine for $arch: only" vitrine ps "$vm"
        expect_error 2 'raw or lime' vitrine dump "$vm" "$scratch/core"
    fi
    vitrine kill "$vm"
    vitrine run "$vm" --again
    check_ram "$what, again"
    vitrine stop "$vm" --timeout 100ms
    expect_eq "$what: left" '' "$(vitrine ls --names | grep -vxF "$first" || true)"

    # Without "stay" it switches itself off, and that is no accident.
    vitrine run "$vm" --arch "$arch" --guest gpu-card --memory 64M "$@" --append 'say done'
    wait_until "$what: off by itself" sh -c "! '$VITRINE' ls --names | grep -qxF '$vm'"
    expect_error 3 "^vitrine info: no VM named '$vm'$" vitrine info "$vm"
}

# by_hand ARCH MACHINE [option...]: somebody else's, attached.
by_hand() {
    local arch=$1 machine=$2 qemu
    shift 2
    vm=$prefix-by-hand-$arch
    qemu=VITRINE_QEMU_${arch^^}
    qemu=${!qemu:-$cache/qemu/qemu-system-$arch}
    [ -x "$qemu" ] || qemu=$(command -v "qemu-system-$arch")
    env -u VITRINE_RUNTIME_DIR "$qemu" -nodefaults -display none -m 64M -accel tcg -cpu max -serial null \
        -machine "$machine,memory-backend=mem" -global virtio-mmio.force-legacy=false \
        -object "memory-backend-file,id=mem,size=64M,mem-path=/dev/shm/qemu_ram_$vm,share=on" \
        -kernel "$VITRINE_BUILD/guests/card/gpu-card-$arch" -append 'card 320x200; stay' \
        -qmp "unix:$scratch/$vm.qmp,server=on,wait=off" "$@" &
    pids+=($!)
    wait_until "$vm listens" listens "$scratch/$vm.qmp"
    vitrine attach "$vm" --qmp "$scratch/$vm.qmp"
    expect_eq "$vm: architecture" "$arch" "$(vitrine info "$vm" --json | json 'd["arch"]')"
    wait_until "$vm: its log is in RAM" sh -c \
        "[ \"\$('$VITRINE' gpu state '$vm' --json | jq -r '.scanouts[0].width')\" = 320 ]"
    vitrine gpu state "$vm" --screendump "$scratch/by-hand.png" >/dev/null
    expect_match "$vm: picture" '320 x 200' "$(file "$scratch/by-hand.png")"
    vitrine kill "$vm"
}

: "${VITRINE_BUILD:=$(dirname "$VITRINE")}"
start_vm first --memory 96M --paused
first=$vm
check 'q35' x86_64 0x0 --gpu virtio
check 'pc' x86_64 0x0 --machine pc --gpu virtio
check 'microvm' x86_64 0x0 --machine microvm --gpu virtio
check 'aarch64' aarch64 0x40000000 --gpu virtio
check 'aarch64 pci' aarch64 0x40000000 --gpu virtio,transport=pci
check 'riscv64' riscv64 0x80000000 --gpu virtio
check 'riscv64 pci' riscv64 0x80000000 --gpu virtio,transport=pci
by_hand aarch64 virt -device virtio-gpu-device
by_hand riscv64 virt -device virtio-gpu-device -bios none

expect_error 1 'not x86_64, aarch64 or riscv64' vitrine run "$prefix-x" --arch sparc --kernel /dev/null
expect_error 1 'the default guest is for x86_64' vitrine run "$prefix-x" --arch aarch64
expect_error 1 'neither ramfb nor virtio' vitrine run "$prefix-x" --gpu 'virtio,id=x,y' --kernel "$0"
expect_error 1 'neither linux, mesa nor gpu-card' vitrine run "$prefix-x" --guest plan9
VITRINE_QEMU_AARCH64=/nonexistent expect_error 3 VITRINE_QEMU_AARCH64 \
    vitrine run "$prefix-x" --arch aarch64 --guest gpu-card
