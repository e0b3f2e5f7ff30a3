#!/usr/bin/env bash
# tests/system/ask.sh - what is answered about a running guest is what the guest says of itself, and
# a daemon that ends is missed in the next sample and found in the history.
. "$(dirname "$0")/lib.sh"

ask() { vitrine ask "$vm" "$@"; }
ask_json() { # QUESTION PYTHON-EXPRESSION of its answer d
    ask "$1" --json | json "$2"
}

start_vm a --memory 192M --cpus 2
wait_services
pid=$(guest_exec 'cat /run/dropbear.pid')

# ---- "SSH daemon": its pid, its ports, its memory page by page -----------------------------------

ask 'Where is the SSH daemon?' >"$scratch/out"
expect_match 'the answer' "^dropbear \(pid $pid\) serves SSH, by its name; it listens on .*0\.0\.0\.0:22" \
    "$(head -n 1 "$scratch/out")"
expect_match 'what it came from' 'from: SELECT .* FROM processes' "$(cat "$scratch/out")"
ask 'Where is the SSH daemon?' --json >"$scratch/ssh.json"
expect_eq 'pids of the SSH daemon' "[$pid]" "$(json '[r["pid"] for r in d["rows"]]' <"$scratch/ssh.json")"
expect_eq 'it is not cut' false "$(json 'd["places_cut"] or d["rows_cut"]' <"$scratch/ssh.json")"

# The guest's own view of the same pages: /proc/PID/pagemap has the page frames.
json '" ".join("%d:%d" % (int(p["gva"], 16) // 4096, p["bytes"] // 4096) for p in d["places"])' \
    <"$scratch/ssh.json" >"$scratch/runs"
