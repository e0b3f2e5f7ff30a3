#!/usr/bin/env bash
# tests/system/alpine_iso.sh - installs a real Alpine: VITRINE_ALPINE_ISO names a "virt" ISO.
. "$(dirname "$0")/lib.sh"

[ -n "${VITRINE_ALPINE_ISO:-}" ] || skip 'VITRINE_ALPINE_ISO names no ISO'
out=$scratch/alpine.qcow2

vitrine guest alpine "$VITRINE_ALPINE_ISO" "$out" --size 2G --timeout 25m
start_vm a --disk "$out" --net user --memory 512M
vitrine console "$vm" --wait '# $' --timeout 5m >/dev/null
expect_eq 'user' root "$(guest_exec 'id -un')"
expect_match 'release' '^[0-9]+\.[0-9]+' "$(guest_exec 'cat /etc/alpine-release')"
expect_match 'root is on the disk' '^/dev/vda' "$(guest_exec "awk '\$2 == \"/\" { print \$1 }' /proc/mounts | tail -n 1")"
vitrine stop "$vm" --timeout 60s
