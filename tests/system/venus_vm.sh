#!/usr/bin/env bash
# tests/system/venus_vm.sh - a stock Linux with Mesa's driver on the GPU that vitrine is: vulkaninfo names
# the host's device, a compute program gets the results it gets on the host, a triangle is the host's picture.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
[ -e "$cache/mesa-guest/complete" ] || skip 'no guest with Mesa: tools/setup mesa-guest'
programs=$VITRINE_BUILD/tests/system/vulkan
export VITRINE_GPU=${VITRINE_GPU:-llvmpipe}
"$programs/vk-compute" >"$scratch/compute.host" || skip 'no Vulkan device here that computes'
"$programs/vk-triangle" "$scratch/triangle.host" >/dev/null

# In its sandbox, where this kernel has what that takes.
begin() { # SANDBOX
    start_vm "$1" --guest mesa --gpu "venus,sandbox=$1,device=$VITRINE_GPU" --add "$programs/vk-compute" \
        --add "$programs/vk-triangle"
    wait_until 'the GPU says something' test -s "$VITRINE_RUNTIME_DIR/$vm/gpu.log"
    grep -q connected "$VITRINE_RUNTIME_DIR/$vm/gpu.log"
}
if ! begin on; then
    note "without its sandbox: $(cat "$VITRINE_RUNTIME_DIR/$vm/gpu.log")"
    vitrine kill "$vm"
    begin off || fail "the GPU does not start: $(cat "$VITRINE_RUNTIME_DIR/$vm/gpu.log")"
fi
wait_console 'shell ready'

expect_match 'what vulkaninfo names' 'Virtio-GPU Venus \(llvmpipe' \
    "$(guest_exec 'vulkaninfo --summary 2>&1 | grep deviceName')"

guest_exec 'vk-compute' | tr -d '\r' >"$scratch/compute.guest"
diff "$scratch/compute.host" "$scratch/compute.guest" || fail 'a compute program has other results in the guest'

sum=$(guest_exec 'vk-triangle /tmp/triangle >/dev/null; sha256sum </tmp/triangle' | tr -d '\r')
expect_eq 'the triangle in the guest' "$(sha256sum <"$scratch/triangle.host")" "$sum"

# Each of the programs was a context of its own, and none ended for another reason than its own.
log=$(cat "$VITRINE_RUNTIME_DIR/$vm/gpu.log")
for program in vulkaninfo vk-compute vk-triangle; do
    expect_match 'contexts that began' "context [0-9]+ \($program\) begins" "$log"
done
expect_eq 'contexts that ended by themselves' '' "$(grep ' ended: ' <<<"$log" || true)"
expect_eq 'errors that the driver tells of' '' "$(guest_exec 'dmesg | grep -F "*ERROR*"' || true)"
vitrine kill "$vm"
