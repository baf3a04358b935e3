# A key is not repeated, nor eight bytes of it, where a provider says that it is wrong.
start one
connect a
a call 1 model=one/m
up 1 answers 401
	{"error":{"message":"Who is one-0123456789? And e-012345? Not 6789abc."}}
a gets 1
	fault auth status=401 *Who is [*][*][*][*][*][*][*][*][*][*][*][*][*][*]? And [*][*][*][*][*][*][*][*]? Not 6789abc.)
a leaves
after 1ms
ledger
	exchange failed auth one/m *
	attempt 1 failed auth one/m http=401 *
