# A disk without room for the journal: the broker says so to every caller, and nothing is sent.
files 1048576
start
files free
connect a
a call 1 model=offline/echo
a gets 1
	fault storage_full: *
ups 0
a leaves
