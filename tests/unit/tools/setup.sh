#!/usr/bin/env bash
# tests/unit/tools/setup.sh SETUP - tools/setup against a machine made of stand-ins: what it asks
# for, in which order, and what it does when the mirror or the user cannot give it.
set -uo pipefail
setup=$1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
bin=$top/bin calls=$top/calls
mkdir "$bin"
bad=0

# shim NAME: a program that notes its words and then runs the lines from stdin.
shim() {
    { printf '#!/bin/bash\nprintf "%s %%s\\n" "$*" >>"%s"\n' "$1" "$calls"; cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}

complain() {
    printf '%s: %s\n' "$case" "$*" >&2
    sed 's/^/  said:   /' "$top/said" >&2
    sed 's/^/  called: /' "$calls" >&2
    bad=1
}

# A machine with every package, lists fetched, and a mirror that has QEMU in the backports.
new_machine() {
    case=$1
    rm -rf "$top/cache" "$calls"
    mkdir -p "$top/cache/vulkan/share/vulkan/registry"
    touch "$top/cache/vulkan/share/vulkan/registry/vk.xml"
    : >"$calls"
    echo 61000 >"$top/uid"
    echo 'Debian|bookworm|bookworm|main|http://mirror/debian/' >"$top/targets"
    echo 'trixie 11.1.3' >"$top/suites"
    : >"$top/missing"
    shim id <<<"cat $top/uid"
    shim sudo <<<'exit 1'
    shim dpkg <<<'echo amd64'
    shim apt-config <<<'printf "Acquire::http::Proxy \"http://proxy:1\";\nDir \"/\";\n"'
    shim dpkg-query <<SHIM
shift 2
printf '%s\n' "\$@" | grep -vxF -f $top/missing | sed 's/^/installed /'
SHIM
    shim apt-get <<SHIM
[ \$1 != indextargets ] || cat $top/targets
SHIM
    # The word before the directory is the suite; its line in suites says what is there.
    shim mmdebstrap <<SHIM
words=("\$@")
for i in "\${!words[@]}"; do
    case \${words[i]} in --*) ;; *) suite=\${words[i]} dir=\${words[i+1]}; break ;; esac
done
lib=\$dir/usr/lib/x86_64-linux-gnu
[ \$suite != bookworm ] || lib=\$dir/lib/x86_64-linux-gnu
mkdir -p \$lib \$dir/usr/bin \$dir/usr/include/{vulkan,vk_video} \$dir/usr/share/vulkan/registry
touch \$dir/usr/share/vulkan/registry/vk.xml
read -r _ version < <(grep "^\$suite " $top/suites)
case \$version in
    '') echo "E: \$suite does not have a Release file."; exit 1 ;;
    stumbles) sed -i "s/^\$suite .*/\$suite 11.2.0/" $top/suites; echo 'E: reset by peer'; exit 1 ;;
    slow) touch $top/unpacking; while [ ! -e $top/go-on ]; do sleep 0.01; done; version=11.1.3 ;;
esac
printf '#!/bin/sh\necho QEMU emulator version %s "(Debian)"\n' \$version >\$lib/ld-linux-x86-64.so.2
chmod +x \$lib/ld-linux-x86-64.so.2
SHIM
}

# run STATUS WORD...
run() {
    local want=$1 got=0
    shift
    : >"$calls"
    env -i HOME="$top" PATH="$bin:/usr/bin:/bin" VITRINE_CACHE_DIR="$top/cache" ${qemu+VITRINE_QEMU="$qemu"} \
        "$setup" "$@" >"$top/out" 2>"$top/said" </dev/null || got=$?
    [ "$got" = "$want" ] || complain "status $got, want $want"
    [ ! -s "$top/out" ] || complain 'printed on stdout'
}
said() { grep -qF -- "$1" "$top/said" || complain "did not say: $1"; }
called() { grep -qF -- "$1" "$calls" || complain "did not call: $1"; }
not_called() { ! grep -qE -- "$1" "$calls" || complain "called: $1"; }
version_is() {
    [ "$(cat "$top/cache/qemu/version" 2>&1)" = "$1" ] || complain "version is not $1"
    for architecture in x86_64 aarch64 riscv64; do
        "$top/cache/qemu/qemu-system-$architecture" --version | grep -qF "$1" || complain "no launcher for $architecture"
    done
    [ -z "$(find "$top/cache" -name '*unpacking*')" ] || complain 'left something behind'
}

new_machine 'all there'
run 0 build test lint
not_called '^(sudo|apt-get)'

new_machine 'no registry of Vulkan'
rm -r "$top/cache/vulkan"
run 0 build
called "trixie $top/cache/vulkan.unpacking-tree"
[ -e "$top/cache/vulkan/share/vulkan/registry/vk.xml" ] || complain 'did not keep the registry'

new_machine 'a package missing, no root'
echo scdoc >"$top/missing"
run 1 build
said 'only root can install them: apt-get install scdoc'
not_called '^apt-get'
shim sudo <<<'[ "$1" != -n ] || shift; exec env "$@"'
run 0 build
called 'sudo -n apt-get update'
called 'install -y -qq --no-install-recommends'

new_machine 'root installs by itself'
echo 0 >"$top/uid"
echo meson >"$top/missing"
run 0 build
called 'apt-get update'
called 'apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 meson'
not_called '^sudo'

