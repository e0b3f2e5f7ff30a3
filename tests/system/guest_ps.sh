#!/usr/bin/env bash
# tests/system/guest_ps.sh - what is read from RAM equals what the guest says of itself: processes,
# symbols, kernel, memory; with one and two CPUs, 4- and 5-level paging, with and without KASLR,
# RAM beyond the PCI hole, after a reset, paused, and from a saved file.
. "$(dirname "$0")/lib.sh"

# The guest's processes as its /proc has them: lines of PATH:CONTENT.
guest_processes() {
    guest_exec 'cd /proc; p=$(echo [0-9]*)
    f() { for i in $p; do echo $i/$1; done; }
    grep -sHE "^(Name|State|Tgid|PPid|Uid|Threads|VmRSS)" $(f status)
    grep -sH . $(f stat) | sed "s/:.*) /:/"
    grep -sHa . $(f cmdline) | tr "\0" " "; true'
}

# compare BEFORE VITRINE AFTER: 0 when the processes of RAM are those that the guest had both
# before and after, and all their fields agree. What the guest's own two looks do not agree on may
# differ.
cat >"$scratch/compare" <<'PYTHON'
import json, re, sys

def guest(path):
    tasks = {}
    for line in open(path, errors="replace"):
        match = re.match(r"(\d+)/(\w+):(.*)", line)
        if not match:
            continue
        pid, file, value = int(match[1]), match[2], match[3].strip()
        task = tasks.setdefault(pid, {"rss_bytes": 0, "args": None})
        key = file
        if file == "status":
            key, _, value = value.partition(":")
            value = value.strip()
        if key == "Name":
            # For its threads the kernel makes up more than their comm: what a kworker works on,
            # and what was cut off.
            task["comm"] = re.split("[+-]", value)[0] if value.startswith("kworker") else value[:15]
        elif key == "State":
            task["state"] = value[0]
        elif key == "PPid":
            task["ppid"] = int(value)
        elif key == "Uid":
            task["uid"] = int(value.split()[0])
        elif key == "Threads":
            task["threads"] = int(value)
        elif key == "VmRSS":
            task["rss_bytes"] = 1024 * int(value.split()[0])
        elif key == "stat":
            task["start"] = int(value.split()[19])
        elif key == "cmdline":
            task["args"] = value
    return {pid: task for pid, task in tasks.items() if {"comm", "start"} <= task.keys()}

before, after = guest(sys.argv[1]), guest(sys.argv[3])
document = json.load(open(sys.argv[2]))
ours = {p["pid"]: p for p in document["processes"]}
wrong = [f"pid {pid}: only {where}" for pids, where in (
    (before.keys() & after.keys() - ours.keys(), "in the guest"),
    (ours.keys() - (before.keys() & after.keys()), "in RAM")) for pid in pids]
for pid in before.keys() & after.keys() & ours.keys():
    got = dict(ours[pid], start=int(ours[pid]["start_s"] * 100 + 1e-6))
    got["args"] = (got["args"] or "").strip() or None
    for key, want in before[pid].items():
        if want == after[pid].get(key) and got[key] != want:
            wrong.append(f"pid {pid} {key}: guest {want!r}, RAM {got[key]!r}")
    if got["trust"] != "ok":
        wrong.append(f"pid {pid}: {got['trust']}")
if document["torn"] or document["why"]:
    wrong.append(f"the list is torn: {document['why']}")
if len(ours) < 20:
    wrong.append(f"only {len(ours)} processes")
print("\n".join(wrong))
sys.exit(bool(wrong))
PYTHON

# Kernel threads come and go even in a quiet guest: the looks must agree once.
check_processes() { # WHAT [option of ps...]
    local what=$1
    shift
    for _ in 1 2 3 4 5 6 7 8; do
        guest_processes >"$scratch/before"
        vitrine ps "$vm" --json "$@" >"$scratch/ram"
        guest_processes >"$scratch/after"
        if python3 "$scratch/compare" "$scratch/before" "$scratch/ram" "$scratch/after" \
            >"$scratch/wrong"; then
            note "$what: $(json 'len(d["processes"])' <"$scratch/ram") processes agree"
            return
        fi
    done
    fail "$what: $(cat "$scratch/wrong")"
}

