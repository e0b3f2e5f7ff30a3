#!/usr/bin/env bash
# tests/system/handover.sh - dumps are what QEMU itself saves, and others open them; QEMU's dumps
# are opened by us; what a process holds is found, in RAM and where the process has it.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(realpath "$0")")
peers=${VITRINE_CACHE_DIR:-/var/cache/vitrine}/peers
mark=needle-$$-in-a-stack-of-hay

start_vm dump --memory 256M --cpus 2
wait_services

# qemu_file NAME: an empty file that QEMU, whoever it runs as, may write.
qemu_file() {
    mktemp "${TMPDIR:-/tmp}/vitrine-test-XXXXXX" | while read -r file; do
        chown "$(vitrine info "$vm" --json | json 'd["qemu_uid"]')" "$file"
        printf '%s\n' "$file"
    done
}

qmp() { "$here/qmp.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" "$@"; }

# ---- find ------------------------------------------------------------------------------------
pid=$(guest_exec "MARK=$mark sleep 1000 </dev/null >/dev/null 2>&1 &
    until grep -q '(sleep) S' /proc/\$!/stat; do usleep 10000; done; echo \$!" | tr -dc 0-9)
vitrine find "$vm" "MARK=$mark" --pid "$pid" --json >"$scratch/found"
expect_eq 'one in its memory' 1 "$(json 'len(d["matches"])' <"$scratch/found")"
expect_eq 'all was searched' true "$(json 'd["complete"]' <"$scratch/found")"
read -r va pa < <(json '"%s %s" % (d["matches"][0]["address"], d["matches"][0]["physical"])' <"$scratch/found")
bytes=$((${#mark} + 5))
expect_eq 'read there' "MARK=$mark" "$(vitrine read "$vm" "$va" "$bytes" --pid "$pid" --raw)"
vitrine find "$vm" "$mark" --json >"$scratch/found"
json "[m for m in d['matches'] if int(m['address'], 16) == $((pa + 5))][0]['trust']" <"$scratch/found" |
    grep -x ok >/dev/null || fail "not in RAM at $pa: $(cat "$scratch/found")"
printf 'rule mark { strings: $a = "MARK=%s" wide ascii condition: $a }\n' "$mark" >"$scratch/rules"
expect_eq 'a rule sees the same' "$va" \
    "$(vitrine find "$vm" --pid "$pid" --yara "$scratch/rules" --json | json 'd["matches"][0]["address"]')"
expect_status 3 vitrine find "$vm" "${mark^^}" --pid "$pid"
vitrine find "$vm" "${mark^^}" --pid "$pid" --ignore-case >/dev/null
vitrine find "$vm" 'Linux version' --kernel | grep -E ' linux_banner +ok ' >/dev/null || fail 'the banner has no name'

# ---- dumps of a running guest ----------------------------------------------------------------
vitrine dump "$vm" "$scratch/core" --pause --json >"$scratch/verdict" 2>"$scratch/err"
expect_eq 'verdict' consistent "$(json 'd[0]["verdict"]' <"$scratch/verdict")"
expect_eq 'CPUs' 2 "$(json 'd[0]["cpus"]' <"$scratch/verdict")"
expect_eq 'runs on' running "$(vm_state)"
expect_eq 'private' 600 "$(stat -c %a "$scratch/core")"
readelf -hlnW "$scratch/core" >"$scratch/elf" 2>"$scratch/err"
expect_eq 'readelf complains' '' "$(cat "$scratch/err")"
expect_match 'type' 'Type: +CORE' "$(cat "$scratch/elf")"
expect_eq 'registers' 2 "$(grep -c NT_PRSTATUS "$scratch/elf")"
grep -q VMCOREINFO "$scratch/elf" || fail 'no VMCOREINFO'
text=$(vitrine symbols "$vm" _text --json | json 'd[0]["address"]')
grep -qE "LOAD .* 0x0*${text#0x} " "$scratch/elf" || fail "no segment for the image at $text"
vitrine dump "$vm" "$scratch/lime" --format lime >/dev/null
expect_eq 'LiME' 'EMiL' "$(head -c 4 "$scratch/lime")"

# ---- of one that stands still: all the same ----------------------------------------------------
vitrine pause "$vm"
vitrine ps "$vm" >"$scratch/ps"
file=$(qemu_file)
qmp pmemsave "{\"val\": 0, \"size\": $((256 << 20)), \"filename\": \"$file\"}" >/dev/null
mv "$file" "$scratch/pmemsave"
for format in raw elf lime; do
    vitrine dump "$vm" "$scratch/dump" --format "$format" >/dev/null 2>&1
    [ "$format" != raw ] || cmp "$scratch/dump" "$scratch/pmemsave" || fail 'raw is not what pmemsave wrote'
    vitrine ps "$scratch/dump" >"$scratch/ps-dump"
    cmp "$scratch/ps" "$scratch/ps-dump" || fail "$format: other processes"
    vitrine dump "$scratch/dump" "$scratch/again" --format raw >/dev/null
    cmp "$scratch/again" "$scratch/pmemsave" || fail "$format: not the same RAM"
    expect_eq "$format: sparse" yes \
        "$(stat -c '%b %B %s' "$scratch/dump" | awk '{ print $1 * $2 < $3 ? "yes" : "no" }')"
done
for paging in false true; do
    file=$(qemu_file)
    qmp dump-guest-memory "{\"paging\": $paging, \"protocol\": \"file:$file\"}" >/dev/null
    mv "$file" "$scratch/qemu"
    vitrine ps "$scratch/qemu" >"$scratch/ps-dump"
    cmp "$scratch/ps" "$scratch/ps-dump" || fail "QEMU's own dump, paging $paging: other processes"
done

# ---- what others make of it --------------------------------------------------------------------
if [ -x "$peers/python3" ]; then
    vitrine dump "$vm" "$scratch/core" 2>/dev/null >&2
    vmlinux=$(echo "$peers"/vmlinux-*)
    expect_match 'the kernel has debug symbols' "$(vitrine uname "$vm" --json | json 'd["release"]')\$" "$vmlinux"
    "$peers/python3" - "$scratch/core" "$vmlinux" >"$scratch/drgn" <<'PYTHON'
import sys
import drgn
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.sched import cpu_curr
prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info([sys.argv[2]])
for task in for_each_task(prog):
    if task.tgid.value_() == task.pid.value_():
        print(task.pid.value_(), task.comm.string_().decode())
for cpu in range(2):
    assert len(prog.stack_trace(cpu_curr(prog, cpu))) > 0
PYTHON
    vitrine ps "$vm" --json | json '"\n".join("%d %s" % (p["pid"], p["comm"]) for p in next(v for v in d.values() if isinstance(v, list)))' \
        >"$scratch/ours"
    cmp <(sort -n "$scratch/ours") <(sort -n "$scratch/drgn") || fail 'drgn sees other processes'
else
    note 'drgn is not there (tools/setup peers): not asked'
fi

# ---- what goes wrong ---------------------------------------------------------------------------
expect_error 3 "$scratch/no/where" vitrine dump "$vm" "$scratch/no/where" --format raw
expect_error 1 'not a regular file' vitrine dump "$vm" /dev/full --format raw
truncate -s 1M "$scratch/core"
expect_error 1 'cut short' vitrine ps "$scratch/core"
