#!/usr/bin/env bash
# tests/system/shot.sh - the picture of a booted guest, held against what its kernel says of itself.
# The figures are printed: they are the classifier's agreement with /proc/kpageflags.
. "$(dirname "$0")/lib.sh"

# SHOT_RUN: other options of run, to look at other guests by hand.
read -ra options <<<"${SHOT_RUN:---memory 256M}"
start_vm a "${options[@]}"
wait_services

# What the guest's kernel says of its pages, read at one moment, into a file that has its pages already,
# by a process that then stands still, blocked on a pipe: what it takes itself is there while the
# picture is made, and the same all the time (head, other than cat, has no buffer of each file). It
# waits until who began it is gone from the console, and is watched from outside.
guest_exec 'mkfifo /tmp/never; for f in before after; do
    head -c $(($(cat /proc/kpageflags | wc -c) + 65536)) /dev/zero >/tmp/$f
done; head -c 8k /dev/zero >/tmp/flush'
readers=0
look() { # NAME
    guest_exec "(exec 1<>/tmp/$1
        until read -r _ _ _ parent _ </proc/self/stat && [ \$parent = 1 ]; do sleep 1; done
        exec head -q -c 1000m /proc/kpageflags /proc/meminfo /proc/zoneinfo /tmp/flush /tmp/never) &"
    readers=$((readers + 1))
    wait_until "$readers readers blocked" reading
}
reading() {
    [ "$(vitrine ps "$vm" --json | json 'sum(t["comm"] == "head" and t["state"] == "S" for t in d["processes"])')" = $readers ]
}
collect() { # NAME
    guest_exec "gzip -1 -c </tmp/$1 | base64" >"$scratch/$1"
}

# A process's heap, stack and code, and beside each line of its maps the page map of that range.
process() {
    local pid=$1 line from to
    guest_exec "grep -E '\\[heap\\]|\\[stack\\]| r-xp .*/' /proc/$pid/maps" >"$scratch/$pid.maps"
    mapfile -t lines <"$scratch/$pid.maps"
    for line in "${lines[@]}"; do
        from=${line%%-*}
        to=${line#*-}
        to=${to%% *}
        guest_exec "dd if=/proc/$pid/pagemap bs=8 skip=$((0x$from / 4096)) \
count=$(((0x$to - 0x$from) / 4096)) 2>/dev/null | gzip | base64"
        echo --
    done >"$scratch/$pid.pagemap"
}

guest_exec 'cat /proc/iomem' >"$scratch/iomem"
look before
vitrine shot "$vm" "$scratch/ram.png" --pause --json --pages "$scratch/classes" >"$scratch/shot.json"
look after
collect before
collect after
for name in dropbear httpd; do
    process "$(guest_exec "pidof $name")"
done
vitrine info "$vm" --json | json 'd["regions"]' >"$scratch/regions.json"
"$tools"/../tests/system/shot_check.py "$scratch" >&2

expect_eq 'the VM runs again' running "$(vm_state)"
expect_eq 'understood' true "$(json 'd["understood"]' <"$scratch/shot.json")"
expect_eq 'the picture' '1600 PNG' "$(python3 -c 'import struct, sys
d = open(sys.argv[1], "rb").read()
print(struct.unpack(">I", d[16:20])[0], d[1:4].decode())' "$scratch/ram.png")"

# The volume: as large as asked for, with something to see, drawn by a device; what is written while
# it is looked at glows, and a highlight is what the camera goes to.
guest_exec 'dd if=/dev/urandom of=/tmp/packed bs=1M count=8 2>/dev/null'
vitrine highlight "$vm" low --gpa 0x100000 --bytes 1M
for view in iso left; do
    vitrine shot "$vm" "$scratch/$view.png" --view "$view" --size 320x180 --json >"$scratch/$view.json"
    expect_eq "$view" "320 180 $view live true" \
        "$(json '"{width} {height} {view} {consistency} ".format(**d) + str(d["understood"]).lower()' <"$scratch/$view.json")"
    [ -n "$(json 'd["device"]' <"$scratch/$view.json")" ] || fail 'no device'
    [ "$(stat -c %s "$scratch/$view.png")" -gt 10000 ] || fail "nothing to see from $view"
done
expect_eq 'all pages' "$(json 'd["pages"]' <"$scratch/iso.json")" \
    "$(json 'sum(c["pages"] for c in d["classes"])' <"$scratch/iso.json")"
expect_eq 'highlights' '["low"]' "$(json '[h["name"] for h in d["highlights"]]' <"$scratch/iso.json")"
vitrine shot "$vm" "$scratch/near.png" --view iso --size 320x180 --pause --zoom-to low --pages "$scratch/near"
vitrine shot "$vm" "$scratch/range.png" --view iso --size 320x180 --zoom-to 0x100000+1M --no-highlights
expect_eq 'the VM runs again' running "$(vm_state)"
[ "$(stat -c %s "$scratch/near")" = "$(json 'd["pages"]' <"$scratch/iso.json")" ] || fail 'not every page has a class'
cmp -s "$scratch/near.png" "$scratch/iso.png" && fail 'zooming changed nothing'

# Without any Vulkan driver: the CPU, with a note.
VK_ICD_FILENAMES=$scratch/none VK_DRIVER_FILES=$scratch/none vitrine shot "$vm" "$scratch/cpu.png" \
    --view iso --size 64x36 --json >"$scratch/cpu.json" 2>"$scratch/note"
expect_eq 'no device' null "$(json 'd["device"]' <"$scratch/cpu.json")"
grep -q 'on the CPU' "$scratch/note" || fail "no note: $(cat "$scratch/note")"

# Bad input: a line that names the thing, the right status, nothing written.
expect_error 2 '--width' vitrine shot "$vm" "$scratch/bad.png" --width 100
expect_error 2 'mauve' vitrine shot "$vm" "$scratch/bad.png" --palette mauve
expect_error 2 'sideways' vitrine shot "$vm" "$scratch/bad.png" --view sideways
expect_error 2 '--slice' vitrine shot "$vm" "$scratch/bad.png" --slice x=0.5
expect_error 2 '--width' vitrine shot "$vm" "$scratch/bad.png" --view top --width 800
expect_error 2 '--size' vitrine shot "$vm" "$scratch/bad.png" --view top --size 3x3
expect_error 3 'no-such-gpu' vitrine shot "$vm" "$scratch/bad.png" --view top --gpu no-such-gpu
expect_error 3 'nothing-there' vitrine shot "$vm" "$scratch/bad.png" --view top --zoom-to nothing-there
expect_error 3 "$prefix-none" vitrine shot "$prefix-none" "$scratch/bad.png"
expect_error 3 'no/such' vitrine shot "$vm" "$scratch/no/such/bad.png"
expect_error 1 'No space left' vitrine shot "$vm" /dev/full
[ ! -e "$scratch/bad.png" ] || fail 'a picture was written in spite of an error'

# Before there is anything to understand: still a picture.
vitrine run "$prefix-b" --memory 64M --paused
vitrine shot "$prefix-b" "$scratch/empty.png" --json >"$scratch/empty.json"
expect_eq 'not understood' false "$(json 'd["understood"]' <"$scratch/empty.json")"
expect_eq 'all pages counted' 16384 "$(json 'sum(c["pages"] for c in d["classes"])' <"$scratch/empty.json")"

vitrine stop "$vm"
