#!/usr/bin/env bash
# tests/lint/layers.sh CHECK-LAYERS - finds planted upward includes, and nothing in a clean house.
set -euo pipefail
check=$1
house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
mkdir -p "$house"/{src/base,src/memory,src/guest,src/cli,include/vitrine,plugins}

expect() { # STATUS TEXT
    local status=0 said
    said=$("$check" "$house" 2>&1) || status=$?
    if [ "$status" != "$1" ] || [[ "$said" != *"$2"* ]]; then
        printf 'expected status %s and "%s"\ngot %s: %s\n' "$1" "$2" "$status" "$said" >&2
        exit 1
    fi
}

# plant FILE INCLUDE MESSAGE: the include is found, and with it removed all is well.
plant() {
    printf '/* one */\n#include %s\n' "$2" >"$house/$1"
    expect 1 "$1:2: $3"
    rm "$house/$1"
    expect 0 ''
}

printf '#include "base/io.h"\n#include "vitrine/base.h"\n#include <stdio.h>\n' \
    >"$house/src/memory/fine.c"
expect 0 ''
plant src/base/up.c '"memory/ram.h"' 'base may not include memory'
plant src/memory/up.c '"vitrine/guest.h"' 'memory may not include guest'
plant src/memory/angle.c '<vitrine/guest.h>' 'memory may not include guest'
plant include/vitrine/memory.h '"vitrine/guest.h"' 'memory may not include guest'
plant src/guest/up.h '"cli/cli.h"' 'guest may not include cli'
plant src/cli/test.c '"tests/unit/harness.h"' 'the product does not include tests'
plant plugins/up.c '"cli/cli.h"' 'plugins may not include cli'
plant src/base/unknown.c '"nowhere/x.h"' 'nowhere is not a room'
