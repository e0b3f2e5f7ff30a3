#!/usr/bin/env bash
# tests/system/gpu_guest.sh - the bare-metal guest on every machine, over both transports and both kinds of
# ring: it comes up and ends by itself; when it traps it says where and stands still with all it knew; what it
# says is whole, however slowly it is read; and when its display gets another size it follows.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
last='"event": "(stay|error|trap|panic|end)".*\}$' # a whole line

# told: when the guest has reported the last of it.
told() {
    wait_console "$last"
    report=$(tr -d '\r' <"$VITRINE_RUNTIME_DIR/$vm/console.log" | grep -a '^{')
}

# guest SUFFIX SCRIPT [option of run...]
guest() {
    local suffix=$1 script=$2
    shift 2
    start_vm "$suffix" --guest gpu-card --memory 128M --append "$script" "$@"
    told
}

# of EVENT EXPRESSION: of the last report of that kind, as Python's d.
of() {
    grep -a "\"event\": \"$1\"" <<<"$report" | tail -n 1 | json "$2"
}

# keys: of each report, as far as they are whole.
keys() {
    jq -sc 'map(keys_unsorted)' <<<"$report"
}

gone() {
    ! vitrine ls --names | grep -xF "$vm"
}

# ---- it comes up, draws, gives everything back

n=0
while read -r arch machine gpu; do
    guest "up$((n++))" \
        'set sleep yes; card 640x480; animate 8; gpu state; gpu down; bench blocking 200; gpu down; stay' \
        --arch "$arch" --machine "$machine" --gpu "$gpu"
    expect_eq "$vm: architecture" "$arch" "$(of boot 'd["architecture"]')"
    expect_eq "$vm: bus" "${gpu##*transport=}" "$(of device 'd["bus"]')"
    expect_eq "$vm: packed rings" "$([[ $gpu == *packed=on* ]] && echo 1 || echo 0)" \
        "$(of gpu 'int(d["features"], 16) >> 34 & 1')"
    expect_eq "$vm: failed commands" 0 "$(of state 'd["failed"]')"
    expect_eq "$vm: sleeps, where the line is known" "$([[ $gpu == *mmio ]] && echo true || echo false)" \
        "$(of bench 'd["interrupts"] > 0')"
    expect_eq "$vm: resources left" 0 "$(of gpu-down 'd["resources_left"]')"
    vitrine kill "$vm"
done <<'MACHINES'
x86_64 microvm virtio,packed=on,transport=mmio
x86_64 q35 virtio,packed=on,transport=pci
aarch64 virt virtio,packed=on,transport=mmio
aarch64 virt virtio,transport=pci
riscv64 virt virtio,packed=on,transport=mmio
riscv64 virt virtio,transport=pci
MACHINES

# ---- it ends by itself, and traps are told

declare -A said
while read -r arch machine what; do
    start_vm "off-$arch-$machine" --guest gpu-card --memory 64M --append 'wait 100' --arch "$arch" --machine "$machine"
    wait_until "$vm has switched itself off" gone
    for how in read write undefined; do
        guest "$how-$arch-$machine" "card 640x480; crash $how" --arch "$arch" --machine "$machine" --gpu virtio
        expect_eq "$vm: trap" "$(cut -d, -f"$(case $how in read) echo 1 ;; write) echo 2 ;; *) echo 3 ;; esac)" <<<"$what")" \
            "$(of trap 'd["what"]')"
        expect_eq "$vm: state" running "$(vm_state)"
        # What the driver did before lies in RAM, whole, and where it said.
        expect_eq "$vm: the log's magic" VT-GPULOG "$(vitrine read "$vm" "$(of log-ring 'd["address"]')" 9 --raw)"
        vitrine gpu log "$vm" >"$scratch/log"
        expect_match "$vm: last command" 'RESOURCE_FLUSH .* -> OK_NODATA' "$(tail -n 1 "$scratch/log")"
        vitrine kill "$vm"
    done
    said[$arch-$machine]=$(keys)
done <<'MACHINES'
x86_64 microvm page fault,page fault,undefined instruction
x86_64 q35 page fault,page fault,undefined instruction
aarch64 virt data abort,data abort,undefined instruction
riscv64 virt load access fault,store access fault,undefined instruction
MACHINES

# ---- nobody reads what it says for a while

# ticks: what its QEMU has run, user and system.
ticks() {
    awk '{ print $14 + $15 }' "/proc/$qemu/stat"
}

polls_for_seconds() {
    [ "$(ticks)" -gt $((ran + 3 * $(getconf CLK_TCK))) ]
}

# Not aarch64: QEMU's PL011 never says that it is full, the vCPU waits in QEMU.
while read -r arch machine; do
    start_vm "unread-$arch" --guest gpu-card --memory 64M --paused --append 'card 640x480; crash undefined' \
        --arch "$arch" --machine "$machine" --gpu virtio
    qemu=$(vitrine info "$vm" --json | json 'd["qemu_pid"]')
    keeper=$(vitrine info "$vm" --json | json 'd["keeper_pid"]')
    ran=$(ticks)
    kill -STOP "$keeper"
    "$here/qmp.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" cont >/dev/null
    wait_until 'the line is full, and the guest waits' polls_for_seconds
    kill -CONT "$keeper"
    told
    expect_eq "$vm: what it says" "${said[$arch-$machine]}" "$(keys)"
    vitrine kill "$vm"
done <<'MACHINES'
x86_64 microvm
riscv64 virt
MACHINES

# ---- the user gives the display another size

start_vm follow --guest gpu-card --memory 128M --append 'follow' --machine q35 --gpu virtio \
    --qemu-arg=-vnc --qemu-arg=127.0.0.1:0,to=99
wait_console '"event": "card".*"width": 1280, "height": 800'
python3 "$here/gpu/vnc_resize.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" 1024x768 800x600
wait_console '"event": "card".*"width": 1024, "height": 768'
wait_console '"event": "card".*"width": 800, "height": 600'
vitrine gpu state "$vm" --screendump "$scratch/shown.ppm" >/dev/null
expect_eq 'what the screen shows' '800 600' "$(sed -n 2p "$scratch/shown.ppm" | tr -d '\r')"
vitrine kill "$vm"

# ---- without a word

start_vm alone --guest gpu-card
wait_console '"event": "card".*"width": 1280, "height": 800'
expect_eq 'its GPU' 1 "$(vitrine gpu state "$vm" --json | json 'len(d["screens"])')"
