# An answer that is on disk alone is read by a worker: who asks for it waits, and nobody else.
config
	[cache]
	memory_mib = 0
	[model "both"]
	target = two/m
	target = one/m
start one two
connect a
a call 1 model=one/m temperature=0
up 1 replies 7 9 hello
a gets 1
	start *
	text hello
	usage *
	finish stop
	end one/m attempts=1 *
after 1s
# many who wait for the same
hold 3
a call 2..4 model=one/m temperature=0
a call 5 model=both temperature=0
open 4
a gets 2..5
# another goes on meanwhile
a call 6 model=one/m temperature=0 prompt=1
ups 2
up 2 replies 1 1 other
a gets 6
	start *
	text other
	usage *
	finish stop
	end one/m *
release
ups 2
a gets 2..5
	start *
	text hello
	finish stop
	usage *
	end hit age=1 saved=25000 *
# its time is over while it waits
hold 3
a call 7 model=one/m temperature=0 timeout=300
after 300ms
a gets 7
	fault timeout: the call's time is over: 300 ms
release
# a disk that takes longer than a second is not waited for: what waited is one call
hold 3
a call 8..9 model=one/m temperature=0
after 1s
ups 3
up 3 replies 7 9 slow
a gets 8
	start *
	text slow
	finish stop
	usage *
	end one/m *
a gets 9
	start *
	text slow
	finish stop
	usage *
	end joined *
release
after 1s
# it is cleared
hold 3
a call 10 model=one/m temperature=0
admin cache.clear {}
	raw {"removed":2}
release
ups 4
up 4 replies 7 9 anew
a gets 10
	start *
	text anew
	usage *
	finish stop
	end one/m *
after 1s
# the vault is locked
hold 3
a call 11 model=one/m temperature=0
admin vault.lock
ups 4
a gets 11
	fault locked: *
release
admin vault.unlock {}
# its caller cancels; or is gone
hold 3
a call 12 model=one/m temperature=0
a cancel 12
a gets 12
	fault cancelled: *
connect b
b call 1 model=one/m temperature=0
b leaves
open 0
release
# the broker ends: what waits is answered yet
hold 3
a call 13 model=one/m temperature=0
raise TERM
a gets 0
	goaway drain *
serving
release
a gets 13
	start *
	text anew
	finish stop
	usage *
	end hit *
stopped
a gets 0
	closed
