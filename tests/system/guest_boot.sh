#!/usr/bin/env bash
# tests/system/guest_boot.sh - the default guest: how fast its shell is up, what runs in it, how it
# ends, and three of them at once.
. "$(dirname "$0")/lib.sh"

# ---- its shell is up in less than two seconds of guest time --------------------------------------
# Under TCG guest time follows the host's load. Counting instructions (here 2 ns each, a machine of
# 500 MIPS; waits cost nothing) makes it the same on every run and every host.
for memory in 128M 256M; do
    start_vm "$memory" --memory "$memory" --accel tcg --qemu-arg=-icount \
        --qemu-arg=shift=1,sleep=off
    line=$(vitrine console "$vm" --wait 'shell ready [0-9]+\.[0-9][0-9]' --timeout 120s)
    expect_match "$memory: the ready line" 'shell ready ([0-9]+)\.[0-9]+' "$line"
    note "$memory: ${line#*: }, counted"
    [ "${BASH_REMATCH[1]}" -lt 2 ] || fail "$memory: the shell took 2 s of guest time or more: $line"
    vitrine kill "$vm"
done

# ---- what runs in it -----------------------------------------------------------------------------
start_vm a --memory 128M
note "on this host: $(vitrine console "$vm" --wait 'shell ready [0-9.]+' --timeout "${patience}s")"
wait_services
processes=$(guest_exec ps)
for daemon in init acpid syslogd klogd dropbear httpd crond heartbeat; do
    expect_match "$daemon runs" " [{]?$daemon" "$processes"
done
modules=$(guest_exec 'cut -d " " -f 1 /proc/modules')
for module in button evdev virtio virtio_ring virtio_pci virtio_net virtio_blk; do
    expect_match "module $module is loaded" "(^|"$'\n'")$module("$'\n'"|\$)" "$modules"
done
expect_match 'the web server answers' 'default guest' "$(guest_exec 'wget -q -O - http://127.0.0.1/')"
expect_match 'the SSH daemon answers' 'SSH-2.0-dropbear' \
    "$(guest_exec 'nc 127.0.0.1 22 </dev/null | head -n 1')"
expect_eq 'every applet has its link' '' "$(guest_exec \
    'for i in $(busybox --list); do [ $i = busybox ] || [ -L /bin/$i ] || echo $i; done')"

# ---- our own programs ----------------------------------------------------------------------------
guest_exec 'vt-pattern glass-case 3 >/tmp/pattern & until grep -q READY /tmp/pattern; do usleep 10000; done'
pages=$(guest_exec 'cat /tmp/pattern')
pa=$(sed -n 's/^page 2 va 0x[0-9a-f]* pa //p' <<<"$pages")
expect_match 'where page 2 lies' '^0x[0-9a-f]+000$' "$pa"
expect_match 'page 2 as the host sees it' 'glass-case.00000' "$(vitrine read "$vm" "$pa" 32)"
guest_exec 'kill $(pidof vt-pattern)'
expect_match 'vt-dirty' '^READY pid [0-9]+ va 0x[0-9a-f]+ pages 4 hz 20'$'\n''DONE ticks 20 ' \
    "$(guest_exec 'vt-dirty 4 20 1')"
expect_status 2 guest_exec 'vt-dirty 0 20'

# ---- its end -------------------------------------------------------------------------------------
# The power button reaches the guest, which powers off by itself: its kernel says so.
vitrine console "$vm" </dev/null >"$scratch/console" &
reader=$!
wait_until 'the reader has the backlog' grep -q 'shell ready' "$scratch/console"
vitrine stop "$vm" --timeout "${patience}s"
wait "$reader"
expect_match 'its last words' 'reboot: Power down' "$(tail -n 2 "$scratch/console")"

# ---- the least it boots with ---------------------------------------------------------------------
vm=$prefix-l
expect_status 0 vitrine run "$vm" --memory 95M --paused
expect_match 'a warning' "$vm: .* needs 96 MiB" "$(cat "$scratch/err")"
kernel=$(vitrine info "$vm" --json | json 'd["kernel"]')
vitrine kill "$vm"
expect_status 0 vitrine run "$vm" --memory 95M --paused --kernel "$kernel"
expect_eq 'words about a kernel that is not ours' '' "$(cat "$scratch/err")"
vitrine kill "$vm"
expect_status 0 vitrine run "$vm" --memory 96M
expect_eq 'words about memory that will do' '' "$(cat "$scratch/err")"
wait_console 'shell ready'
vitrine kill "$vm"

# ---- three at once -------------------------------------------------------------------------------
for i in x y z; do
    start_vm $i --memory 128M
done
for i in x y z; do
    wait_console 'shell ready' "$prefix-$i" 120s
    guest_exec "echo $i >/root/who" "$prefix-$i"
done
for i in x y z; do
    expect_eq "who $i is" "$i" "$(guest_exec 'cat /root/who' "$prefix-$i")"
done
expect_eq 'VMs in top' "$prefix-x $prefix-y $prefix-z" \
    "$(vitrine top --once --interval 100ms --json | json '" ".join(v["name"] for v in d)')"
for i in x y z; do
    vitrine stop "$prefix-$i" --timeout "${patience}s"
done
