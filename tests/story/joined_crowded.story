# Answers under way take no more together than is said: what nobody else reads is not kept, and what others read comes as fast as the
# slowest of them reads, in whole.
config
	[cache]
	shared_mib = 2
	entry_kib = 8192
start one
connect a
connect b
a call 1 model=one/m stream=yes temperature=0 credit=67108864
up 1 streams
up 1 floods 1000000
a call 2 model=one/m stream=yes temperature=0 prompt=2 credit=67108864
up 2 streams
up 2 floods 3000000
b call 1 model=one/m stream=yes temperature=0 credit=67108864
ups 2
b deaf
up 1 floods 5000000
up 1 paused
# who comes now asks for himself
a call 3 model=one/m stream=yes temperature=0 credit=67108864
ups 3
a cancel 3
b listens
after 1ms
up 1 flowing
up 1 floods 4000000
after 1s
up 1 flowing
up 1 finishes 7 9
up 2 finishes 7 9
a gets 1
	start *
	text of 10000000 bytes
	finish stop
	usage *
	end one/m *
b gets 1
	start *
	text of 10000000 bytes
	finish stop
	usage *
	end joined *
a gets 2
	start *
	text of 3000000 bytes
	usage *
	finish stop
	end one/m *
a gets 3
	fault cancelled: *
# neither is kept
admin cache.stats {}
	raw {"memory":{"entries":0,*
