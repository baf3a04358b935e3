#!/bin/sh
# whole_program.sh - does the heap that overwrites (brokerd/wipe.c) stand where the compiler sees the whole program, as distributions
# build it? It knows then what was asked for each block, and ends the program that writes beyond that, though the block has the room.
# usage: whole_program.sh B, the folder of what is built; CC as for make
set -eu
cc=${CC:-cc}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cat > "$made/main.c" <<'C'
#include <stdlib.h>
#include <string.h>
int main(void)
{
	char *volatile p; /* what is done with it is done */
	for (size_t n = 1; n < 5000; n += 7) {
		p = malloc(n);
		if (!p)
			return 1;
		memset(p, 1, n);
		p = realloc(p, n + n / 8 + 1);
		if (!p)
			return 1;
		free(p);
		p = calloc(1, n);
		free(p);
	}
	return 0;
}
C
built()
{
	"$cc" -std=c11 -D_GNU_SOURCE -I. -O2 -flto -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -o "$made/main" "$@" 2> "$made/why"
}
echo 1..1
if ! built "$made/main.c"; then
	echo "ok 1 # SKIP $cc has no link-time optimization here"
elif ! built "$made/main.c" brokerd/wipe.c; then
	cat "$made/why"
	echo "not ok 1 - it is built"
elif ! "$made/main"; then
	echo "not ok 1 - blocks are overwritten to their ends"
else
	echo "ok 1 - blocks are overwritten to their ends"
fi
