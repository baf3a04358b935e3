# Without a state folder nothing is sent, and each caller is told why; a reload does not hide it.
no-state
config
	[broker]
	no_such_key = 1
start
connect a
a call 1 model=offline/echo
a gets 1
	fault misconfigured: *
config
raise HUP
a call 2 model=offline/echo
a gets 2
	fault io: the state folder *
a leaves
