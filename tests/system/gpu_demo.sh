#!/usr/bin/env bash
# tests/system/gpu_demo.sh - tools/demo-gpu ends by itself, with a picture and the commands behind it.
. "$(dirname "$0")/lib.sh"

cd "$(dirname "$0")/../.."
build=$scratch/build
mkdir "$build"
ln -s "$VITRINE" "$build/vitrine"
tools/demo-gpu "$build" aarch64 >"$scratch/out" 2>"$scratch/err" || fail "$(cat "$scratch/out" "$scratch/err")"
expect_eq 'the picture is a PNG of 1280 x 800' '89504e470d0a1a0a0000000d494844520000050000000320' \
    "$(od -An -tx1 -N24 "$build/demo/gpu-aarch64.png" | tr -d ' \n')"
expect_match 'the log' 'GET_DISPLAY_INFO -> OK_DISPLAY_INFO' "$(cat "$build/demo/gpu-aarch64.log")"
expect_match 'what is printed' '"event": "framebuffer".*"crc32"' "$(cat "$scratch/out")"
expect_eq 'VMs that are left' '' "$(vitrine ls --names)"
