# So many may go on for callers who are gone, of one of them never more than there is still room for; those beyond that are
# cancelled.
config only
	[provider "one"]
	dialect = openai-chat
	base_url = https://one.test/v1
	on_gone = drain
start one
admin app.add {"name":"b"}
	*
admin app.add {"name":"c"}
	*
connect a1
connect a2
connect a3
connect b app
connect c app
a1 call 1..250 model=one/m stream=yes max_tokens=1
a2 call 1..250 model=one/m stream=yes max_tokens=1
a3 call 1..250 model=one/m stream=yes max_tokens=1
b call 1..250 model=one/m stream=yes max_tokens=1
c call 1..200 model=one/m stream=yes max_tokens=1
open 1200
up 1..1200 streams
# a half of all for the first, who has three connections; half of the rest for the next, and so on
a1 leaves
a2 leaves
open 1200
a3 leaves
open 962
b leaves
open 962
c leaves
open 893
# when some have ended there is room again
up 1..500 finishes 1 1
open 393
connect f
f call 1 model=one/m stream=yes
up 1201 streams
f leaves
open 394
after 30s
open 0
admin app.remove {"name":"b"}
	*
admin app.remove {"name":"c"}
	*
