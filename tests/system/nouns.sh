#!/usr/bin/env bash
# tests/system/nouns.sh - every noun's verb on a live, a paused and a saved guest: the same columns
# everywhere, the same rows from the paused and the saved one, nothing torn in a quiet one; and no
# harm from RAM whose words are changed where the walks read.
. "$(dirname "$0")/lib.sh"

mutate_nouns=$VITRINE_BUILD/tests/system/mutate-nouns
start_vm a --memory 256M --cpus 2
wait_services

# The verbs that nouns have; files with the documents are named after them.
nouns=$("$mutate_nouns" --names)
[ -n "$nouns" ] || fail 'no nouns'

for noun in $nouns; do
    vitrine "$noun" "$vm" --json >"$scratch/$noun.live"
done
vitrine pause "$vm"
for noun in $nouns; do
    vitrine "$noun" "$vm" --json >"$scratch/$noun.paused"
done
# A saved file is what QEMU's RAM file is; the VM does not run meanwhile.
cp --sparse=always "/dev/shm/qemu_ram_$vm" "$scratch/saved.ram"
vitrine resume "$vm"

for noun in $nouns; do
    vitrine "$noun" "$scratch/saved.ram" --json >"$scratch/$noun.saved"
    vitrine "$noun" "$scratch/saved.ram" >"$scratch/$noun.table"
done
# shellcheck disable=SC2086
python3 - "$scratch" $nouns <<'PYTHON' || fail 'a noun'
import json
import sys

def rows_of(document):
    return next(v for v in document.values() if isinstance(v, list))

def keys_of(rows):
    return sorted({key for row in rows for key in row})

for noun in sys.argv[2:]:
    live, paused, saved = (json.load(open(f"{sys.argv[1]}/{noun}.{how}")) for how in ("live", "paused", "saved"))
    rows = rows_of(saved)
    other = [(a, b) for a, b in zip(rows_of(paused), rows) if a != b]
    assert paused == saved, f"{noun}: paused and saved differ: {other[:3]}"
    assert not saved["torn"], f"{noun}: torn"
    torn = [row for row in rows if row["trust"] != "ok"]
    assert not torn, f"{noun}: torn rows: {torn[:3]}"
    assert keys_of(rows) == keys_of(rows_of(live)), f"{noun}: keys of the live guest: {keys_of(rows_of(live))}"
    # The table has a line for each row, and a heading.
    lines = len(open(f"{sys.argv[1]}/{noun}.table", "rb").read().splitlines())
    assert lines == len(rows) + 1, f"{noun}: {lines} lines for {len(rows)} rows"
PYTHON
note "$(wc -w <<<"$nouns") nouns agree"

# Bounded: a walk that did not end would run into the test's time limit, and the longest is shown.
"$mutate_nouns" "$scratch/saved.ram" "$$" 40 >"$scratch/mutated" || fail "mutated RAM, seed $$"
note "$(sort -t' ' -k5 -n "$scratch/mutated" | awk '{ if ($5 + 0 > most) { most = $5 + 0; name = $1 } }
    END { printf "mutated: the longest walk took %d ms (%s)", most, name }')"
