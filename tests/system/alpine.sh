#!/usr/bin/env bash
# tests/system/alpine.sh - `vitrine guest alpine`: refusals, silence and a signal leave nothing; a
# system that plays Alpine (the default guest with a login and an installer of its own) installs
# into a real qcow2. The real ISO is alpine_iso.sh's.
. "$(dirname "$0")/lib.sh"

chmod 755 "$scratch" # QEMU, a user of its own, reads the initramfs in it
head -c 1M /dev/zero >"$scratch/empty.iso"
out=$scratch/alpine.qcow2

nothing_left() {
    expect_eq "files after $1" '' "$(find "$scratch" -maxdepth 1 -name 'alpine.qcow2*')"
    expect_eq "VMs after $1" '' "$(vitrine ls --names)"
}

expect_error 2 'ISO and OUT' vitrine guest alpine "$scratch/empty.iso"
expect_error 2 'size' vitrine guest alpine "$scratch/empty.iso" "$out" --size 100M
expect_error 3 'no.iso' vitrine guest alpine "$scratch/no.iso" "$out"
echo mine >"$out"
expect_error 1 'there already' vitrine guest alpine "$scratch/empty.iso" "$out"
expect_eq 'what was there' mine "$(cat "$out")"
rm "$out"

# ---- an ISO that says nothing, and a person who loses patience -----------------------------------
expect_status 124 vitrine guest alpine "$scratch/empty.iso" "$out" --timeout 3s --accel tcg
expect_match 'its message' 'login' "$(tail -n 1 "$scratch/err")"
nothing_left 'a timeout'

"$VITRINE" guest alpine "$scratch/empty.iso" "$out" --accel tcg 2>"$scratch/words" &
pid=$!
wait_until 'the live system is awaited' grep -q waiting "$scratch/words"
kill -TERM "$pid" # as Ctrl-C does, which a background job ignores
status=0
wait "$pid" || status=$?
expect_eq 'status after the signal' 1 "$status"
nothing_left 'the signal'

# ---- a system that plays Alpine ------------------------------------------------------------------
vitrine guest build --out "$scratch/guest" >/dev/null
mkdir -p "$scratch/fake/etc" "$scratch/fake/bin"
echo 3.99.0 >"$scratch/fake/etc/alpine-release"
sed 's,^ttyS0:.*,ttyS0::respawn:/bin/fake-login,' "$(dirname "$0")/../../guests/linux/inittab" \
    >"$scratch/fake/etc/inittab"
cat >"$scratch/fake/bin/fake-login" <<'GUEST'
#!/bin/sh
until [ -b /dev/vda ]; do sleep 1; done
printf '\nWelcome to Alpine Linux\n\nlocalhost login: '
read -r name
[ "$name" = root ] || exit 1
PS1='localhost:~# ' exec sh -i
GUEST
cat >"$scratch/fake/bin/setup-alpine" <<'GUEST'
#!/bin/sh
[ "$1 $2" = '-e -f' ] || { echo "usage: setup-alpine"; exit 1; }
. "$3"
[ "$DISKOPTS" = '-s 0 -m sys /dev/vda' ] || { echo "DISKOPTS: $DISKOPTS"; exit 1; }
read -r answer && { echo "there is an answer: $answer"; exit 1; }
[ "$ERASE_DISKS" = /dev/vda ] || { echo "/dev/vda would be asked for"; exit 1; }
set -e
printf 'n\np\n1\n2048\n67583\nn\np\n2\n67584\n133119\nw\n' | fdisk /dev/vda >/dev/null
until [ -b /dev/vda2 ]; do sleep 1; done
mke2fs /dev/vda1 >/dev/null
mke2fs /dev/vda2 >/dev/null
mount /dev/vda2 /mnt
mkdir /mnt/etc
printf '::sysinit:/sbin/openrc sysinit\n#ttyS0::respawn:/sbin/getty\nttyS0::respawn:/sbin/getty\n' >/mnt/etc/inittab
hostname=${HOSTNAMEOPTS#-n }
echo "$hostname" >/mnt/etc/hostname
umount /mnt
echo 'Installation is complete. Please reboot.'
GUEST
chmod 755 "$scratch"/fake/bin/*
(cd "$scratch/fake" && find . -type f | cpio -o -H newc --quiet) >"$scratch/overlay"
cat "$scratch/guest/initrd" "$scratch/overlay" >"$scratch/fake-initrd"
chmod 644 "$scratch/fake-initrd" "$scratch/guest/kernel"
fake=(--accel tcg --qemu-arg=-kernel "--qemu-arg=$scratch/guest/kernel" --qemu-arg=-initrd
    "--qemu-arg=$scratch/fake-initrd" --qemu-arg=-append
    '--qemu-arg=console=ttyS0 quiet cryptomgr.notests')

expect_status 0 vitrine guest alpine "$scratch/empty.iso" "$out" --size 1G --timeout 120s "${fake[@]}"
expect_match 'progress' 'installing Alpine 3.99.0' "$(cat "$scratch/err")"
expect_match 'progress' 'Installation is complete' "$(cat "$scratch/err")"
expect_eq 'the image' 'QFI 600' "$(head -c 3 "$out") $(stat -c %a "$out")"
expect_eq 'VMs after it' '' "$(vitrine ls --names)"

# ---- the installer fails: its last words, and nothing left ---------------------------------------
mv "$out" "$scratch/installed"
sed -i 's/^set -e$/echo "ERROR: no space left on the disk"; exit 1/' "$scratch/fake/bin/setup-alpine"
(cd "$scratch/fake" && find . -type f | cpio -o -H newc --quiet) >"$scratch/overlay"
cat "$scratch/guest/initrd" "$scratch/overlay" >"$scratch/fake-initrd"
expect_status 1 vitrine guest alpine "$scratch/empty.iso" "$out" --size 1G --timeout 120s "${fake[@]}"
expect_match 'its message' 'setup-alpine failed: ERROR: no space left on the disk' \
    "$(tail -n 1 "$scratch/err")"
nothing_left 'a failed installation'

# ---- the image in another VM ---------------------------------------------------------------------
start_vm a --kernel "$scratch/guest/kernel" --initrd "$scratch/guest/initrd" \
    --append "$(cat "$scratch/guest/append")" --disk "$scratch/installed"
wait_console 'shell ready'
guest_exec 'until [ -b /dev/vda2 ]; do sleep 1; done; mount /dev/vda2 /mnt'
expect_eq 'inittab' $'::sysinit:/sbin/openrc sysinit\nttyS0::respawn:/bin/login -f root' \
    "$(guest_exec 'cat /mnt/etc/inittab')"
expect_eq 'hostname' alpine "$(guest_exec 'cat /mnt/etc/hostname')"
expect_eq 'size in sectors' 2097152 "$(guest_exec 'cat /sys/block/vda/size')"
# The last sectors too, so that QEMU has to grow the image's tables.
guest_exec 'echo the very end | dd of=/dev/vda seek=2097151 2>/dev/null; sync'
vitrine stop "$vm"
start_vm b --kernel "$scratch/guest/kernel" --initrd "$scratch/guest/initrd" \
    --append "$(cat "$scratch/guest/append")" --disk "$scratch/installed"
wait_console 'shell ready'
expect_eq 'the last sector' 'the very end' \
    "$(guest_exec 'until [ -b /dev/vda ]; do sleep 1; done; dd if=/dev/vda skip=2097151 2>/dev/null | head -n 1')"
vitrine stop "$vm"
