#!/usr/bin/env bash
# tests/system/operations.sh - every operation of the server on a real guest: results follow their
# schemas, and say what the command line says.
. "$(dirname "$0")/lib.sh"

python3 -c 'import jsonschema' || skip 'no python3-jsonschema (tools/setup test brings it)'
run_op=$VITRINE_BUILD/tests/system/run_op
start_vm a --memory 256M --cpus 2 --accel tcg
wait_services
# Something of each kind to be seen; something that always runs, in user mode and in the kernel.
guest_exec 'sleep 1000 & mkdir -p /tmp/there; mount -t tmpfs none /tmp/there
    (while :; do while read -r _; do :; done </proc/self/maps; done) >/dev/null 2>&1 &' >/dev/null

python3 "$(dirname "$0")/operations.py" "$run_op" "$vm" "$prefix-made"
