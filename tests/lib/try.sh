#!/bin/sh
# try.sh - does it work here? A private broker on a socket of its own, no key, no network: one
# question by the command line, one by a C program, what both cost; then it is gone.
set -eu
build=${1:-build/release}
folder=$(mktemp -d)
LLM_BROKER_SOCKET=$folder/sock
export LLM_BROKER_SOCKET
broker=

finish() {
	status=$?
	trap - EXIT INT TERM
	if [ -n "$broker" ]; then
		kill "$broker" 2>/dev/null || :
		wait "$broker" 2>/dev/null || :
	fi
	[ "$status" -eq 0 ] || { echo "--- the broker's log:"; cat "$folder/log" || :; } >&2
	rm -rf "$folder"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir -m 700 "$folder/state"
: >"$folder/broker.conf"
chmod 600 "$folder/broker.conf"
"$build/bin/llm-brokerd" --config "$folder/broker.conf" --socket "$LLM_BROKER_SOCKET" \
	--state-dir "$folder/state" 2>"$folder/log" &
broker=$!
tries=0
until [ -S "$LLM_BROKER_SOCKET" ]; do
	kill -0 "$broker"
	tries=$((tries + 1))
	[ "$tries" -lt 500 ] || { echo "the broker does not listen" >&2; exit 1; }
	sleep 0.01
done

echo "== by the command line: llmb ask"
"$build/bin/llmb" ask -m offline/echo --usage "one daemon holds the keys, and no program ever sees one"
echo
echo "== by a C program: libllmclient/examples/hello.c ($(wc -l <libllmclient/examples/hello.c) lines)"
"$build/examples/hello"
echo
echo "== what it cost: llmb usage"
"$build/bin/llmb" usage --by model
kill "$broker"
wait "$broker"
broker=
echo
echo "It works. Next: \`make check\`, or start it for yourself: $build/bin/llmb daemon"