guest_exec "for r in $(cat "$scratch/runs"); do
    dd if=/proc/$pid/pagemap bs=8 skip=\${r%:*} count=\${r#*:} 2>/dev/null
    done | xxd -p -c 8" | tr -d '\r' >"$scratch/frames"
cat >"$scratch/pages.py" <<'PYTHON'
import json, sys
answer, frames = json.load(open(sys.argv[1])), open(sys.argv[2]).read().split()
ours = [int(p["gpa"], 16) // 4096 + i for p in answer["places"] for i in range(p["bytes"] // 4096)]
theirs = [int.from_bytes(bytes.fromhex(f), "little") & ((1 << 55) - 1) for f in frames]
side = 1 << answer["volume_order"]
assert len(ours) > 50 and sum(p["bytes"] for p in answer["places"]) == answer["place_bytes"]
for p in answer["places"]:
    low, high = p["box"]
    assert all(0 <= a <= b < side for a, b in zip(low, high)), p
    voxels = 1
    for a, b in zip(low, high):
        voxels *= b - a + 1
    assert voxels >= p["bytes"], p
wrong = [(hex(a), hex(b)) for a, b in zip(ours, theirs) if a != b]
print(f"{len(ours)} of our pages, {len(theirs)} of the guest's, {len(wrong)} differ {wrong[:3]}")
sys.exit(len(ours) != len(theirs) or bool(wrong))
PYTHON
python3 "$scratch/pages.py" "$scratch/ssh.json" "$scratch/frames" >"$scratch/wrong" ||
    fail "pages of the SSH daemon: $(cat "$scratch/wrong")"
note "the SSH daemon's memory: $(cat "$scratch/wrong")"
rss=$(guest_exec "awk '/^Rss/ { n += \$2 } END { print n * 1024 }' /proc/$pid/smaps")
expect_eq "its resident memory as smaps has it" "$rss" "$(json 'd["place_bytes"]' <"$scratch/ssh.json")"

for area in heap stack; do
    expect_eq "its $area as maps has it" \
        "$(guest_exec "sed -n 's/^\([0-9a-f]*\)-\([0-9a-f]*\) .*\[$area\]\$/0x\1 0x\2/p' /proc/$pid/maps")" \
        "$(ask_json "show the $area of dropbear" '" ".join(r[k] for r in d["rows"] for k in ("start", "end"))')"
done

# ---- "What processes are running?", "kernel stack": the guest changes under both looks -----------

guest_pids() { guest_exec 'cd /proc; echo [0-9]*' | tr -d '\r' | tr ' ' '\n' | sort; }
guest_tids() { guest_exec 'cd /proc; for t in [0-9]*/task/[0-9]*; do echo ${t##*/}; done' | tr -d '\r' | sort; }

# same LOOK QUESTION KEY: what the guest has before and after, the answer has, and no more than it had
# before or after. A shell and what it starts are there for the look itself.
same() {
    "$1" >"$scratch/before"
    ask_json "$2" "\"\\n\".join(sorted(str(r[\"$3\"]) for r in d[\"rows\"]))" >"$scratch/ours"
    "$1" >"$scratch/after"
    [ -z "$(comm -12 "$scratch/before" "$scratch/after" | comm -23 - "$scratch/ours")" ] &&
        [ -z "$(sort -u "$scratch/before" "$scratch/after" | comm -13 - "$scratch/ours")" ] &&
        [ "$(wc -l <"$scratch/ours")" -gt 30 ]
}
wait_until 'the processes are those of /proc' same guest_pids 'What processes are running?' pid
wait_until 'the kernel stacks are those of the tasks' same guest_tids 'kernel stack' tid
note "$(ask 'kernel stack' | head -n 1)"

# The kernel counts two cached stacks a CPU, and those of the idle tasks, beside the tasks' own.
stacks_agree() {
    local ours theirs
    ours=$(ask_json 'kernel stack' 'd["place_bytes"] // 1024')
    theirs=$(guest_exec "awk '/^KernelStack/ { print \$2 }' /proc/meminfo" | tr -d '\r')
    [ "$ours" -le "$theirs" ] && [ "$theirs" -le $((ours + 2 * 3 * 16)) ]
}
wait_until 'the bytes of kernel stacks are those of /proc/meminfo' stacks_agree

# ---- "Show me the page tables for PID 42": their number, and where they lead ---------------------

ask "Show me the page tables for PID $pid" --json >"$scratch/tables.json"
expect_eq 'page tables below the top one as VmPTE has them' \
    "$(guest_exec "awk '/^VmPTE/ { print \$2 }' /proc/$pid/status" | tr -d '\r')" \
    "$(json '4 * sum(1 for r in d["rows"] if r["level"] <= 3)' <"$scratch/tables.json")"
expect_eq 'a place a table' true \
    "$(json 'd["place_bytes"] == 4096 * len(d["rows"])' <"$scratch/tables.json")"
# The steps of one address through them, against the page frame the guest has for it.
gva=$(json 'd["places"][0]["gva"]' <"$scratch/ssh.json")
frame=$(head -n 1 "$scratch/frames" | python3 -c 'print(int.from_bytes(bytes.fromhex(input()), "little") & (1 << 55) - 1)')
expect_eq "where $gva leads" "$(printf '0x%x' $((frame << 12)))" \
    "$(ask_json "page tables of pid $pid for address $gva" 'd["rows"][-1]["leads_to"]')"
expect_error 3 'has no process 99999' vitrine ask "$vm" 'Show me the page tables for PID 99999'

# ---- "Highlight kernel memory allocations" -------------------------------------------------------

# SLUB takes what is larger than two pages from the page allocator and counts it as slab: Slab is
# larger than the slabs, by a sixth at most here. PageTables counts those of processes only.
ask 'Highlight kernel memory allocations' --json >"$scratch/kernel.json"
guest_exec 'cat /proc/meminfo' | tr -d '\r' >"$scratch/meminfo"
cat >"$scratch/kernel.py" <<'PYTHON'
import json, re, sys
answer, highlights = json.load(open(sys.argv[1])), json.load(open(sys.argv[3]))
meminfo = {k: int(v) for k, v in re.findall(r"(\w+): +(\d+) kB", open(sys.argv[2]).read())}
ours = {r["kind"]: r["bytes"] / 1024 for r in answer["rows"]}
assert list(ours) == ["stacks", "modules", "page tables", "slab", "vmalloc"], ours
assert meminfo["Slab"] * 5 / 6 <= ours["slab"] <= meminfo["Slab"] * 1.02, (ours, meminfo["Slab"])
assert meminfo["PageTables"] * 0.98 <= ours["page tables"], (ours, meminfo["PageTables"])
assert ours["stacks"] <= meminfo["KernelStack"], (ours, meminfo["KernelStack"])
assert sum(ours.values()) * 1024 == answer["place_bytes"]
named = {h["label"]: h["bytes"] for h in highlights["highlights"] if h["name"].startswith("kernel_memory")}
assert named == {k: v * 1024 for k, v in ours.items()}, named
print({k: int(v) for k, v in ours.items()}, "KiB; Slab", meminfo["Slab"])
PYTHON
vitrine highlight "$vm" --json >"$scratch/highlights.json"
python3 "$scratch/kernel.py" "$scratch/kernel.json" "$scratch/meminfo" "$scratch/highlights.json" \
    >"$scratch/wrong" 2>&1 || fail "kernel memory: $(tail -n 1 "$scratch/wrong")"
note "kernel memory: $(cat "$scratch/wrong")"

# ---- a writer is seen ----------------------------------------------------------------------------

writer=$(guest_exec 'awk "BEGIN { while (1) { s = s \"0123456789\"; if (length(s) > 100000) s = \"\" } }" >/dev/null 2>&1 & echo $!' |
    tr -d '\r')
writes_most() {
    ask_json 'Which memory was written recently?' "$writer in [r[\"pid\"] for r in d[\"rows\"][:5]]" | grep -x true
}
wait_until 'the writer is among those that wrote most' writes_most
guest_exec "kill $writer"

# ---- what is not understood ----------------------------------------------------------------------

expect_status 2 vitrine ask "$vm" 'please frobnicate the zorkmid'
expect_match 'examples instead' 'What processes are running' "$(cat "$scratch/out")"
expect_error 2 'needs VM QUESTION' vitrine ask "$vm"

# ---- the daemon ends while somebody samples ------------------------------------------------------

"$VITRINE" sample "$vm" --json >"$scratch/events" 2>"$scratch/err" &
sampler=$!
db=$VITRINE_DATA_DIR/$vm.db
sampled() { sqlite3 -readonly -cmd '.timeout 60000' "$db" 'SELECT number FROM sample'; }
first=$(sampled)
wait_until 'it samples' sh -c "[ \"\$(sqlite3 -readonly -cmd '.timeout 60000' '$db' 'SELECT number FROM sample')\" -gt $first ]"
guest_exec "kill $pid; while [ -d /proc/$pid ]; do usleep 10000; done"
killed=$(date +%s.%N)
before=$(sampled)
wait_until 'the answer changes' sh -c "'$VITRINE' ask '$vm' 'where is the SSH daemon?' | grep -q '^No SSH server is running'"
answered=$(date +%s.%N)
exited=$(sqlite3 -readonly -cmd '.timeout 60000' "$db" "SELECT time FROM events WHERE kind = 'exited' AND pid = $pid")
# The first sample that began after its end has to miss it: samples come once a second.
expect_eq 'samples between its end and the one that missed it' 0 \
    "$(sqlite3 -readonly -cmd '.timeout 60000' "$db" "SELECT count(*) FROM processes_history WHERE pid = $pid AND last_seen > $killed")"
note "the daemon was gone at $killed; the sample of $exited missed it; answered at $answered (after sample $before)"

expect_match 'history knows it' "dropbear \(pid $pid\) was, from .* until " "$(ask 'where is the SSH daemon?')"
expect_eq 'when it ended' "[$pid]" \
    "$(ask_json 'when did the SSH daemon end?' '[r["pid"] for r in d["rows"]]')"
expect_eq 'what changed' true \
    "$(ask_json 'What changed in the last minute?' "[\"exited\", $pid] in [[r[\"kind\"], r[\"pid\"]] for r in d[\"rows\"]]")"
expect_match 'who listened' "Nothing listens on port 22\. dropbear \(pid $pid\) did, until" \
    "$(ask 'who listens on port 22?')"

# A daemon begins as the parent of the one that stays, which a sample may see, too.
another=$(guest_exec 'rm -f /run/dropbear.pid; dropbear -R -s -P /run/dropbear.pid
    until [ -s /run/dropbear.pid ]; do usleep 10000; done; cat /run/dropbear.pid' | tr -d '\r')
is_found() { [ "$(ask_json 'where is the SSH daemon?' '[r["pid"] for r in d["rows"]]')" = "[$another]" ]; }
wait_until 'the other daemon is found' is_found

expect_match 'the sampler said so' "\"pid\":$pid," "$(grep '"exited"' "$scratch/events")"
kill -TERM $sampler
wait $sampler || fail "the sampler ended with $?: $(cat "$scratch/err")"
note 'passed'
