#!/usr/bin/env bash
# tests/system/venus_info.sh - vulkaninfo through Venus and natively: the device and what it offers.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

serve
venus vulkaninfo --summary >"$scratch/summary" 2>"$scratch/summary.err" ||
    fail "vulkaninfo through Venus: $(tail -n 5 "$scratch/summary.err")"
expect_match 'device' 'deviceName *= Virtio-GPU Venus \(llvmpipe' "$(cat "$scratch/summary")"
expect_match 'driver' 'driverID *= DRIVER_ID_MESA_VENUS' "$(cat "$scratch/summary")"
expect_match 'version' 'apiVersion *= 1\.[34]\.' "$(cat "$scratch/summary")"

for how in native venus; do
    "$how" vulkaninfo >"$scratch/$how" 2>"$scratch/$how.err" || fail "vulkaninfo ($how): $(tail -n 5 "$scratch/$how.err")"
done
# Extensions of the device, one a line. What Venus has no commands for is in docs/venus.md.
extensions() {
    sed -n '/^Device Extensions: count/,/^$/s/^\t*\(VK_[A-Za-z0-9_]*\).*/\1/p' "$1" | LC_ALL=C sort -u
}
extensions "$scratch/native" >"$scratch/native.extensions"
extensions "$scratch/venus" >"$scratch/venus.extensions"
[ -s "$scratch/venus.extensions" ] || fail 'no device extensions through Venus'
LC_ALL=C comm -23 "$scratch/native.extensions" "$scratch/venus.extensions" >"$scratch/missing"
while read -r extension; do
    grep -q "\`$extension\`" "$tools/../docs/venus.md" ||
        fail "the host has $extension, Venus not, and docs/venus.md does not say why"
done <"$scratch/missing"

# What the server counted.
vitrine gpu stat "$socket" --ended --json >"$scratch/stat"
expect_eq 'contexts' true "$(json 'len(d) >= 2' <"$scratch/stat")"
expect_eq 'commands of no known number' 0 "$(json 'sum(c["unknown"] for c in d)' <"$scratch/stat")"
expect_eq 'objects left' 0 "$(json 'sum(c["objects"] for c in d)' <"$scratch/stat")"
served_end
