#!/usr/bin/env bash
# tests/system/venus_info.sh - vulkaninfo through Venus and natively: no difference that docs/venus.md does not list.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

serve
venus vulkaninfo --summary >"$scratch/summary" 2>"$scratch/summary.err" ||
    fail "vulkaninfo through Venus: $(tail -n 5 "$scratch/summary.err")"
expect_match 'device' 'deviceName *= Virtio-GPU Venus \(llvmpipe' "$(cat "$scratch/summary")"
expect_match 'driver' 'driverID *= DRIVER_ID_MESA_VENUS' "$(cat "$scratch/summary")"
expect_match 'version' 'apiVersion *= 1\.[34]\.' "$(cat "$scratch/summary")"

for how in native venus; do
    "$how" vulkaninfo --show-formats >"$scratch/$how" 2>"$scratch/$how.err" ||
        fail "vulkaninfo ($how): $(tail -n 5 "$scratch/$how.err")"
done
differences() { "$tools/../tests/system/venus/info_differences" "$scratch/native" "$1" "$tools/../docs/venus.md"; }
differences "$scratch/venus" >"$scratch/unlisted" ||
    fail "not in docs/venus.md: $(cat "$scratch/unlisted")"

# Which is seen: a limit, a feature, an extension and a format that are not the host's.
for change in 's/\(maxImageDimension2D *= \).*/\11/' 's/\(dynamicRendering *= \)true/\1false/' \
    '/VK_EXT_4444_formats/d' '0,/FORMAT_FEATURE_BLIT_SRC_BIT/{//d}'; do
    sed "$change" "$scratch/venus" >"$scratch/changed"
    expect_status 1 differences "$scratch/changed"
    expect_match "after $change" 'natively .*, through Venus' "$(cat "$scratch/out")"
done

# What the server counted.
await_events '([.[] | select(.event == "begun").id] - [.[] | select(.event == "ended").id]) | length == 0'
vitrine gpu stat "$socket" --ended --json >"$scratch/stat"
expect_eq 'contexts' true "$(json 'len(d) >= 2' <"$scratch/stat")"
expect_eq 'commands of no known number' 0 "$(json 'sum(c["unknown"] for c in d)' <"$scratch/stat")"
expect_eq 'objects left' 0 "$(json 'sum(c["objects"] for c in d)' <"$scratch/stat")"
served_end
