# Names that mean nothing here say what there is to do; nothing is sent.
start one two
connect a
a call 1 model=nobody/m
a gets 1
	fault not_found param=model: no provider is called "nobody": `llmb models` *
after 1ms
a call 2 model=x
a gets 2
	fault not_found param=model: "x" is no alias, and several providers have a key: *
after 1ms
a call 3 model=one/
a gets 3
	fault not_found param=model: which model of one*
after 1ms
a call 4 model=three/m
a gets 4
	fault no_key*
ups 0
ledger
	3x exchange failed not_found - attempts=0 *
	exchange failed no_key - attempts=0 *
