# SIGTERM: who has no call is let go, open calls finish, new ones are refused, then it ends.
start one
connect idle
connect busy
busy call 1 model=one/m stream=yes
busy call 2 model=one/m body=later
busy data 2 5
up 1 streams
up 1 says A
raise TERM
serving
idle gets 0
	goaway drain grace_ms=30000
	closed
busy gets 0
	goaway drain grace_ms=30000
busy call 3 model=one/m
busy gets 3
	fault restarting: *
# its body comes too late: nothing was sent
busy data 2 rest last
busy gets 2
	fault restarting: *
ups 1
up 1 says B
up 1 finishes 1 1
busy gets 1
	start *
	text A
	text B
	usage *
	finish stop
	end one/m *
busy gets 0
	closed
stopped
ledger
	exchange failed restarting - attempts=0 *
	exchange ok - one/m *
	attempt 1 ok *
