#!/usr/bin/env bash
# tests/system/demo.sh - `make demo` from its end backwards: what it prints, and that it leaves
# nothing, whether it ends by itself, by Enter on a terminal, or by Ctrl-C while it boots.
. "$(dirname "$0")/lib.sh"
build=$scratch/build
mkdir "$build"
ln -s "$VITRINE" "$build/vitrine"
export VITRINE_LIB_DIR=${VITRINE_BUILD:-$(dirname "$VITRINE")}/plugins

nothing_left() {
    expect_eq "VMs after $1" '' "$(vitrine ls --names)"
    expect_eq "processes after $1" '' "$(own_processes)"
}

expect_status 0 env ONCE=1 "$tools/demo" "$build"
for part in '^demo +running' '^QEMU ' 'Linux version [0-9]' '1 .*init' 'Linux versio' 'ram.png'; do
    grep -qE "$part" "$scratch/out" || fail "$(printf 'no line like %s in:\n' "$part" && cat "$scratch/out")"
done
grep -q 'waiting for' "$scratch/err" || fail 'no progress on stderr'
expect_eq 'the picture begins as a PNG' 89504e470d0a1a0a \
    "$(od -An -tx1 -N8 "$build/demo/ram.png" | tr -d ' ')"
nothing_left 'the end'

# on_terminal EXPECT SEND: runs the demo on a terminal of its own, sends what was asked once the
# expected text has appeared, and exits as the demo does.
on_terminal() {
    python3 - "$1" "$2" "$tools/demo" "$build" <<'PYTHON'
import os, pty, sys
expect, send, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, sent = b"", False
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
    if not sent and expect.encode() in seen:
        os.write(terminal, send.encode().decode("unicode_escape").encode())
        sent = True
sys.stderr.write(seen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if sent else 99)
PYTHON
}

expect_status 0 on_terminal 'Enter ends the demo' '\n'
grep -q 'In another terminal' "$scratch/err" || fail 'nothing was offered'
nothing_left Enter
expect_status 130 on_terminal 'waiting for the guest' '\x03'
nothing_left 'Ctrl-C'