check_kernel() { # WHAT
    expect_eq "$1: banner" "$(guest_exec 'cat /proc/version')" \
        "$(vitrine uname "$vm" --json | json 'd["banner"]')"
    expect_eq "$1: release" "$(guest_exec 'uname -r')" \
        "$(vitrine uname "$vm" --json | json 'd["release"]')"
    # Symbols, all of them: names, types, addresses and order. Of modules the guest shows what is
    # exported in capitals, which their tables do not say.
    guest_exec 'dd if=/proc/kallsyms of=/run/kallsyms bs=64k 2>/dev/null; md5sum </run/kallsyms' | tr -d '\r' >"$scratch/sum"
    vitrine pagecache "$vm" /run/kallsyms --extract "$scratch/theirs" >/dev/null
    expect_eq "$1: the guest's own symbols" "$(cat "$scratch/sum")" "$(md5sum <"$scratch/theirs")"
    guest_exec 'rm /run/kallsyms'
    vitrine symbols "$vm" --json | python3 -c 'import json, sys
theirs = open(sys.argv[1]).read().splitlines()
wanted = [line for line in theirs if "[" not in line], sorted(line.lower() for line in theirs if "[" in line)
kernel, modules = [], []
for s in json.load(sys.stdin):
    line = "%016x %s %s" % (int(s["address"], 16), s["type"], s["name"])
    if s["module"] is None:
        kernel.append(line)
    else:
        modules.append(("%s\t[%s]" % (line, s["module"])).lower())
for want, got in zip(wanted, (kernel, sorted(modules))):
    if want != got:
        sys.exit("%d and %d symbols, the first that differ: %s" % (
            len(want), len(got), next(((a, b) for a, b in zip(want, got) if a != b), "at the end")))
if len(kernel) < 10000 or not modules:
    sys.exit("few symbols")' "$scratch/theirs" || fail "$1: symbols"
}

check_memory() { # WHAT
    local pid va pa bytes
    guest_exec 'vt-pattern glass-case 3 >/tmp/pattern & until grep -qs READY /tmp/pattern; do usleep 10000; done'
    pid=$(guest_exec 'pidof vt-pattern')
    read -r va pa < <(guest_exec 'cat /tmp/pattern' | sed -n 's/^page 1 va \(.*\) pa \(.*\)$/\1 \2/p')
    expect_match "$1: where the pattern lies" '^0x[0-9a-f]+ 0x[0-9a-f]+$' "$va $pa"
    expect_eq "$1: translate" "$pa" \
        "$(vitrine translate "$vm" "$va" --pid "$pid" --json | json 'd[0]["physical"]')"
    vitrine read "$vm" "$va" 4K --pid "$pid" --raw >"$scratch/virtual"
    vitrine read "$vm" "$pa" 4K --raw >"$scratch/physical"
    cmp "$scratch/virtual" "$scratch/physical" || fail "$1: one page, read two ways, differs"
    expect_eq "$1: pattern" glass-case "$(head -c 10 "$scratch/virtual")"
    bytes=$(vitrine read "$vm" linux_banner+6 7 --json | json 'bytes.fromhex(d["hex"]).decode()')
    expect_eq "$1: banner bytes" version "$bytes"
    guest_exec "kill $pid"
}

