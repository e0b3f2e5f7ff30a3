#!/usr/bin/env bash
# tests/system/trace_registers.sh - registers rebuilt from what a guest did, against those that QEMU
# had at chosen places: never another value, and most of them known.
. "$(dirname "$0")/lib.sh"

start_vm a --accel tcg --memory 128M
[ "$(vitrine info "$vm" --json | json 'd["trace_path"] is not None')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd["trace_why"]')"
wait_console 'shell ready'
guest_exec 'while :; do ls -lR /bin; echo a | md5sum; sh -c "exit 0"; done >/dev/null 2>&1 & echo busy' >/dev/null

# Places in the kernel, reached with all kinds of code before them: interrupts, system calls, faults,
# copies by string instructions, other processes.
points=()
for name in __schedule do_syscall_64 handle_mm_fault vfs_read memcpy dput kmem_cache_alloc; do
    address=$(vitrine symbols "$vm" "$name" --json | json '(d[0] if isinstance(d, list) else d)["address"]')
    points+=(--filter "point=$address")
done

# rebuilt WHAT OPTION…: records and rebuilds; the numbers are in $scratch/WHAT.
number() { awk -v name="$2" '$1 == name { print $2 }' "$scratch/$1"; }
rebuilt() {
    vitrine trace "$vm" --policy wait --count 4000000 --out "$scratch/run.vtrace" --replace "${@:2}" 2>"$scratch/said"
    expect_match "$1: nothing was lost" ' 0 words were lost' "$(cat "$scratch/said")"
    "$VITRINE_BUILD/tests/system/trace_registers" "$scratch/run.vtrace" >"$scratch/$1"
    note "$1: $(tr '\n' ' ' <"$scratch/$1")"
    expect_eq "$1: registers that QEMU had otherwise" 0 "$(number "$1" points_wrong)"
    expect_eq "$1: stores, addresses and branches that are not as foretold" 0 "$(number "$1" disagreements)"
}

rebuilt values --mode values "${points[@]}"
[ "$(number values points)" -ge 100 ] || fail 'too few places were reached'
[ "$(number values points_known)" -ge $((20 * $(number values points_unknown))) ] ||
    fail 'less than 95 % of the registers were known'
[ "$(number values branches)" -ge 100000 ] || fail 'too few branches were foretold'
[ "$(number values addresses)" -ge 100000 ] || fail 'too few addresses were compared'

# From the registers at the beginning and memory accesses alone.
rebuilt alone --mode values
expect_eq 'records of registers' 1 "$(number alone points)"
awk '$1 == "known_percent" && $2 > 90 { ok = 1 } END { exit !ok }' "$scratch/alone" ||
    fail 'less than 90 % of the registers were known'

# With less recorded less is known, and nothing wrong.
rebuilt addresses --mode addresses "${points[@]}"
rebuilt kernel --mode values --filter kernel "${points[@]}"

# As people and programs see it: what QEMU had is what the instructions before left.
# How soon the places come is the guest's affair: as much is read as it takes.
shown() { vitrine trace dump "$scratch/run.vtrace" --registers --json 2>/dev/null; }
python3 - <(shown) <<'PYTHON' || fail 'what is shown is not what QEMU had'
import json, sys

now, recorded, compared = {}, {}, 0
for line in open(sys.argv[1]):
    if compared > 1000:
        break
    event = json.loads(line)
    if event["kind"] == "registers":
        recorded[event["pc"]] = event["registers"]
    if event["kind"] != "block":
        continue
    for instruction in event["instructions"]:
        had = recorded.pop(instruction["pc"], {})
        for name, value in had.items():
            if now.get(name) and "?" not in now[name] and name != "rflags":
                assert now[name] == value, (instruction, name, now[name], value)
                compared += 1
        now.update(instruction["registers"])
        assert all(v is None or v.startswith("0x") for n, v in instruction["registers"].items()
                   if n != "rflags"), instruction
assert compared > 1000, compared
PYTHON
expect_match 'a line' ' rsp=0x[0-9a-f]{16} ' "$(vitrine trace dump "$scratch/run.vtrace" --registers --count 200)"
