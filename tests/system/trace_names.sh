#!/usr/bin/env bash
# tests/system/trace_names.sh - names of what executes, held against nm of the very files, the
# guest's maps, its kallsyms and its list of processes; live, and out of a file when the VM is gone.
. "$(dirname "$0")/lib.sh"

built=$VITRINE_BUILD/tests/system
check=$(dirname "$0")/trace/names_check.py
[ -x "$built/names-dynamic" ] || skip 'the guest programs are of another machine'
start_vm a --memory 256M --accel tcg --module brd --add "$built/names-dynamic" --add "$built/names-stripped" \
    --add "$built/names-static" --add "$built/libnames.so:/lib/x86_64-linux-gnu/libnames.so"
[ "$(vitrine info "$vm" --json | json 'd["trace_path"] is not None')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd["trace_why"]')"
wait_console 'shell ready'

# A process that has left main()'s beginning; its number.
begin() {
    guest_exec "rm -f /run/says; setsid $1 >/run/says 2>/dev/null </dev/null & p=\$!
        until [ -s /run/says ]; do usleep 10000; done; echo \$p" | tr -d '\r'
}

# Live: the addresses at which the loader put the program and its libraries are not theirs.
for name in names-stripped names-static; do
    pid=$(begin $name)
    vitrine trace "$vm" --filter "pid=$pid" --filter user --count 60000 --json 2>/dev/null >"$scratch/$name.json"
    guest_exec "cat /proc/$pid/maps; kill $pid" >"$scratch/$name.maps"
    python3 "$check" user "$scratch/$name.json" $name "$pid" "$scratch/$name.maps" "$built"
done

# distinct NAME: each block of $scratch/NAME.vtrace once, in .json.
distinct() {
    vitrine trace dump "$scratch/$1.vtrace" --json | python3 "$check" distinct >"$scratch/$1.json"
}
# Processes that end while they are recorded, and may have each other's page tables, or those of some
# that were there and have not run since.
guest_exec 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do setsid sleep 1000 </dev/null >/dev/null 2>&1 & done
    until [ "$(pidof sleep | wc -w)" = 12 ]; do usleep 10000; done'
"$VITRINE" trace "$vm" --filter user --out "$scratch/user.vtrace" 2>"$scratch/user.err" &
trace=$!
wait_recording
guest_exec '/bin/busybox true; kill -9 $(pidof sleep)
    names-dynamic 20 >/run/maps & p=$!; wait; cat /run/maps; echo pid $p
    names-static 20 >/dev/null; names-static 20 >/dev/null; ps -o pid,comm' |
    tr -d '\r' >"$scratch/user.out"
kill -TERM "$trace"
wait "$trace"
distinct user
# The kernel with a module that is busy, and enough besides.
begin 'sh -c "echo turns; while :; do echo 3 >/proc/sys/vm/drop_caches; cat /dev/ram0 >/dev/null; done"' >"$scratch/pid"
module_was_seen() {
    vitrine trace "$vm" --filter kernel --count 300000 --out "$scratch/kernel.vtrace" --replace
    distinct kernel
    grep -q '"brd"' "$scratch/kernel.json" &&
        [ "$(grep -oE '"function": ?"[^"]*"' "$scratch/kernel.json" | sort -u | wc -l)" -gt 100 ]
}
wait_until 'the module and a hundred functions execute while we look' module_was_seen
guest_exec "kill $(cat "$scratch/pid")"
guest_exec 'cat /proc/kallsyms >/run/kallsyms'
vitrine pagecache "$vm" /run/kallsyms --extract "$scratch/kallsyms"
vitrine kill "$vm"

python3 "$check" user "$scratch/user.json" names-dynamic \
    "$(awk '/^pid / { print $2 }' "$scratch/user.out")" "$scratch/user.out" "$built"
python3 "$check" processes "$scratch/user.json" "$scratch/user.out" names-static
python3 "$check" kernel "$scratch/kernel.json" "$scratch/kallsyms"
vitrine hot "$scratch/user.vtrace" --top 1000 --json >"$scratch/hot"
expect_eq 'a function of a library' true "$(json \
    'any(f["place"] == "libnames.so:names_local" for f in d["functions"])' \
    <"$scratch/hot")"
vitrine trace dump "$scratch/user.vtrace" >"$scratch/text"
expect_match 'a line for people' 'names-dynamic +[0-9a-f]{16}  libnames.so:names_local' \
    "$(grep -m 1 names_local "$scratch/text")"