# A guest that forks as fast as it can: lists may be torn, and say so; what is not marked is sound.
check_busy() { # WHAT LOOKS
    local i
    guest_exec '(while :; do /bin/true & /bin/true & wait; done) >/dev/null 2>&1 & echo $! >/tmp/busy'
    for ((i = 0; i < $2; i++)); do
        timeout 120 "$VITRINE" ps "$vm" --json >>"$scratch/looks" 2>>"$scratch/err"
    done
    vitrine ps "$vm" --json --pause >>"$scratch/looks" 2>>"$scratch/err"
    guest_exec 'kill $(cat /tmp/busy)'
    python3 - "$scratch/looks" "$1" <<'PYTHON' || fail "$1"
import json, sys
looks = [json.loads(line) for line in open(sys.argv[1])]
torn_rows = 0
for look in looks:
    rows = [p for p in look["processes"] if p["trust"] == "ok"]
    torn_rows += len(look["processes"]) - len(rows)
    pids = [p["pid"] for p in rows]
    assert len(pids) == len(set(pids)), "a pid twice"
    assert look["torn"] == (look["why"] is not None), "torn without a reason"
    assert look["torn"] or 1 in pids, "a whole list without init"
    for p in rows:
        assert 0 < p["pid"] <= 4194304 and p["comm"] and p["state"] in "RSDTtXZPI", p
print("%s: %d looks, %d torn lists, %d torn rows" % (
    sys.argv[2], len(looks), sum(look["torn"] for look in looks), torn_rows), file=sys.stderr)
PYTHON
    rm "$scratch/looks"
}

quiet_guest() {
    wait_services
    guest_exec 'for d in heartbeat crond; do killall $d; done 2>/dev/null; true'
}

check() { # WHAT [option of run...]
    local what=$1
    shift
    start_vm a "$@"
    quiet_guest
    check_kernel "$what"
    check_processes "$what"
    check_memory "$what"
}

levels() { vitrine uname "$vm" --json | json 'd["paging_levels"]'; }
kaslr() { vitrine uname "$vm" --json | json 'd["kaslr_virtual"] + " " + d["kaslr_physical"]'; }

# ---- one CPU, 5 levels, KASLR: the default -----------------------------------------------------
check default --memory 128M
expect_eq 'levels' 5 "$(levels)"
check_processes 'paused meanwhile' --pause
expect_eq 'state after --pause' running "$(vm_state)"
vitrine pause "$vm"
vitrine ps "$vm" --pause >"$scratch/out"
expect_eq 'a paused VM stays paused' paused "$(vm_state)"
vitrine resume "$vm"

# The kernel of before the reset is still in RAM, whole.
where=$(kaslr)
for _ in 1 2 3; do
    vitrine reset "$vm"
    wait_console 'SeaBIOS|iPXE|Booting|Decompressing|shell ready'
    expect_eq 'the guest after a reset answers' up "$(guest_exec 'echo up')"
    [ "$(kaslr)" = "$where" ] || break
done
quiet_guest
check_kernel 'after a reset'
check_processes 'after a reset'

# ---- what is not there -------------------------------------------------------------------------
expect_error 3 no_such_symbol vitrine symbols "$vm" no_such_symbol
expect_error 3 'no process 999999' vitrine read "$vm" 0x400000 16 --pid 999999
expect_error 1 'not mapped' vitrine read "$vm" 0x10 16 --virtual
expect_error 1 '0xfffffffffff' vitrine read "$vm" 0xfffffffffff 16
expect_error 2 LEN vitrine read "$vm" 0 0
expect_error 3 no-such-vm vitrine ps no-such-vm
expect_error 3 no-such-file vitrine ps ./no-such-file
grep -q '"operation":"ps"' "$scratch/state/audit.log" || fail 'ps left no line in the audit log'
vitrine kill "$vm"

# ---- the other shapes --------------------------------------------------------------------------
check 'two CPUs' --memory 256M --cpus 2
check_busy 'a busy guest' 200
vitrine kill "$vm"
check no5lvl --memory 128M --append no5lvl
expect_eq 'levels' 4 "$(levels)"
vitrine kill "$vm"
check nokaslr --memory 128M --append nokaslr
expect_eq 'KASLR' '0x0 0x0' "$(kaslr)"
vitrine kill "$vm"
for machine in q35 pc; do
    check "4 GiB $machine" --memory 4G --machine $machine --cpus 2
    vitrine pause "$vm"
    cp --sparse=always "/dev/shm/qemu_ram_$vm" "$scratch/saved.ram"
    vitrine ps "$vm" --json >"$scratch/ram"
    vitrine ps "$scratch/saved.ram" --json >"$scratch/saved"
    cmp "$scratch/ram" "$scratch/saved" || fail "4 GiB $machine: the saved RAM tells another story"
    rm "$scratch/saved.ram"
    vitrine kill "$vm"
done
