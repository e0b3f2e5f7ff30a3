#!/usr/bin/env bash
# tests/system/accel_vms.sh - kernels and what happens to VMs: two at once with one cache; who accelerates
# is killed at any moment; reset, pause, save, restore, a trace beside it, QEMU's end; RAM below and above
# 4 GiB; and those that have no kernels say why. What the guest computes is always the same.
. "$(dirname "$0")/lib.sh"

program=$VITRINE_BUILD/guests/linux/vt-loops
[ "$(uname -m)" = x86_64 ] || skip 'kernels are of x86-64'
mkdir "$scratch/cache"
patience=300
options=(--threshold 1000 --canary 7 --backend host --cache "$scratch/cache")
# accelerate VM NAME: from now on; who does it is $accel, and what it says in $scratch/NAME.
accelerate() {
    setsid "$VITRINE" accel "$1" "${options[@]}" >"$scratch/$2" 2>&1 &
    accel=$!
}
status() { vitrine accel status "$1" --json | json "$2"; }
checks() { tr -d '\r' | sed -nE 's/^([a-z0-9]+) bytes=.*check=([0-9a-f]{16})$/\1 \2/p' | sort -u; }
native=$("$program" all --bytes 65536 --times 1 | checks)
computes() { # WHAT VM
    expect_eq "$1: what loops compute" "$native" "$(guest_exec 'vt-loops all --bytes 65536 --times 2' "$2" | checks)"
    expect_eq "$1: kernels that were wrong" 0 \
        "$(status "$2" 'sum(l["fate"] == "disabled" or (l["counts"] or {}).get("canaries_failed", 0) for l in d["loops"])')"
}
load() { guest_exec 'setsid vt-loops all --bytes 65536 --seconds 0.02 --for-ever </dev/null >/dev/null 2>&1 &' "$1" >/dev/null; }
looks() { # VM AT-LEAST: looks once; whether so many kernels are in
    vitrine accel "$1" --once "${options[@]}" >"$scratch/told" 2>&1 || cat "$scratch/told"
    [ "$(status "$1" 'd["kernels"]')" -ge "$2" ]
}
iterations() { status "$1" 'sum(l["counts"]["iterations"] for l in d["loops"] if l["counts"])'; }
unknown() { # VM: kernels that are in use and have no row
    status "$1" 'max(0, d["kernels"] - sum(l["fate"] in ("kept", "waiting") for l in d["loops"]))'
}
runs() { [ "$(iterations "$1")" -gt "$2" ]; } # VM BEFORE

# Two at once, one with its RAM below 4 GiB, one with much above; each finds what the other proved.
start_vm a --memory 160M --accel tcg
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
a=$vm
start_vm b --memory 5G --accel tcg
b=$vm
wait_services "$a"
wait_services "$b"
load "$a"
load "$b"
accelerate "$a" a
first=$accel
accelerate "$b" b
second=$accel
has() { [ "$(status "$1" 'd["kernels"]')" -ge "$2" ]; }
wait_until 'one has kernels' has "$a" 4
wait_until 'the other has kernels' has "$b" 4
computes 'below 4 GiB' "$a"
computes 'above 4 GiB' "$b"

# Killed with QEMU: who accelerates ends with it, and says so; the other one does not mind.
kill -9 "$(vitrine info "$b" --json | json 'd["qemu_pid"]')"
rc=0
wait $second || rc=$?
expect_eq 'the status when QEMU is killed' 1 $rc
expect_match 'what it says then' 'QEMU ended' "$(tail -n 1 "$scratch/b")"
wait_until "$b is gone" sh -c "! ls /dev/shm/qemu_*_$b"
expect_eq 'the other goes on' alive "$(guest_exec 'echo alive' "$a")"

