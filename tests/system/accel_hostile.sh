#!/usr/bin/env bash
# tests/system/accel_hostile.sh [ROUNDS] - loops that have kernels, under circumstances that nobody chose
# for them (accel/hostile_*.c): faults, signals, debuggers, other threads, code that changes, memory that
# runs out. What the guest sees is what it sees without kernels, and what the host's processor does.
# With ROUNDS, so many more while loops are looked at, kernels come and go.
. "$(dirname "$0")/lib.sh"

patience=300
program=$VITRINE_BUILD/tests/system/accel-hostile
[ -x "$program" ] || skip 'the guest program is of another machine'
start_vm a --memory 256M --accel tcg --add "$program"
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
wait_services "$vm"

# cases FILE: what each case computed.
cases() { tr -d '\r' <"$1" | grep -aE '^[a-z_]+ [0-9a-f]{16}$' | sort; }
in_guest() { # NAME: all cases, to $scratch/NAME
    vitrine console "$vm" --exec 'accel-hostile guest 2>&1' --timeout 500s >"$scratch/$1"
    [ "$(grep -acE 'WRONG|unavailable' "$scratch/$1")" = 0 ] || fail "$1: $(grep -aE 'WRONG|unavailable' "$scratch/$1" | head -n 20)"
    expect_eq "$1: cases" 24 "$(cases "$scratch/$1" | wc -l)"
}
in_guest plain
# What the host cannot do (a container may forbid much) it does not say.
"$program" all >"$scratch/native" 2>/dev/null
[ "$(grep -c WRONG "$scratch/native")" = 0 ] || fail "the host: $(cat "$scratch/native")"
[ "$(cases "$scratch/native" | wc -l)" -ge 10 ] || fail "the host can hardly anything: $(cat "$scratch/native")"
expect_eq 'what only the host says' '' "$(comm -13 <(cases "$scratch/plain") <(cases "$scratch/native"))"

# Until each loop has a kernel: by its page's and its symbol's name, and the two that are made at run time.
kernels() {
    vitrine accel "$vm" --once --threshold 1000 --canary 7 --backend host --cache "$scratch/cache" >"$scratch/told" 2>&1
    vitrine accel status "$vm" --json >"$scratch/status"
    python3 - "$scratch/status" <<'PYTHON'
import json, sys

used = [l for l in json.load(open(sys.argv[1]))["loops"] if l["fate"] in ("kept", "waiting")]
names = {l["place"].partition(":")[2].partition("+")[0] for l in used}
missing = {"hot_xor8", "fill1", "copy1", "copy8", "copy1_back", "add4", "sum8", "map1", "scan1", "xor_vectors"} - names
made = sum(l["place"].startswith("0x") for l in used)
sys.exit(f"no kernel of {missing}, {made} of code made at run time" if missing or made < 2 else 0)
PYTHON
}
mkdir "$scratch/cache"
guest_exec 'setsid accel-hostile train </dev/null >/dev/null 2>&1 &'
wait_until 'each loop has a kernel' kernels
guest_exec 'killall accel-hostile; while pidof accel-hostile; do usleep 10000; done' >/dev/null

# counted: hash, iterations, heads of each kernel that is in; every check at run time held.
counted() {
    vitrine accel status "$vm" --json >"$scratch/status"
    python3 - "$scratch/status" <<'PYTHON'
import json, sys

for l in json.load(open(sys.argv[1]))["loops"]:
    assert l["fate"] != "disabled", l
    if l["fate"] in ("kept", "waiting"):
        assert l["counts"]["canaries_failed"] == 0, l
        print(l["place"], l["loop"], l["counts"]["iterations"], l["counts"]["heads"], l["counts"]["canaries"])
PYTHON
}
counted >"$scratch/before"
in_guest accelerated
counted >"$scratch/after"
expect_eq 'with kernels' "$(cases "$scratch/plain")" "$(cases "$scratch/accelerated")"
python3 - "$scratch/before" "$scratch/after" <<'PYTHON' >&2
import sys

before, after = ({(h, p): list(map(int, n)) for p, h, *n in map(str.split, open(f))} for f in sys.argv[1:])
total = 0
for key, (iterations, heads, canaries) in sorted(after.items()):
    i, h, c = iterations - before[key][0], heads - before[key][1], canaries - before[key][2]
    print(f"{key[1]}: {i} iterations by its kernel, {h} by the guest, {c} checked")
    assert i > 1000 or key[1].startswith("0x"), key
    total += i
print(f"{total} iterations by kernels")
assert total > 10000000, total
PYTHON

# Loops are looked at meanwhile, kernels are measured, taken out and put in.
for ((round = 0; round < ${1-0}; round++)); do
    setsid "$VITRINE" accel "$vm" --threshold 1000 --canary 3 --backend host --cache "$scratch/cache" >"$scratch/long" 2>&1 &
    pid=$!
    in_guest meanwhile
    expect_eq 'while kernels come and go' "$(cases "$scratch/plain")" "$(cases "$scratch/meanwhile")"
    kill -TERM $pid
    wait $pid || fail "accel: $(cat "$scratch/long")"
    counted >/dev/null
    vitrine accel off "$vm" >/dev/null
done
