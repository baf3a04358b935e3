# What was answered is not asked again: not while it is fresh, not for others, and only where its caller lets it.
config
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
	end one/m attempts=1 input=7 output=9 cost=25000 *
after 10s
a call 2 model=one/m temperature=0
ups 1
a gets 2
	start *
	text hello
	finish stop
	usage input=7 output=9 *cost=0*
	end hit age=10 saved=25000 input=7 output=9 cost=0 *
# a stream is made of it
a call 3 model=one/m temperature=0 stream=yes
a gets 3
	start *
	text hello
	finish stop
	usage *
	end hit *
# none so old; nor any
a call 4 model=one/m temperature=0 max_age=9
ups 2
up 2 replies 7 9 again
a gets 4
	start *
	text again
	usage *
	finish stop
	end one/m *
a call 5 model=one/m temperature=0 cache=off
ups 3
up 3 replies 7 9 off
a gets 5
	start *
	text off
	usage *
	finish stop
	end one/m *
a call 6 model=one/m temperature=0
a gets 6
	start *
	text again
	finish stop
	usage *
	end hit age=0 *
# asked anew, and kept in its place
a call 7 model=one/m temperature=0 cache=refresh
ups 4
up 4 replies 7 9 anew
a gets 7
	start *
	text anew
	usage *
	finish stop
	end one/m *
a call 8 model=one/m temperature=0
a gets 8
	start *
	text anew
	finish stop
	usage *
	end hit *
# kept apart
a call 9 model=one/m temperature=0 namespace=else
ups 5
up 5 replies 7 9 else
a gets 9
	start *
	text else
	usage *
	finish stop
	end one/m *
# what is left to chance is kept where it is asked for
a call 10 model=one/m cache=on
ups 6
up 6 replies 7 9 chance
a gets 10
	start *
	text chance
	usage *
	finish stop
	end one/m *
a call 11 model=one/m cache=read
a gets 11
	start *
	text chance
	finish stop
	usage *
	end hit *
a call 12 model=one/m
ups 7
up 7 replies 7 9 new
a gets 12
	start *
	text new
	usage *
	finish stop
	end one/m *
# who wants what is kept alone has that or nothing; nobody is asked, nor is anything waited for
a call 18 model=one/m cache=only
a gets 18
	start *
	text chance
	finish stop
	usage *
	end hit *
a call 19 model=one/m cache=only prompt=9
a gets 19
	fault not_cached: no answer to this request is kept, and nobody was to be asked
a call 20 model=one/m temperature=0 prompt=9
ups 8
a call 21 model=one/m temperature=0 prompt=9 cache=only
a gets 21
	fault not_cached: no answer to this request is kept, and nobody was to be asked
up 8 replies 7 9 nine
a gets 20
	start *
	text nine
	usage *
	finish stop
	end one/m *
# not even here
a call 22 model=offline/echo cache=only
a gets 22
	fault not_cached: no answer to this request is kept, and nobody was to be asked
# an answer is that of who gave it, and serves all who might ask that one
a call 13 model=both temperature=0
a gets 13
	start *
	text anew
	finish stop
	usage *
	end hit *
# what broke off, or was refused, is not kept
a call 14 model=one/m temperature=0 prompt=1 stream=yes once=yes
up 9 streams
up 9 says x
up 9 breaks
a gets 14
	start *
	text x
	fault stream_incomplete *
a call 15 model=one/m temperature=0 prompt=1 stream=yes
ups 10
up 10 streams
up 10 says whole
up 10 finishes 1 1
a gets 15
	start *
	text whole
	usage *
	finish stop
	end one/m *
# it is over in seven days
after 604799s
a call 16 model=one/m temperature=0 prompt=1
a gets 16
	start *
	text whole
	finish stop
	usage *
	end hit age=604799 *
after 2s
a call 17 model=one/m temperature=0 prompt=1
ups 11
up 11 replies 1 1 late
a gets 17
	start *
	text late
	usage *
	finish stop
	end one/m *
admin cache.stats {}
	raw {"memory":{"entries":5,*"disk":{"open":true,"state":"open","entries":5,*
admin cache.clear {}
	raw {"removed":5}