new_machine 'QEMU from the backports'
run 0 qemu
version_is 11.1.3
called '--aptopt=Acquire::http::Proxy "http://proxy:1";'
called 'trixie '"$top"'/cache/qemu.unpacking deb http://mirror/debian/ trixie main deb http://mirror/debian/ trixie-backports main'
run 0 qemu
not_called 'mmdebstrap'
rm "$top/cache/qemu/version"
run 0 qemu
version_is 11.1.3
not_called 'mmdebstrap'

new_machine 'too old in the backports, none in forky'
printf 'trixie 10.0.13\nsid 12.0.0\n' >"$top/suites"
run 0 qemu
said 'trixie-backports has QEMU 10.0.13; 11.1 is needed'
version_is 12.0.0

new_machine 'nowhere'
echo 'sid 11.0.9' >"$top/suites"
run 1 qemu
said 'no QEMU >= 11.1 to be had from the mirror'
[ ! -e "$top/cache/qemu" ] || complain 'made a QEMU all the same'

new_machine 'the mirror stumbles once'
echo 'trixie stumbles' >"$top/suites"
run 0 qemu
said 'trying again'
version_is 11.2.0

new_machine 'leftovers of an interrupted one'
mkdir -p "$top/cache/qemu.unpacking/usr" "$top/cache/guest-source.unpacking.77"
run 0 build
[ -z "$(find "$top/cache" -name '*unpacking*')" ] || complain 'left them'

new_machine 'an older one in the cache is replaced'
echo 'trixie 11.0.0' >"$top/suites"
mkdir -p "$top/cache/qemu"
printf '#!/bin/sh\necho QEMU emulator version 11.0.0\n' >"$top/cache/qemu/qemu-system-x86_64"
chmod +x "$top/cache/qemu/qemu-system-x86_64"
echo 'trixie 11.1.3' >"$top/suites"
run 0 qemu
version_is 11.1.3

new_machine 'one for x86_64 alone in the cache is replaced'
mkdir -p "$top/cache/qemu"
printf '#!/bin/sh\necho QEMU emulator version 11.1.3\n' >"$top/cache/qemu/qemu-system-x86_64"
chmod +x "$top/cache/qemu/qemu-system-x86_64"
run 0 qemu
called 'mmdebstrap'
version_is 11.1.3

new_machine 'QEMUs of the system that will do'
shim qemu-new <<<'echo QEMU emulator version 11.4.1'
qemu=$bin/qemu-new run 0 qemu
version_is 11.1.3
rm -rf "$top/cache"
shim qemu-system-aarch64 <<<'echo QEMU emulator version 11.4.2'
shim qemu-system-riscv64 <<<'echo QEMU emulator version 11.4.3'
qemu=$bin/qemu-new run 0 qemu
said "QEMU 11.4.1 at $bin/qemu-new"
said "QEMU 11.4.3 at $bin/qemu-system-riscv64"
not_called 'mmdebstrap'
rm "$bin"/qemu-system-*

new_machine 'lists never fetched, a foreign source first'
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
printf '||nodistro|main|http://other/\n||%s-updates|main|http://wrong/\n||%s|main|http://lists/\n' \
    "$release" "$release" >"$top/targets"
run 0 qemu
called ' deb http://lists/ trixie main'

new_machine 'no mirror at all'
: >"$top/targets"
run 1 qemu
said 'no Debian mirror in the apt configuration'

new_machine 'two at once'
echo 'trixie slow' >"$top/suites"
rm -f "$top/unpacking" "$top/go-on"
run 0 qemu &
while [ ! -e "$top/unpacking" ]; do sleep 0.01; done
env -i HOME="$top" PATH="$bin:/usr/bin:/bin" VITRINE_CACHE_DIR="$top/cache" \
    "$setup" qemu 2>"$top/second" &
second=$!
until grep -q waiting "$top/second"; do sleep 0.01; done
touch "$top/go-on"
wait $second || complain 'the second failed'
wait
version_is 11.1.3
[ "$(grep -c '^mmdebstrap' "$calls")" = 1 ] || complain 'unpacked twice'

new_machine 'older ones'
printf 'bookworm 7.2.22\ntrixie 10.0.13\n' >"$top/suites"
run 0 old-qemus
said 'QEMU 7.2.22 is in'
said 'QEMU 10.0.13 is in'
"$top/cache/old-qemus/bookworm/qemu-system-x86_64" --version | grep -q 7.2.22 || complain 'a launcher that does not start'
run 0 old-qemus
not_called 'mmdebstrap'

new_machine 'npm packages, once'
shim npm <<<'[ -f "$3/package-lock.json" ] && mkdir "$3/node_modules"'
run 0 node
called "npm ci --prefix $top/cache/node.unpacking --ignore-scripts"
[ -d "$top/cache/node/node_modules" ] || complain 'not installed'
run 0 node
not_called '^npm'
echo other >"$top/cache/node/package-lock.json"
run 0 node
called 'npm ci'

new_machine 'npm cannot reach its registry'
shim npm <<<'exit 1'
run 0 node
said 'will be skipped'
[ ! -e "$top/cache/node" ] || complain 'made it all the same'
[ -z "$(find "$top/cache" -name '*unpacking*')" ] || complain 'left something behind'

new_machine 'an unknown word'
run 2 build nonsense
said "unknown word 'nonsense'"

exit $bad
