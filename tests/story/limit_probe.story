# After a rest one goes out, for nobody knows how much is left; others follow as soon as that one is answered.
start one
connect a
a call 1 model=one/m stream=yes
up 1 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
a call 2..6 model=one/m stream=yes
ups 1
after 2s
ups 2
# what is refused keeps the others from it
up 2 answers 429 retry-after=2
	{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
ups 2
after 2s
ups 3
up 3 streams
ups 3
up 3 says Hel
ups 5
# one of them is given up, and another has its place
a cancel 2
up 4 answers 503
	{"error":{"message":"overloaded"}}
up 5 streams
up 5 says x
a leaves
