#!/bin/sh
# deps.sh - is all here that is needed to build and test? Installs what is missing, on Debian.
# usage: deps.sh [--no-install] [--ci] [--deb] [--system] [--qemu]
#   --no-install  only says what is missing; exit status 1 if anything is
#   --ci          also what the checks of CI need: clang, sanitizers, valgrind, ...
#   --deb         also what `make deb`, `deb-check` and `check-packaging` need
#   --system      also what `make check-system` needs to boot a container; --qemu: and `make check-system-qemu`
set -eu

build='build-essential pkgconf|pkg-config libev-dev libcurl4-openssl-dev libcjson-dev libsodium-dev
	libssl-dev libsqlite3-dev libseccomp-dev libmicrohttpd-dev uthash-dev'
test='libglib2.0-dev libuv1-dev bubblewrap python3 python3-pytest python3-pytest-xdist python3-msgpack python3-yaml openssl perl ca-certificates tzdata'
ci='iproute2 clang libclang-rt-dev clang-format clang-tidy valgrind strace gdb universal-ctags
	systemd podman uidmap flatpak scdoc man-db desktop-file-utils fish zsh tcsh python3-mypy python3-pip python3-setuptools python3-wheel
	python3-pytest-rerunfailures'
deb='git debhelper dh-python dpkg-dev lintian blhc pkgconf scdoc rpm'
system='systemd-container mmdebstrap'

say()
{
	printf 'deps: %s\n' "$*"
}

install=yes packages=no
wanted="$build $test"
for option; do
	case $option in
	--no-install) install=no ;;
	--ci) wanted="$wanted $ci" ;;
	--deb) wanted="$wanted $deb" packages=yes ;;
	--system) wanted="$wanted $system" ;;
	--qemu) wanted="$wanted $system qemu-system-x86 e2fsprogs" ;;
	*)
		sed -n 's/^# //; 2,7p' "$0" >&2
		exit 2
		;;
	esac
done

# msgpack-c was renamed in Debian 13, where the old name is C++ alone; what tells systemd's folders became a package of its own
id=unknown version=
if [ -r /etc/os-release ]; then
	id=$(. /etc/os-release && printf %s "${ID:-unknown}")
	version=$(. /etc/os-release && printf %s "${VERSION_ID:-}")
fi
case $id:$version in
debian:12) wanted="$wanted libmsgpack-dev" unit_dirs=systemd ;;
debian:*) wanted="$wanted libmsgpack-c-dev" unit_dirs=systemd-dev ;;
*) wanted="$wanted libmsgpack-c-dev|libmsgpack-dev" unit_dirs='systemd-dev|systemd' ;;
esac
[ $packages = no ] || wanted="$wanted $unit_dirs"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	say "this is no Debian ($id $version), so nothing is installed. Needed, by their Debian names:"
	say $wanted
	exit 0
fi

# a|b is there when either is; if neither, the first is installed
installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
	sed -n 's/^installed //p' | tr '\n' ' ') "
missing=
count=0
for names in $wanted; do
	count=$((count + 1))
	found=no
	for name in $(printf %s "$names" | tr '|' ' '); do
		case $installed in *" $name "*) found=yes ;; esac
	done
	[ $found = yes ] || missing="$missing ${names%%|*}"
done
missing=${missing# }

if [ -z "$missing" ]; then
	say "all $count packages are there"
	exit 0
fi
say "missing: $missing"
[ $install = yes ] || exit 1

as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		say "cannot install them: this is not root, and there is no sudo. As root, run:"
		say "apt-get update && apt-get install -y --no-install-recommends $missing"
		exit 1
	fi
	as_root=sudo
	[ -t 0 ] || as_root='sudo -n' # nobody is there to be asked for a password
fi

say "installing them with apt-get"
$as_root apt-get -q update || say "the package lists may be old: apt-get update failed (above)"
if ! $as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get -q install -y --no-install-recommends $missing; then
	say "apt-get failed (its reason is above). When that is mended, run this again, or as root:"
	say "apt-get update && apt-get install -y --no-install-recommends $missing"
	exit 1
fi
say "installed: $missing"
