#!/usr/bin/env bash
# tests/system/churn.sh [LOOKS] - a guest that forks, loads and unloads a module, mounts and unmounts as
# fast as it can, looked at a thousand times by ps, modules and maps each: no crash, no endless walk,
# torn rows and lists say so, and what is not marked is possible.
. "$(dirname "$0")/lib.sh"

looks=${1:-1000}
: "${VITRINE_BUILD:=$(dirname "$VITRINE")}"
start_vm a --memory 256M --cpus 2 --module dummy --add "$VITRINE_BUILD/tests/system/workload"
wait_console 'shell ready' "$vm" 120s
vitrine console "$vm" --timeout 120s --exec 'dmesg -n 1
    setsid workload forks 6 >/run/forks 2>&1 </dev/null &
    setsid workload mounts >/run/mounts 2>&1 </dev/null &
    setsid sh -c "while :; do modprobe dummy; rmmod dummy; done" >/dev/null 2>&1 </dev/null &
    for i in 1 2 3 4 5 6 7 8 9 10; do grep -q READY /run/forks && grep -q READY /run/mounts && break
        sleep 1; done; cat /run/forks /run/mounts' >"$scratch/ready"
expect_eq 'both are at it' $'READY\nREADY' "$(tr -d '\r' <"$scratch/ready")"

# One process asks for all looks of a verb: what it prints is judged line by line.
cat >"$scratch/judge.py" <<'PYTHON'
import json, subprocess, sys

vitrine, vm, verb, looks = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
member = {"ps": "processes"}.get(verb, verb)
KEYS = {"ps": ("pid",), "modules": ("name",), "maps": ("pid", "start")}
counts = {"torn lists": 0, "torn rows": 0, "rows": 0, "failed": 0}
distinct = set()


def judge(document):
    rows = document[member]
    sound = [row for row in rows if row["trust"] == "ok"]
    counts["rows"] += len(rows)
    counts["torn rows"] += len(rows) - len(sound)
    counts["torn lists"] += document["torn"]
    assert document["torn"] == (document["why"] is not None), "torn without a reason"
    for row in rows:
        assert row["trust"] in ("ok", "torn"), row
        assert (row["trust"] == "torn") == (row["why"] is not None), row
    keys = [tuple(row[key] for key in KEYS[verb]) for row in sound]
    assert document["torn"] or len(keys) == len(set(keys)), "twice in a list that says ok"
    if verb == "ps":
        assert document["torn"] or any(key == (1,) for key in keys), "a whole list without init"
        distinct.update(key[0] for key in keys)
        for row in sound:
            assert 0 < row["pid"] <= 4194304 and row["ppid"] >= 0 and row["comm"], row
            assert row["state"] in "RSDTtXZPI" and row["cpu"] < 2, row
            assert row["threads"] >= 1 or row["state"] == "X", row  # it has left its process
    elif verb == "modules":
        assert document["torn"] or ("virtio_net",) in keys, "a whole list without virtio_net"
        distinct.update(keys)
        for row in sound:
            assert row["state"] in ("Unformed", "Loading", "Live", "Unloading") and row["bytes"] % 4096 == 0, row
            assert row["name"].replace("_", "").isalnum(), row
    else:
        of = {}
        for row in sound:
            start, end = int(row["start"], 16), int(row["end"], 16)
            assert start < end <= 1 << 56 and start % 4096 == end % 4096 == 0, row
            assert row["resident_bytes"] <= end - start, row
            of.setdefault(row["pid"], []).append((start, end))
        distinct.update(of)
        for pid, areas in of.items():
            if document["torn"]:
                continue
            for (_, end), (start, _) in zip(areas, areas[1:]):
                assert end <= start, f"areas of {pid} overlap in a list that says ok"


for i in range(looks):
    done = subprocess.run([vitrine, verb, vm, "--json"], capture_output=True, timeout=60)
    if done.returncode != 0:
        # An error is an answer too, but not the usual one; a signal is none.
        assert done.returncode in (1, 3), (done.returncode, done.stderr)
        counts["failed"] += 1
        print(done.stderr.decode(errors="replace").strip(), file=sys.stderr)
    else:
        judge(json.loads(done.stdout))
assert counts["failed"] <= looks // 100, counts
if verb == "ps":
    assert len(distinct) > 3 * looks / 10, f"only {len(distinct)} processes seen: nothing was going on"
print(f"{verb}: {looks} looks, {counts}, {len(distinct)} distinct")
PYTHON

for verb in ps modules maps; do
    verdict=$(python3 "$scratch/judge.py" "$VITRINE" "$vm" "$verb" "$looks") || fail "$verb"
    note "$verdict"
done
expect_eq 'the guest lives' up "$(guest_exec 'echo up' | tr -d '\r')"
