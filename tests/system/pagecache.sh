#!/usr/bin/env bash
# tests/system/pagecache.sh - files that a guest holds in RAM only, extracted bit by bit: its busybox,
# one with holes, one of large folios where the kernel makes them, one that was deleted.
. "$(dirname "$0")/lib.sh"

start_vm a --memory 256M
wait_console 'shell ready'

# Extracts PATH into $scratch/out; what is said of it goes into $said.
extract() {
    said=$(vitrine pagecache "$vm" "$1" --extract "$scratch/out" --json 2>/dev/null)
    expect_eq "$1: trust" ok "$(json 'd[0]["trust"]' <<<"$said")"
}
md5() { md5sum "$1" | cut -d' ' -f1; }

guest_exec 'cd /run
    mkdir large
    mount -t tmpfs -o size=32m,huge=always none large 2>/dev/null || mount -t tmpfs none large
    dd if=/dev/urandom of=large/file bs=64k count=100 2>/dev/null
    dd if=/dev/urandom of=holes bs=4k count=1 seek=10 2>/dev/null
    dd if=/dev/urandom of=holes bs=1 count=100 seek=81920 conv=notrunc 2>/dev/null
    dd if=/dev/urandom of=gone bs=1000 count=9 2>/dev/null
    exec 7<gone
    cp gone kept
    rm gone
    md5sum /bin/busybox large/file holes kept
    sleep 1000 </dev/null >/dev/null 2>&1 &' | tr -d '\r' >"$scratch/sums"
sum() { awk -v path="$1" '$2 == path { print $1 }' "$scratch/sums"; }

extract /bin/busybox
expect_eq 'busybox' "$(sum /bin/busybox)" "$(md5 "$scratch/out")"
expect_eq 'busybox: all of it' "$(json 'd[0]["pages"]' <<<"$said")" \
    "$(json 'd[0]["present_pages"]' <<<"$said")"

extract /run/large/file
expect_eq 'large folios' "$(sum large/file)" "$(md5 "$scratch/out")"
expect_eq 'large folios: pages' 1600 "$(json 'd[0]["present_pages"]' <<<"$said")"

extract /run/holes
expect_eq 'holes' "$(sum holes)" "$(md5 "$scratch/out")"
expect_eq 'holes: pages' '21 2' "$(json '"%d %d" % (d[0]["pages"], d[0]["present_pages"])' <<<"$said")"
vitrine pagecache "$vm" /run/holes --extract "$scratch/out" 2>&1 >/dev/null |
    grep -q '2 of 21 pages were in RAM' || fail 'holes: not said'

extract '/run/gone (deleted)'
expect_eq 'deleted' "$(sum kept)" "$(md5 "$scratch/out")"

# By number, too; and what is not there is said.
inode=$(vitrine pagecache "$vm" /run/holes --json |
    json '"%s:%d" % (d["pagecache"][0]["device"], d["pagecache"][0]["inode"])')
extract "$inode"
expect_eq 'by number' "$(sum holes)" "$(md5 "$scratch/out")"
expect_status 3 vitrine pagecache "$vm" /run/nothing --extract "$scratch/none"
expect_status 2 vitrine pagecache "$vm" --extract "$scratch/none"
expect_status 1 vitrine pagecache "$vm" nonsense
[ ! -e "$scratch/none" ] || fail 'a file of nothing'
