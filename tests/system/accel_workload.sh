#!/usr/bin/env bash
# tests/system/accel_workload.sh [ROUNDS] - what is in RAM in the end is the same with kernels and without:
# all of it, byte for byte, of a guest of our own without an operating system. So many ROUNDS of Linux,
# booted with kernels from the first moment on, those after the first from a cache of kernels: what much of
# its userland made, as it says itself and as RAM has it. KVM is a third witness where it works.
. "$(dirname "$0")/lib.sh"

bare=$VITRINE_BUILD/tests/system/accel/accel-bare
userland=$(dirname "$0")/accel/userland
rounds=${1-0}
patience=300
[ "$(uname -m)" = x86_64 ] || skip 'kernels are of x86-64'
mkdir "$scratch/cache"

# can_accelerate: the VM that was started has the plugin.
can_accelerate() {
    [ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
        skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
}

# accelerate: from now on, with as many kernels as can be had, one of 7 of their slices checked.
accelerate() {
    setsid "$VITRINE" accel "$vm" --threshold 1000 --canary 7 --backend host --cache "$scratch/cache" \
        >"$scratch/told" 2>"$scratch/err" &
    accel=$!
}
kernels() { # AT-LEAST: so many are in
    [ "$(vitrine accel status "$vm" --json | json 'sum(l["fate"] in ("kept", "waiting") for l in d["loops"])')" -ge "$1" ]
}
ran() { # AT-LEAST: so many iterations were kernels'
    [ "$(vitrine accel status "$vm" --json | json 'sum(l["counts"]["iterations"] for l in d["loops"] if l["counts"])')" -ge "$1" ]
}
# settle AT-LEAST: no kernel was ever wrong, and so many iterations were kernels'. Tells what was done.
settle() {
    vitrine accel status "$vm" --json >"$scratch/status"
    python3 - "$scratch/status" "$1" <<'PYTHON' >&2
import json, sys

loops = [l for l in json.load(open(sys.argv[1]))["loops"] if l["counts"]]
own = sum(l["counts"]["iterations"] for l in loops)
guest = sum(l["counts"]["heads"] for l in loops)
assert all(l["fate"] != "disabled" and l["counts"]["canaries_failed"] == 0 for l in loops), loops
print(f"{sum(l['fate'] in ('kept', 'waiting') for l in loops)} kernels in, {own} iterations theirs,"
      f" {100 * own / max(own + guest, 1):.1f} % of these loops', {sum(l['counts']['canaries'] for l in loops)} checks")
assert own >= int(sys.argv[2]), loops
PYTHON
    kill -TERM $accel
    wait $accel || fail "accel: $(cat "$scratch/err")"
}

# ---- all of RAM ----

# says NAME: what the guest computed, to $scratch/NAME.said.
says() {
    vitrine console "$vm" --send x --wait 'checksum [0-9a-f]{16}' --timeout "${patience}s" >"$scratch/$1.said"
}
# keep NAME: its RAM, but for what firmware keeps of its own between 896 KiB and 1 MiB, which it wrote by
# the clock before the guest began.
keep() {
    vitrine pause "$vm"
    cp "/dev/shm/qemu_ram_$vm" "$scratch/$1.ram"
    dd if=/dev/zero of="$scratch/$1.ram" bs=128k seek=7 count=1 conv=notrunc status=none
    vitrine kill "$vm" >/dev/null
}
start_vm plain --memory 64M --accel tcg --no-trace --no-accel --kernel "$bare"
wait_console ready
says plain
keep plain
start_vm bare --memory 64M --accel tcg --kernel "$bare"
can_accelerate
accelerate
wait_console ready
wait_until 'it has kernels' kernels 3
says bare
settle 20000000
keep bare
expect_eq 'checksum of a guest without an operating system' "$(cat "$scratch/plain.said")" "$(cat "$scratch/bare.said")"
cmp "$scratch/plain.ram" "$scratch/bare.ram" || fail 'RAM is not the same'
rm "$scratch"/*.ram

# ---- Linux ----

[ "$rounds" -gt 0 ] || exit 0

# work NAME ROUND: userland's files, as it says, to $scratch/NAME.
work() {
    vitrine console "$vm" --exec "umount /run/work 2>/dev/null; userland /run/work $2" --timeout 300s |
        tr -d '\r' >"$scratch/$1" || fail "$1: $(tail -n 5 "$scratch/$1")"
    [ "$(wc -l <"$scratch/$1")" -ge 28 ] || fail "$1: $(cat "$scratch/$1")"
}
# seen NAME: some of these files are in RAM what the guest says.
seen() {
    local file
    for file in loops binary.bz2 text.sorted copy forks; do
        vitrine pagecache "$vm" "/run/work/$file" --extract "$scratch/out" >/dev/null 2>&1 ||
            fail "$1: $file is not in RAM"
        expect_eq "$1: $file in RAM" "$(awk -v f="./$file" '$2 == f { print $1 }' "$scratch/plain")" \
            "$(sha256sum "$scratch/out" | cut -d' ' -f 1)"
    done
}
linux=(--memory 256M --add "$userland")
start_vm linux --accel tcg --no-trace --no-accel "${linux[@]}"
wait_services "$vm"
for ((round = 0; round < rounds; round++)); do
    work "plain$round" "$round"
done
cp "$scratch/plain0" "$scratch/plain"
vitrine kill "$vm" >/dev/null

start_vm kvm --accel kvm "${linux[@]}" >/dev/null 2>&1 || :
if vitrine console "$vm" --wait 'shell ready' --timeout 20s >/dev/null 2>&1; then
    work kvm 0
    expect_eq 'what KVM computes' "$(cat "$scratch/plain")" "$(cat "$scratch/kvm")"
    note 'KVM computes the same'
else
    note 'KVM does not work here'
fi
vitrine kill "$vm" >/dev/null 2>&1 || :

# accelerated SUFFIX ROUND
accelerated() {
    start_vm "$1" --accel tcg "${linux[@]}"
    accelerate
    wait_services "$vm"
    guest_exec 'setsid vt-loops all --bytes 65536 --seconds 0.05 --for-ever </dev/null >/dev/null 2>&1 &'
    wait_until 'it has kernels' kernels 3
    wait_until 'they run' ran 100000
    guest_exec 'killall vt-loops; while pidof vt-loops; do usleep 10000; done' >/dev/null
    work accelerated "$2"
    expect_eq 'what userland makes' "$(cat "$scratch/plain$2")" "$(cat "$scratch/accelerated")"
    cp "$scratch/plain$2" "$scratch/plain"
    seen accelerated
    settle 100000
    vitrine kill "$vm" >/dev/null
}
for ((round = 0; round < rounds; round++)); do
    accelerated "accel$round" "$round"
done
