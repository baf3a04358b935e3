#!/bin/sh
# library.sh - does what was built show and need only what it promises? Writes TAP.
# usage: library.sh build/release
set -u
build=$1
lib=$build/lib/libllmclient
number=0

# is_empty FOUND NAME: what should not be there, and the check's name
is_empty()
{
	number=$((number + 1))
	if [ -z "$1" ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		echo "$1" | sed 's/^/#   found: /' >&2
	fi
}

dynamic()
{
	LC_ALL=C readelf -dW "$1" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p"
}

exported=$(LC_ALL=C nm -D --defined-only $lib.so | awk '$2 != "A" { print $3 }')
names=$(echo "$exported" | sed 's/@.*//' | sort -u)
static=$(LC_ALL=C nm -g --defined-only $lib.a | awk 'NF == 3 { print $3 }' | sort -u)

is_empty "$([ "$(dynamic $lib.so SONAME)" = libllmclient.so.1 ] || dynamic $lib.so SONAME)" \
	"the library is called libllmclient.so.1"
is_empty "$(dynamic $lib.so NEEDED | grep -vE '^(libc|libmsgpack-?c|ld-linux.*)\.so\.[0-9.]+$')" \
	"it needs libc and msgpack-c alone"
is_empty "$([ -n "$names" ] || echo nothing)" "it exports something"
is_empty "$(echo "$names" | grep -v '^llm_')" "every name it exports starts with llm_"
is_empty "$(echo "$exported" | grep -v '@@')" "every one has a version"
is_empty "$(for name in $names; do
	grep -qw "$name" libllmclient/include/llmclient.h || echo "$name"
done)" "every one is in llmclient.h"
is_empty "$([ "$names" = "$static" ] || echo "shared: $names; static: $static" | tr '\n' ' ')" \
	"the static library shows the same names, and no others"

for program in llm-brokerd llmb; do
	file=$build/bin/$program
	is_empty "$(LC_ALL=C readelf -hW $file | grep -q 'Type:.*DYN' || echo 'a fixed address')" \
		"$program is position independent"
	is_empty "$(LC_ALL=C readelf -dW $file | grep -q 'Flags:.*NOW' || echo 'late binding')" \
		"$program binds its symbols at start"
	is_empty "$(LC_ALL=C readelf -lW $file | grep -E 'GNU_STACK.* RWE|LOAD.* RWE')" \
		"$program has no memory to write and run"
	is_empty "$(LC_ALL=C readelf -lW $file | grep -q GNU_RELRO || echo 'no relro')" \
		"$program makes its tables read-only"
done
is_empty "$(dynamic $build/bin/llmb NEEDED |
	grep -vE '^(libc\.so\.[0-9]+|libllmclient\.so\.1|ld-linux.*)$')" \
	"llmb needs libc and libllmclient alone"
echo "1..$number"
