#!/usr/bin/env bash
# tests/unit/cli/isf.sh VITRINE WRITE-GUEST VMLINUX - symbol files are written by Volatility's rules,
# packed or not, and lead to a guest that says nothing of itself.
set -uo pipefail
vitrine=$1 write_guest=$2 vmlinux=$3
rules=$(dirname "$0")/isf_rules.py
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export VITRINE_STATE_DIR=$dir/state VITRINE_CACHE_DIR=$dir/cache VITRINE_AUDIT=off
unset VITRINE_SYMBOL_PATH
bad=0

fail() {
    echo "isf.sh: $*" >&2
    bad=1
}

# expect STATUS PATTERN WORD...: vitrine ends so and says so.
expect() {
    local want=$1 pattern=$2 got=0
    shift 2
    "$vitrine" "$@" >"$dir/said" 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "vitrine $*: want $want, got $got: $(head -3 "$dir/said")"
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$dir/said" || fail "vitrine $*: no '$pattern': $(head -3 "$dir/said")"
}

"$write_guest" plain "$dir/plain" || exit 1
mkdir "$dir/files"
for out in from-vm.json from-vm.json.xz; do
    expect 0 '' isf from-vm "$dir/plain" "$dir/files/$out"
    "$rules" "$dir/files/$out" || fail "$out breaks the rules"
done
for out in from-dwarf.json from-dwarf.json.xz; do
    expect 0 '' isf from-dwarf "$vmlinux" "$dir/$out"
    "$rules" "$dir/$out" || fail "$out breaks the rules"
done
cmp -s "$dir/files/from-vm.json" <(xz -dc "$dir/files/from-vm.json.xz") || fail 'packed differs'
grep -q '"first_fixture":{"address":[0-9]*,"type":{"kind":"struct","name":"fixture"}}' \
    "$dir/from-dwarf.json" || fail 'a variable without its type'
printf 'ffffffff81000010 T from_map\n' >"$dir/System.map"
expect 0 '' isf from-dwarf "$vmlinux" "$dir/map.json" --system-map "$dir/System.map"
grep -q '"from_map":{"address":18446744071578845200,' "$dir/map.json" || fail 'System.map unused'

# The same RAM without types and symbols, where nothing is known of it yet.
export VITRINE_CACHE_DIR=$dir/fresh
"$write_guest" mute "$dir/mute" || exit 1
expect 3 'no Linux kernel in RAM' ps "$dir/mute"
VITRINE_SYMBOL_PATH=$dir/nowhere:$dir/files expect 0 '^110 .* task-10 ' ps "$dir/mute"
expect 0 '^110 .* task-10 ' ps "$dir/mute" # from the cache now
diff <("$vitrine" ps "$dir/plain" --json) <("$vitrine" ps "$dir/mute" --json) >/dev/null ||
    fail 'another list of processes'

# What does not work says so, and leaves nothing behind.
expect 3 'no symbol file|No such file' isf from-dwarf "$dir/none" "$dir/out.json"
expect 1 'not an ELF file' isf from-dwarf "$dir/System.map" "$dir/out.json"
"$write_guest" blind "$dir/blind" || exit 1
expect 3 'no types' isf from-vm "$dir/blind" "$dir/out.json"
expect 2 'neither from-dwarf nor from-vm' isf from-nothing "$dir/plain" "$dir/out.json"
expect 2 'goes with from-dwarf' isf from-vm "$dir/plain" "$dir/out.json" --system-map x
expect 3 'No such file' isf from-vm "$dir/plain" "$dir/nowhere/out.json"
[ ! -e "$dir/out.json" ] || fail 'a file that is not whole'
expect 1 'could not be written' isf from-vm "$dir/plain" /dev/full
exit $bad
