# What has failed a call is not asked by it again because the others rest; and who is slow three times, though each time
# its first words come, rests.
config
	[model "pair"]
	target = one/m
	target = two/m
	[model "watched"]
	target = three/m
	target = two/m
	min_rate = 5/s
start one two three
connect a
connect b
# two is found to be silent, three times
b call 1..3 model=two/m
up 1..3 sent
up 1..3 breaks
b gets 1..3
	fault outcome_unknown *
b call 4 model=two/m
up 4 is two/m
# one may have served it, and two rests: nobody is asked a second time
a call 1 model=pair
up 5 is one/m
up 5 sent
up 5 breaks
after 4s
ups 5
a gets 1
	status retrying: *
	fault outcome_unknown *
up 4 replies 1 1 x
# what one cannot do it is not asked again either
raise HUP
after 1ms
b call 5..7 model=two/m
up 6..8 sent
up 6..8 breaks
b call 8 model=two/m
up 9 is two/m
a call 2 model=pair
up 10 is one/m
up 10 answers 400
	{"error":{"message":"Unsupported parameter","code":"unsupported_parameter"}}
after 4s
ups 10
up 9 replies 1 1 x
raise HUP
after 1ms
# three that begin too slowly
a call 3 model=watched stream=yes max_tokens=9
up 11 is three/m
up 11 streams
up 11 says x
after 10s
up 12 is two/m
up 12 replies 1 1 x
a call 4 model=watched stream=yes max_tokens=9
up 13 is three/m
up 13 streams
up 13 says x
after 10s
up 14 is two/m
up 14 replies 1 1 x
a call 5 model=watched stream=yes max_tokens=9
up 15 is three/m
up 15 streams
up 15 says x
after 10s
up 16 is two/m
up 16 replies 1 1 x
a call 6 model=watched stream=yes max_tokens=9
up 17 is two/m
up 17 replies 1 1 x
a leaves
b leaves
