#!/usr/bin/env bash
# tests/system/memory_pattern.sh - what a guest wrote is what the bridge reads and what QEMU itself
# shows of the same range; below and above the PCI hole, and in snapshot files.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(realpath "$0")")

# pattern TEXT PAGES: a program in the guest holds them; says where on stdout.
pattern() {
    guest_exec "vt-pattern $1 $2 </dev/null >/tmp/$1 2>&1 &
        until grep -qs READY /tmp/$1; do usleep 10000; done; cat /tmp/$1" | tr -d '\r'
}

# expected TEXT I: page I as the guest filled it.
expected() {
    python3 -c 'import sys
line = "%s.%08x\n" % (sys.argv[1], int(sys.argv[2]))
sys.stdout.write((line * (4096 // len(line) + 1))[:4096])' "$1" "$2"
}

# pmemsave ADDR LEN FILE: into a file that QEMU, whoever it runs as, may write.
pmemsave() {
    local file
    file=$(mktemp "${TMPDIR:-/tmp}/vitrine-test-XXXXXX")
    chown "$(vitrine info "$vm" --json | json 'd["qemu_uid"]')" "$file"
    "$here/qmp.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" pmemsave \
        "{\"val\": $(($1)), \"size\": $2, \"filename\": \"$file\"}" >/dev/null
    mv "$file" "$3"
}

for memory in 128M 4G; do
    start_vm "m$memory" --memory "$memory"
    wait_console 'shell ready'
    pattern showcase 8 >"$scratch/where"
    high=0
    while read -r _ i _ _ _ at; do
        pa=$at
        expected showcase "$i" >"$scratch/want"
        vitrine read "$vm" "$pa" 4096 --raw >"$scratch/bridge"
        cmp "$scratch/want" "$scratch/bridge" || fail "$memory: page $i at $pa through the bridge"
        pmemsave "$pa" 4096 "$scratch/pmemsave"
        cmp "$scratch/bridge" "$scratch/pmemsave" || fail "$memory: page $i at $pa by pmemsave"
        [ $((pa)) -lt $((0x100000000)) ] || high=$((high + 1))
    done < <(grep ^page "$scratch/where")
    expect_eq 'pages seen' 8 "$(grep -c ^page "$scratch/where")"
    [ "$memory" != 4G ] || [ "$high" -gt 0 ] || fail 'no page above 4 GiB: this test tests nothing'

    # Ends of RAM and the hole: exactly as far as QEMU's map says.
    end=$(vitrine info "$vm" --json | json 'hex(max(int(r["gpa"], 16) + r["bytes"] for r in d["regions"]))')
    vitrine read "$vm" "$(printf '0x%x' $((end - 4096)))" 4096 --raw >"$scratch/bridge"
    pmemsave $((end - 4096)) 4096 "$scratch/pmemsave"
    cmp "$scratch/bridge" "$scratch/pmemsave" || fail "$memory: the last page of RAM"
    expect_error 1 "invalid .* $end " vitrine read "$vm" "$end" 1
    expect_error 1 'invalid' vitrine read "$vm" 0xffffffffffffffff 2
    [ "$memory" = 128M ] || expect_error 1 'invalid .* 0xc0000000' vitrine read "$vm" 0xc0000000 16

    # Snapshot files: of one moment, complete, with the same pages at the same addresses.
    for pause in '' --pause; do
        rm -f "$scratch/ram.raw"
        # shellcheck disable=SC2086 # nothing or an option
        vitrine snapshot "$vm" "$scratch/ram.raw" $pause --json >"$scratch/verdict"
        expect_eq "$memory: bytes" "$((end))" "$(json 'd[0]["bytes"]' <"$scratch/verdict")"
        expect_eq "$memory: size of the file" "$((end))" "$(stat -c %s "$scratch/ram.raw")"
        vitrine read "$scratch/ram.raw" "$pa" 4096 --raw >"$scratch/bridge"
        cmp "$scratch/want" "$scratch/bridge" || fail "$memory: page $i at $pa in a snapshot"
        expect_eq "$memory: private" 600 "$(stat -c %a "$scratch/ram.raw")"
        expect_eq "$memory: state after it" running "$(vm_state)"
    done
    grep -q '"consistent"' "$scratch/verdict" || fail "a paused guest's snapshot: $(cat "$scratch/verdict")"
    vitrine kill "$vm"
done

# ---- files that cannot be written, signals ---------------------------------------------------
start_vm x --memory 64M --paused
expect_error 3 "$scratch/no/where" vitrine snapshot "$vm" "$scratch/no/where"
expect_error 1 'not a regular file' vitrine snapshot "$vm" /dev/full
[ -c /dev/full ] || fail '/dev/full is no device any more'
expect_error 3 nosuch vitrine snapshot nosuch "$scratch/x"
expect_eq 'a paused VM stays paused' paused "$(vitrine snapshot "$vm" "$scratch/x" --pause >/dev/null && vm_state)"
expect_eq 'nothing left' '' "$(find "$scratch" -name 'x.??????')"
