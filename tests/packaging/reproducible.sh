#!/bin/sh
# reproducible.sh - do two builds in folders of different names give the same bytes, that say nothing of those folders,
# and hardened? Writes TAP. Takes two builds' time.
# usage: reproducible.sh VERSION DIR
set -u
version=$1 dir=$2
number=0

# is_empty FOUND NAME: what should not be there, and the check's name
is_empty()
{
	number=$((number + 1))
	if [ -z "$1" ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		printf '%s\n' "$1" | cut -c 1-300 | head -n 20 | sed 's/^/#   found: /' >&2
	fi
}

# made FOLDER UMASK
made()
{
	(umask "$2" && packaging/deb.sh --no-lintian "$version" "$1") >"$dir/log" 2>&1 && return
	cat "$dir/log" >&2
	echo "Bail out! the build in $1 failed"
	exit 1
}

rm -rf "$dir"
mkdir -p "$dir"
one=$dir/one two=$dir/of-another/name
made "$one" 022
made "$two" 027

for file in "$one"/*.deb "$one"/*.tar.* "$one"/*.dsc; do
	file=${file##*/}
	is_empty "$(cmp "$one/$file" "$two/$file" 2>&1)" "$file is the same bytes"
done
is_empty "$([ "$(ls "$one" | sort)" = "$(ls "$two" | sort)" ] || ls "$one" "$two")" "both gave the same files"

for file in "$one"/*.deb; do
	dpkg-deb -x "$file" "$dir/all"
done
is_empty "$(grep -rlF -e "$(cd "$one" && pwd -P)" "$dir/all")" "no file tells where it was built"
is_empty "$(find "$dir/all" -type f -exec sh -c '
	for file; do
		case $(LC_ALL=C readelf -hW "$file" 2>/dev/null) in
		*"Type:  "*"DYN "*) LC_ALL=C readelf -nW "$file" 2>/dev/null | grep -q "Build ID" || echo "$file" ;;
		esac
	done' sh {} +)" "each program and library has a build id"
# what gcc 14 takes for faults, in code that it inlines, has been looked at and is none
is_empty "$(grep -E '(^|[^a-z_])warning: ' "$one/build.log" |
	grep -vE '^dpkg-source|\[-W(dangling-pointer=|stringop-overread)\]$')" "nothing warns"
number=$((number + 1))
if ! command -v blhc >/dev/null; then
	echo "ok $number - each file is compiled with all that hardens it # SKIP there is no blhc"
else
	number=$((number - 1))
	is_empty "$(blhc --all "$one/build.log")" "each file is compiled with all that hardens it"
fi
echo "1..$number"
