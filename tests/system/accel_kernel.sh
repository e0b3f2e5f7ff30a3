#!/usr/bin/env bash
# tests/system/accel_kernel.sh - loops of Linux itself, on a CPU without fast strings, where it clears pages
# and copies to and from programs by loops: these get kernels, and what programs see is what they see
# without.
. "$(dirname "$0")/lib.sh"

patience=300
program=$VITRINE_BUILD/tests/system/accel-hostile
[ -x "$program" ] || skip 'the guest program is of another machine'
mkdir "$scratch/cache"
start_vm a --memory 256M --accel tcg --qemu-arg -cpu --qemu-arg max,-erms,-fsrm --add "$program"
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
wait_services "$vm"
expect_eq 'fast strings' '' "$(guest_exec 'grep -owE "erms|fsrm|rep_good" /proc/cpuinfo; :')"

# Pages that are cleared, copied on write, read and written by programs in pieces of many sizes.
guest_exec 'cat >/tmp/work <<EOF
accel-hostile copy_on_write zero_pages || exit 1
yes 0123456789abcde | head -c 3000000 >/tmp/text
for piece in 64k 4k 1111 130; do
    dd if=/tmp/text of=/tmp/copy bs=\$piece 2>/dev/null
    cmp /tmp/text /tmp/copy || exit 1
    dd if=/tmp/text of=/tmp/copy bs=\$piece seek=3 count=300 conv=notrunc 2>/dev/null
    sha256sum /tmp/copy
done
EOF'
work() { guest_exec 'sh /tmp/work' | tr -d '\r'; }
plain=$(work)
expect_eq 'what was made' 6 "$(wc -l <<<"$plain")"

# Until each has a kernel, while that goes on.
wanted='{"clear_page_orig", "copy_user_generic_unrolled", "memcpy_orig"}'
kernels() {
    vitrine accel "$vm" --once --threshold 1000 --canary 7 --backend host --cache "$scratch/cache" >"$scratch/told" 2>&1
    vitrine accel status "$vm" --json >"$scratch/status"
    [ "$(json "sorted($wanted - {l['place'].partition('+')[0] for l in d['loops'] if l['fate'] in ('kept', 'waiting')})" \
        <"$scratch/status" | tee "$scratch/missing")" = '[]' ] && return
    busy_with "$(json 'd[0]' <"$scratch/missing")"
    return 1
}
# busy_with LOOP: the guest runs what that one is hot in.
busy_with() {
    local what='dd if=/tmp/text of=/tmp/copy bs=64k'
    [ "$1" != memcpy_orig ] || what='accel-hostile copy_on_write'
    guest_exec "echo '$what >/dev/null 2>&1' >/tmp/new; mv /tmp/new /tmp/now"
}
busy_with memcpy_orig
guest_exec 'setsid sh -c "echo \$\$ >/tmp/group; while :; do . /tmp/now; done" </dev/null >/dev/null 2>&1 &'
wait_until 'the loops of the kernel have kernels' kernels
guest_exec 'kill -KILL -- -$(cat /tmp/group); while pidof accel-hostile dd cmp yes head sha256sum; do usleep 10000; done' >/dev/null

# iterations: of each of these by its kernel.
iterations() {
    vitrine accel status "$vm" --json | json "{p: sum(l['counts']['iterations'] for l in d['loops']
        if l['counts'] and l['place'].partition('+')[0] == p) for p in sorted($wanted)}"
}
before=$(iterations)
expect_eq 'with kernels' "$plain" "$(work)"
after=$(iterations)
python3 - "$before" "$after" <<'PYTHON' >&2
import json, sys

before, after = map(json.loads, sys.argv[1:])
for place in after:
    print(f"{place}: {after[place] - before[place]} iterations by its kernel")
    assert after[place] - before[place] > 1000, place
PYTHON
expect_eq 'kernels that were wrong' 0 \
    "$(vitrine accel status "$vm" --json | json 'sum(l["fate"] == "disabled" or (l["counts"] or {}).get("canaries_failed", 0) for l in d["loops"])')"
vitrine kill "$vm"
