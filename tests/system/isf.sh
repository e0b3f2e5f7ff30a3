#!/usr/bin/env bash
# tests/system/isf.sh - a real kernel that says nothing of itself: symbols and types are wiped from a
# copy of its RAM, and a symbol file that was made of it before takes their place. The nouns say the
# same of both.
. "$(dirname "$0")/lib.sh"

start_vm a --memory 128M
wait_services
vitrine pause "$vm"
cp --sparse=always "/dev/shm/qemu_ram_$vm" "$scratch/plain.ram"
vitrine kill "$vm"
mkdir "$scratch/files"
vitrine isf from-vm "$scratch/plain.ram" "$scratch/files/kernel.json.xz"

# Every token table (the digits, each a token of its own) and every BTF header loses its beginning.
cp --sparse=always "$scratch/plain.ram" "$scratch/mute.ram"
python3 - "$scratch/mute.ram" <<'PYTHON'
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as ram:
    for mark in b"".join(b"%d\0" % digit for digit in range(10)), b"\x9f\xeb\x01\x00\x18\0\0\0":
        found, at = 0, ram.find(mark)
        while at >= 0:
            ram[at:at + len(mark)] = bytes(len(mark))
            found, at = found + 1, ram.find(mark, at)
        print(f"wiped {found} times {mark[:8]!r}", file=sys.stderr)
        if found == 0:
            sys.exit("nothing to wipe")
PYTHON

# Where nothing is known of the kernel yet.
mute() { VITRINE_CACHE_DIR=$scratch/cache vitrine "$@"; }
expect_error 3 'no Linux kernel in RAM' mute ps "$scratch/mute.ram"
export VITRINE_SYMBOL_PATH=$scratch/files
# A file describes the kernel's own types and symbols; of modules it knows none, and of symbols that
# share a name only one: nouns that show functions by name may have less to show.
for noun in ps threads kthreads env creds capabilities namespaces cgroups cpus uptime maps pagetables \
    files mounts filesystems pagecache memory zones net sockets dmesg idt; do
    vitrine "$noun" "$scratch/plain.ram" --json >"$scratch/plain.json"
    mute "$noun" "$scratch/mute.ram" --json >"$scratch/mute.json"
    cmp -s "$scratch/plain.json" "$scratch/mute.json" ||
        fail "$noun: $(diff <(tr '}' '\n' <"$scratch/plain.json") <(tr '}' '\n' <"$scratch/mute.json") | head -n 6)"
    rows=$(json 'len(next(v for v in d.values() if isinstance(v, list)))' <"$scratch/mute.json")
    [ "$rows" -gt 0 ] || fail "$noun: no rows"
done
