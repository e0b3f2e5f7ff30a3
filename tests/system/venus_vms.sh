#!/usr/bin/env bash
# tests/system/venus_vms.sh - one server is the GPU of two VMs at once; one of them is killed while it draws, and
# neither the server nor the other VM takes harm.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
[ -e "$cache/mesa-guest/complete" ] || skip 'no guest with Mesa: tools/setup mesa-guest'
programs=$VITRINE_BUILD/tests/system/vulkan
export VITRINE_GPU=${VITRINE_GPU:-llvmpipe}
"$programs/vk-compute" >"$scratch/compute.host" || skip 'no Vulkan device here that computes'

"$VITRINE" gpu serve --vhost "$scratch/gpu.sock" --gpu "$VITRINE_GPU" >"$scratch/serve" 2>&1 &
server=$!
wait_until 'it is served' grep -q 'listening on' "$scratch/serve"

mine=()
[ "$(id -u)" != 0 ] || mine=(--user root) # the socket is its server's
for name in a b; do
    start_vm $name --guest mesa "${mine[@]}" --add "$programs/vk-compute" --add "$programs/vk-triangle" \
        --qemu-arg=-chardev --qemu-arg="socket,id=gpu,path=$scratch/gpu.sock" --qemu-arg=-device \
        --qemu-arg=vhost-user-test-device-pci,virtio-id=16,num_vqs=2,config_size=24,vq_size=256,chardev=gpu
done
first=$prefix-a
for name in a b; do
    wait_console 'shell ready' "$prefix-$name"
done

# Both at once.
guest_exec 'vk-compute' "$first" >"$scratch/compute.a" &
other=$!
guest_exec 'vk-compute' >"$scratch/compute.b"
wait $other
for name in a b; do
    diff "$scratch/compute.host" <(tr -d '\r' <"$scratch/compute.$name") ||
        fail "a compute program has other results in $name"
done

# The first draws on and on, and is killed.
guest_exec 'while :; do vk-triangle /tmp/t >/dev/null; done & echo begun' "$first" >/dev/null
wait_until 'it draws' grep -qF '(vk-triangle) begins' "$scratch/serve"
vitrine kill "$first"
wait_until 'the server noticed' grep -qF ': disconnected' "$scratch/serve"

guest_exec 'vk-compute' >"$scratch/compute.b"
diff "$scratch/compute.host" <(tr -d '\r' <"$scratch/compute.b") ||
    fail 'the other VM suffered when one was killed'

# A guest that is paused goes on; one that starts anew finds a GPU as new.
vitrine pause "$vm"
vitrine resume "$vm"
guest_exec 'vk-compute' >"$scratch/compute.b"
diff "$scratch/compute.host" <(tr -d '\r' <"$scratch/compute.b") || fail 'a pause is not survived'
guest_exec 'rmmod virtio_gpu && modprobe virtio_gpu; until [ -e /dev/dri/renderD128 ]; do sleep 0.1; done'
guest_exec 'vk-compute' >"$scratch/compute.b"
diff "$scratch/compute.host" <(tr -d '\r' <"$scratch/compute.b") || fail 'a driver that begins anew does not compute'

expect_eq 'contexts that ended by themselves' '' "$(grep ' ended: ' "$scratch/serve" || true)"
vitrine kill "$vm"
kill "$server"
wait "$server" || fail "the server ended with status $?"
