#!/usr/bin/env bash
# tests/lint/install.sh BUILD - what `make install` puts under a prefix works from there: the
# program, its pages and completions, each public header by itself, and a program of somebody
# else's built against libvitrine.
set -euo pipefail
build=$1
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet >/dev/null
usr=$(dirname "$(dirname "$(find "$dest" -path '*/bin/vitrine')")")
prefix=${usr#"$dest"}

"$usr/bin/vitrine" --version | grep -q '^vitrine '
while read -r verb; do
    [ -s "$usr/share/man/man1/vitrine-${verb// /-}.1" ] || { echo "no page for $verb" >&2; exit 1; }
done < <("$usr/bin/vitrine" help --names)
bash -n "$usr/share/bash-completion/completions/vitrine"
[ -s "$usr/share/zsh/site-functions/_vitrine" ]
[ -s "$usr/share/fish/vendor_completions.d/vitrine.fish" ]

units=$usr/lib/systemd/system
[ -s "$units/vitrine.service" ] && [ -s "$units/vitrine.socket" ]
if command -v systemd-analyze >/dev/null; then
    # What the unit starts is looked for under the prefix.
    mkdir -p "$dest/units"
    sed "s|^ExecStart=|ExecStart=$dest|" "$units/vitrine.service" >"$dest/units/vitrine.service"
    cp "$units/vitrine.socket" "$dest/units"
    said=$(systemd-analyze verify --man=no "$dest/units/vitrine.service" "$dest/units/vitrine.socket" 2>&1) &&
        [ -z "$said" ] || { printf 'units: %s\n' "$said" >&2; exit 1; }
fi

export PKG_CONFIG_PATH=$usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest
flags=$(pkg-config --cflags --libs libvitrine)
for header in "$usr"/include/vitrine/*.h; do
    printf '#include <vitrine/%s>\nint main(void) { return 0; }\n' "${header##*/}" >"$dest/alone.c"
    # shellcheck disable=SC2086 # several flags
    cc -std=c17 -Wall -Wextra -Werror -o "$dest/alone" "$dest/alone.c" $flags
done
cat >"$dest/other.c" <<'C'
#include <stdio.h>
#include <vitrine/base.h>
int main(void)
{
    struct vt_error err;
    vt_fail_addr(&err, "address", 1, 2, 3);
    return puts(err.message) < 0;
}
C
# shellcheck disable=SC2086
cc -std=c17 -o "$dest/other" "$dest/other.c" $flags
[ "$(LD_LIBRARY_PATH=$usr/lib "$dest/other")" = 'invalid address 0x1 (length 0x2, valid below 0x3)' ]
echo "installed under $prefix"
