#!/bin/sh
# deb.sh - makes Debian's packages of what was committed, and has lintian read them.
# usage: deb.sh [--no-lintian] VERSION DIR
#   DIR is made anew: packages and source packages in it, logs beside them
set -eu
umask 022 # the source package's modes are not this user's

die()
{
	printf 'deb: %s\n' "$*" >&2
	exit 1
}

lint=yes
if [ "${1-}" = --no-lintian ]; then
	lint=no
	shift
fi
[ $# = 2 ] || { sed -n 's/^# //; 2,4p' "$0" >&2; exit 2; }
version=$1 dir=$2
top=$(pwd -P)

for tool in git dpkg-buildpackage dh $([ $lint = no ] || echo lintian); do
	command -v "$tool" >/dev/null || die "$tool is missing: packaging/deps.sh --deb installs what is needed"
done
# the folder may lie in somebody else's clone
[ "$(git rev-parse --show-toplevel)" = "$top" ] ||
	die "$top is no clone of the repository: the packages are made of what git has, so make them in one"
head=$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)
[ "${head%-*}" = "$version" ] || die "packaging/debian/changelog is about $head, and the Makefile about $version"
[ -z "$(git status --porcelain)" ] || printf 'deb: what is not committed is not in the packages\n'

rm -rf "$dir"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
name=llm-broker-$version
epoch=$(git log -1 --format=%ct)
git -c tar.umask=0022 archive --prefix="$name/" HEAD | gzip -n9 >"$dir/llm-broker_$version.orig.tar.gz"
tar -C "$dir" -xf "$dir/llm-broker_$version.orig.tar.gz"
cp -R "$dir/$name/packaging/debian" "$dir/$name/debian"

# nothing of the make or the shell that asked for it: a package is built alike by everybody
cd "$dir/$name"
if ! env -i PATH="$PATH" HOME="${HOME:-/}" USER="${USER:-root}" LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH="$epoch" \
	DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-}" dpkg-buildpackage -us -uc -F >"$dir/build.log" 2>&1; then
	tail -n 60 "$dir/build.log"
	die "the build failed: $dir/build.log"
fi
grep '^built:' "$dir/build.log" || :
if [ $lint = yes ]; then
	# shellcheck disable=SC2046 # none or one
	lintian $([ "$(id -u)" != 0 ] || echo --allow-root) --fail-on error,warning "$dir"/*.changes
	echo 'deb: lintian found no error and no warning'
fi
for package in "$dir"/*.deb; do
	printf '  package  %s\n' "${package#"$top/"}"
done
