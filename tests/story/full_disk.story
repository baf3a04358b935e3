# A disk without room for the journal: the broker says so to every caller, and nothing is sent. When there is room, it
# finds out by itself.
files 1048576
start
connect a
a call 1 model=offline/echo
a gets 1
	fault storage_full: *
after 3s
a call 2 model=offline/echo
a gets 2
	fault storage_full: *
ups 0
files free
after 1s
a call 3 model=offline/echo
a gets 3
	start echo
	text Say
	text *
	usage *
	finish stop
	end offline/echo *
a leaves
