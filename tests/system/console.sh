#!/usr/bin/env bash
# tests/system/console.sh - the serial console from scripts and from a terminal.
. "$(dirname "$0")/lib.sh"

expect_error 3 nosuch vitrine console nosuch --exec true
expect_error 2 exec vitrine console nosuch --exec true --wait x

# ---- --exec, right after the start: the shell is awaited ---------------------------------------
start_vm a --memory 128M
expect_eq 'first words' 'up' "$(vitrine console "$vm" --exec 'echo up' --timeout "${patience}s")"
expect_eq 'quotes' "a'b \"c\" \$d" "$(guest_exec "echo 'a'\\''b \"c\" \$d'")"
expect_eq 'no newline' '[x]' "[$(guest_exec 'printf x')]"
expect_status 42 guest_exec 'exit 42'
expect_status 127 guest_exec 'no-such-program'
expect_status 0 guest_exec 'cd /tmp; false; true'
expect_eq 'each has a subshell of its own' /root "$(guest_exec pwd)"

# ---- several at once take turns ----------------------------------------------------------------
for i in 1 2 3 4; do
    guest_exec "echo $i; cat /proc/uptime >/dev/null; echo $i" >"$scratch/turn.$i" &
done
wait
for i in 1 2 3 4; do
    expect_eq "turn $i" "$i"$'\n'"$i" "$(cat "$scratch/turn.$i")"
done

# ---- a command that does not end, and the line after it ----------------------------------------
# It ends with the next line that is typed.
expect_error 124 'did not end' vitrine console "$vm" --exec 'read -r _ </dev/ttyS0' --timeout 20s
expect_eq 'the line after it' free "$(guest_exec 'echo free')"

# ---- --send and --wait -------------------------------------------------------------------------
expect_eq 'what was printed before counts' 'vitrine: shell ready' \
    "$(vitrine console "$vm" --wait 'shell ready' | cut -c 1-20)"
expect_eq 'sent and awaited' 'sum 42' \
    "$(vitrine console "$vm" --send $'echo sum $((6 * 7))\n' --wait '^sum [0-9]+$')"
expect_error 124 'never' vitrine console "$vm" --wait never --timeout 100ms
expect_error 2 'wait' vitrine console "$vm" --wait 'a('

# ---- a terminal: raw, Ctrl-] leaves, everything is as it was -----------------------------------
python3 - "$VITRINE" "$vm" <<'PYTHON' || fail 'the terminal'
import os, select, subprocess, sys, termios
fd, theirs = os.openpty()
before = termios.tcgetattr(fd)
console = subprocess.Popen([sys.argv[1], "console", sys.argv[2]], stdin=theirs, stdout=theirs, stderr=theirs)
seen = b""
def until(text):
    global seen
    while text not in seen:
        if not select.select([fd], [], [], 120)[0]:
            sys.exit(f"no {text!r} in {seen!r}")
        seen += os.read(fd, 4096)
until(b"shell ready")
assert not termios.tcgetattr(fd)[3] & termios.ICANON, "not raw"
os.write(fd, b"echo a$((1 + 1))b\r")
until(b"a2b")
# In the foreground before it says so: a shell that Ctrl-C finds forking waits for its child.
os.write(fd, b"sh -c \"echo be''gun; exec sleep 1000\"\r")
until(b"begun")
seen = b""
os.write(fd, b"\x03")  # Ctrl-C belongs to the guest
until(b"vitrine# ")
os.write(fd, b"echo c$((1 + 2))d\r")
until(b"c3d")
os.write(fd, b"\x1d")
assert console.wait() == 0
assert before[3] & termios.ICANON and termios.tcgetattr(fd)[3] == before[3], "not restored"
PYTHON

expect_eq 'a flood' "$(seq 1 20000 | md5sum)" "$(guest_exec 'seq 1 20000' | md5sum)"

# ---- no terminal: stdin goes in, output comes out ----------------------------------------------
mkfifo "$scratch/keys"
vitrine console "$vm" <"$scratch/keys" >"$scratch/out" &
reader=$!
exec 9>"$scratch/keys"
echo 'echo piped $((3 * 4))' >&9
wait_until 'the answer to what was piped' grep -q '^piped 12' "$scratch/out"
exec 9>&-
vitrine stop "$vm"
wait "$reader"