# Killed itself, at any moment: the guest goes on, the next one takes over what is in.
kill -9 $first
wait $first 2>/dev/null || true
for ms in 20 120 320 420 600 900 1300; do
    vitrine accel off "$a" >/dev/null
    rm -f "$scratch/cache"/*
    accelerate "$a" a
    sleep "0.$(printf %03d $((ms % 1000)))"
    [ $ms -lt 1000 ] || sleep $((ms / 1000))
    kill -9 $accel
    wait $accel 2>/dev/null || true
    expect_eq "killed after $ms ms: the guest goes on" alive "$(guest_exec 'echo alive' "$a")"
    expect_eq "killed after $ms ms: kernels that nobody knows" 0 "$(unknown "$a")"
done
wait_until 'the next one has kernels' looks "$a" 4
expect_eq 'kernels that nobody knows' 0 "$(unknown "$a")"
computes 'after it was killed' "$a"

# Nothing was written down of them: they are known by their slots, and the next one keeps them.
rm "$VITRINE_RUNTIME_DIR/$a/accel.json"
known=$(status "$a" 'sorted(l["loop"] for l in d["loops"] if l["counts"]["state"] == "active")')
expect_eq 'kernels that nobody wrote down' 0 "$(unknown "$a")"
expect_eq 'where they are' true "$(status "$a" 'all(l["place"] == l["address"] for l in d["loops"])')"
before=$(iterations "$a")
looks "$a" 4 || fail "the next one: $(cat "$scratch/a")"
expect_eq 'what it does not know any more' '[]' \
    "$(status "$a" "sorted(set($known) - {l['loop'] for l in d['loops']})")"
runs "$a" "$before" || fail 'none of them runs'

# Paused: nothing runs, and who looks is patient; it goes on where it was.
vitrine pause "$a"
before=$(iterations "$a")
vitrine accel "$a" --once "${options[@]}" >"$scratch/a" 2>&1 || fail "a look at a paused VM: $(cat "$scratch/a")"
expect_eq 'iterations of a paused VM' "$before" "$(iterations "$a")"
vitrine resume "$a"
wait_until 'kernels run again' runs "$a" "$before"

# A trace beside it.
accelerate "$a" a
vitrine trace "$a" --for 300ms --out "$scratch/beside.vtrace" >/dev/null 2>"$scratch/err" || note "$(cat "$scratch/err")"
computes 'beside a trace' "$a"
kill -TERM $accel
wait $accel || fail "beside a trace: $(cat "$scratch/a")"

# Saved with kernels in, restored without; both go on.
vitrine save "$a" "$scratch/saved"
computes 'after it was saved' "$a"
vitrine restore "$prefix-c" "$scratch/saved"
expect_eq 'kernels of what was restored' 0 "$(status "$prefix-c" 'd["kernels"]')"
wait_until 'what was restored has kernels' looks "$prefix-c" 4
computes 'restored' "$prefix-c"
vitrine kill "$prefix-c" >/dev/null

# Reset with kernels in: it boots with them.
before=$(wc -c <"$VITRINE_RUNTIME_DIR/$a/console.log")
vitrine reset "$a"
booted() { tail -c +"$((before + 1))" "$VITRINE_RUNTIME_DIR/$a/console.log" | grep -aq 'shell ready'; }
wait_until 'it boots again' booted
before=$(iterations "$a")
computes 'after a reset' "$a"
runs "$a" "$before" || fail 'no kernel ran after a reset'
vitrine kill "$a" >/dev/null

# Those that have none.
start_vm d --memory 96M --accel tcg --cpus 2 --paused
expect_error 1 '2 CPUs, not one' vitrine accel "$vm" --once
vitrine kill "$vm" >/dev/null
if start_vm e --memory 96M --accel kvm --paused 2>/dev/null; then
    expect_error 1 'not kvm' vitrine accel "$vm" --once
    vitrine kill "$vm" >/dev/null
fi
start_vm f --arch riscv64 --guest gpu-card --paused
expect_error 1 'x86' vitrine accel "$vm" --once
vitrine kill "$vm" >/dev/null
old=${VITRINE_CACHE_DIR:-/var/cache/vitrine}/old-qemus/trixie/qemu-system-x86_64
if [ -e "$old" ]; then
    VITRINE_QEMU=$old start_vm g --memory 96M --accel tcg --paused
    expect_error 1 'QEMU' vitrine accel "$vm" --once
    vitrine kill "$vm" >/dev/null
fi
