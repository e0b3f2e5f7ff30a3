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

rows='next(v for v in d.values() if isinstance(v, list))'
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
    cmp -s "$scratch/$noun.paused" "$scratch/$noun.saved" ||
        fail "$noun: paused and saved differ: $(diff <(json "$rows" <"$scratch/$noun.paused" | tr '}' '\n') \
            <(json "$rows" <"$scratch/$noun.saved" | tr '}' '\n') | head -n 6)"
    expect_eq "$noun: torn" false "$(json 'd["torn"]' <"$scratch/$noun.saved")"
    expect_eq "$noun: torn rows" '[]' \
        "$(json "[r for r in $rows if r['trust'] != 'ok'][:3]" <"$scratch/$noun.saved")"
    expect_eq "$noun: keys of the live guest" \
        "$(json "sorted({k for r in $rows for k in r})" <"$scratch/$noun.saved")" \
        "$(json "sorted({k for r in $rows for k in r})" <"$scratch/$noun.live")"
    # The table has a line for each row, and a heading.
    lines=$(vitrine "$noun" "$scratch/saved.ram" | wc -l)
    expect_eq "$noun: lines" "$(json "len($rows) + 1" <"$scratch/$noun.saved")" "$lines"
done
note "$(wc -w <<<"$nouns") nouns agree"

# Bounded: a walk that did not end would run into the test's time limit, and the longest is shown.
"$mutate_nouns" "$scratch/saved.ram" "$$" 40 >"$scratch/mutated" || fail "mutated RAM, seed $$"
note "$(sort -t' ' -k5 -n "$scratch/mutated" | awk '{ if ($5 + 0 > most) { most = $5 + 0; name = $1 } }
    END { printf "mutated: the longest walk took %d ms (%s)", most, name }')"
