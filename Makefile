# Makefile - how everything is built, tested and installed. `make help` lists what can be asked for.
#
# A flavour is a set of flags with its own folder, build/FLAVOUR. Every .c file in a folder named
# here is found by itself. CC, CFLAGS, LDFLAGS, PREFIX and the like are the caller's, as usual.
VERSION := 0.1.0
MAKEFLAGS += --no-print-directory
FLAVOUR ?= release
B       ?= build/$(FLAVOUR)

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
# the system's, unless all of it goes to another place, as a user's own
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),,$(PREFIX))/etc
# what the service manager and the desktop read
UNITDIR     ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR  ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d
APPLICATIONSDIR ?= $(DATADIR)/applications
# what shells complete, made by a program that is built for it; who builds for another machine names a folder of them
COMPLETIONS ?= $B/completions
# how llmb finds the library beside it; a packager sets it empty
RPATH      ?= -Wl,-rpath,'$$ORIGIN/../lib'

OBJCOPY    ?= objcopy
PKG_CONFIG ?= pkg-config
PYTHON     ?= /usr/bin/python3
# how long fuzz-smoke spends on each row of the plan
SECONDS    = 60
SEED       =
ifeq ($(FLAVOUR),fuzz)
CC         = clang
endif

# --- flags

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla \
	-Wnull-dereference

x86       := $(filter x86_64% i386% i486% i586% i686%,$(shell $(CC) -dumpmachine 2>/dev/null))
# who says how much is checked is believed
fortify   := $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
hardening := $(fortify) -fstack-protector-strong -fstack-clash-protection \
	$(if $(x86),-fcf-protection)

flags.release  := -O2 -g $(hardening)
flags.coredump := $(flags.release) -DBROKER_PERMIT_CORE
# what is counted, by valgrind or by a library loaded before it, runs in the open and is the same code otherwise
flags.counted  := $(flags.release) -DBROKER_UNCONFINED
# sanitizers and valgrind have a heap of their own, and do what a confined process may not
observed       := -DBROKER_PLAIN_HEAP -DBROKER_UNCONFINED -fno-omit-frame-pointer
flags.debug    := -O1 -g3 $(observed)
flags.asan     := -O1 -g $(observed) -fno-sanitize-recover=all
flags.tsan     := -O1 -g $(observed)
flags.fuzz     := $(flags.asan)
flags.coverage := -O0 -g $(observed) -include tests/lib/coverage_exit.h
sanitize.asan  := -fsanitize=address,undefined
sanitize.tsan  := -fsanitize=thread
sanitize.fuzz  := -fsanitize=fuzzer-no-link,address,undefined
sanitize.coverage := --coverage -fprofile-update=atomic

ifeq ($(flags.$(FLAVOUR)),)
$(error no flavour is called "$(FLAVOUR)": it is one of release, debug, asan, tsan, fuzz, coverage, coredump, counted)
endif
sanitize := $(sanitize.$(FLAVOUR))
# a sanitizer's own branches make the compiler warn of paths that nobody wrote
werror   := $(if $(sanitize),,$(if $(filter 1 true yes,$(CI) $(WERROR)),-Werror))

# Asked when first needed, for `make check` installs what is missing before it builds anything.
once    = $(if $(filter undefined,$(origin asked_$1)),$(eval asked_$1 := $(shell $2)))$(asked_$1)
msgpack = $(call once,msgpack,$(PKG_CONFIG) --exists msgpack-c && echo msgpack-c || echo msgpack)
packages = libcurl libcjson libsodium libcrypto libseccomp sqlite3 $(msgpack)
includes = $(call once,includes,$(PKG_CONFIG) --cflags $(packages))
libs     = $(call once,libs,$(PKG_CONFIG) --libs $(packages)) -lev -lm -pthread
libs_bridge = $(call once,libs_bridge,$(PKG_CONFIG) --libs libmicrohttpd) -lev
libs_msgpack = $(call once,libs_msgpack,$(PKG_CONFIG) --libs $(msgpack))

# the event loops that llmclient-LOOP.h is tried with; libev is here for the broker's sake already
loops       := ev $(shell $(PKG_CONFIG) --exists glib-2.0 2>/dev/null && echo glib) \
	$(shell $(PKG_CONFIG) --exists libuv 2>/dev/null && echo uv)
package.glib = glib-2.0
package.uv   = libuv
libs_loop    = $(if $(package.$1),$(call once,libs.$1,$(PKG_CONFIG) --libs $(package.$1)),-lev)
# their headers are not ours to warn of
includes_loop = $(if $(package.$1),$(patsubst -I%,-isystem %,$(call once,includes.$1,$(PKG_CONFIG) --cflags $(package.$1))))
includes_loops = $(foreach loop,$(loops),$(call includes_loop,$(loop)))

compile = $(CC) -std=c11 -D_GNU_SOURCE -I. -Ilibllmclient/include $(includes) $(includes_own) \
	-DLLM_BROKER_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. $(warnings) $(werror) \
	$(flags.$(FLAVOUR)) $(sanitize) -pthread $(CPPFLAGS) $(CFLAGS)
ldflags = $(flags.$(FLAVOUR)) $(sanitize) -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

# --- what there is

sources       = $(sort $(foreach dir,$1,$(wildcard $(dir)/*.c $(dir)/*/*.c $(dir)/*/*/*.c)))
objects       = $(patsubst %.c,$B/obj/%.o,$1)
pic_objects   = $(patsubst %.c,$B/obj-pic/%.o,$1)

protocol_src := $(call sources,protocol)
base_src     := $(filter protocol/base/%,$(protocol_src))
brokerd_src  := $(call sources,brokerd)
client_src   := $(call sources,libllmclient/src)
cli_src      := $(call sources,libllmclient/cli)
agent_src    := $(call sources,libllmclient/agent)
bridge_src   := $(call sources,libllmclient/bridge)
absent       := $(filter-out $(loops),ev glib uv)
example_src  := $(filter-out $(absent:%=libllmclient/examples/loop_%.c),$(sort $(wildcard libllmclient/examples/*.c)))
unit_src     := $(filter-out $(absent:%=tests/unit/test_client_%.c),$(sort $(wildcard tests/unit/test_*.c)))
fuzz_src     := $(sort $(wildcard tests/fuzz/fuzz_*.c))
bench_src    := $(sort $(wildcard tests/bench/*.c))
golden_src   := $(sort $(wildcard tests/golden/*.c))
writer_src   := $(sort $(wildcard packaging/completions/*.c))
tool_src     := $(sort $(wildcard tests/tool/*.c))
story_src    := $(sort $(wildcard tests/story/*.c))
wrap_src     := $(sort $(wildcard tests/wrap/*.c))
count_src    := $(sort $(wildcard tests/count/*.c))
# these stand in for brokerd's own modules
virtual_src  := $(sort $(wildcard tests/lib/*_virtual.c tests/lib/*_inline.c tests/lib/*_scripted.c))
testlib_src  := $(filter-out $(virtual_src) tests/lib/tap.c,$(sort $(wildcard tests/lib/*.c)))

all_src      := $(protocol_src) $(brokerd_src) $(client_src) $(cli_src) $(agent_src) $(bridge_src) \
	$(example_src) $(writer_src) \
	$(filter-out $(absent:%=tests/unit/test_client_%.c),$(sort $(wildcard tests/*/*.c)))

programs     := $B/bin/llm-brokerd $B/bin/llmb $B/bin/llm-broker-agent $B/bin/llm-broker-bridge
tool         := $B/bin/dialect
soname       := libllmclient.so.1
realname     := $(soname).0.0
shared       := $B/lib/libllmclient.so
completed    := llmb llm-brokerd llm-broker-agent llm-broker-bridge
completions  := $(completed:%=bash/%) $(completed:%=zsh/_%) $(completed:%=fish/%.fish)
examples     := $(patsubst libllmclient/examples/%.c,$B/examples/%,$(example_src))
unit_tests   := $(patsubst tests/unit/%.c,$B/tests/%,$(unit_src))
fuzzers      := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(fuzz_src))
benches      := $(patsubst tests/bench/%.c,$B/bench/%,$(bench_src))
golden       := $(if $(golden_src),$B/tests/golden)
story        := $(if $(story_src),$B/tests/story)
wraps        := $(patsubst tests/wrap/%.c,$B/tests/%,$(wrap_src))

.PHONY: all
all: $(programs) $(tool) $(shared) $B/lib/libllmclient.a examples $(completions:%=$(COMPLETIONS)/%)

.PHONY: examples unit-tests tests benches
examples: $(examples)
unit-tests: $(unit_tests)
tests: unit-tests $(golden) $(story) $(wraps)
benches: $(benches)

# --- compile

# one short line for each file; make V=1 shows the commands
say = $(if $(V),,@printf '  %-8s %s\n' $1 $@;)

# Changes when a flag does, so that nothing is linked from objects built otherwise.
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo $(compile) $(ldflags) | cmp -s - $@ || echo $(compile) $(ldflags) >$@

# private: what they are made from has to do without
define of_loop
$B/obj/tests/unit/test_client_$1.o $B/obj/libllmclient/examples/loop_$1.o: private includes_own = $(call includes_loop,$1)
$B/tests/test_client_$1 $B/examples/loop_$1: private libs_own = $(call libs_loop,$1)
endef
$(foreach loop,$(loops),$(eval $(call of_loop,$(loop))))

# Changes when a source comes or goes, or how to link: no archive keeps what has no source.
$B/links: FORCE
	@mkdir -p $(@D)
	@echo $(RPATH) $(libs) $(all_src) | cmp -s - $@ || echo $(RPATH) $(libs) $(all_src) >$@

$B/obj/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,compile)$(compile) -fPIE -MMD -MP -c -o $@ $<

$B/obj-pic/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,compile)$(compile) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(all_src)) \
	$(call pic_objects,$(protocol_src) $(client_src) $(count_src)))

# --- link

inputs = $(filter %.o %.a,$^)

$B/obj/protocol.a: $(call objects,$(protocol_src)) $B/links
$B/obj/brokerd.a: $(call objects,$(filter-out brokerd/main.c,$(brokerd_src))) $B/links
$B/obj/cli.a: $(call objects,$(filter-out libllmclient/cli/main.c,$(cli_src))) $B/links
$B/obj/bridge.a: $(call objects,$(filter-out libllmclient/bridge/main.c,$(bridge_src))) $B/links
$B/obj/client.a: $(call pic_objects,$(client_src) $(protocol_src)) $B/links
$B/obj/testlib.a: $(call objects,$(testlib_src)) $B/links
$B/obj/virtual.a: $(call objects,$(virtual_src)) $B/links
$B/obj/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,archive)$(AR) rcsD $@ $(inputs)

$B/bin/llm-brokerd: $(call objects,$(brokerd_src) $(protocol_src)) $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie -o $@ $(inputs) $(libs)

$B/lib/$(realname): libllmclient/src/llmclient.map
$B/lib/$(realname): $(call pic_objects,$(client_src) $(protocol_src)) $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -shared -Wl,-soname,$(soname) \
		-Wl,--version-script=libllmclient/src/llmclient.map \
		$(if $(sanitize),,-Wl,-z,defs) -o $@ $(inputs) $(libs_msgpack)

$(shared): $B/lib/$(realname)
	@ln -sf $(realname) $B/lib/$(soname)
	@ln -sf $(soname) $@

# One object whose only names are the public ones: the protocol's are not a user program's to meet.
$B/lib/libllmclient.a: $(call pic_objects,$(client_src) $(protocol_src)) $B/links
	@mkdir -p $(@D)
	@mkdir -p $B/obj
	@rm -f $@
	$(call say,archive)$(LD) -r -o $B/obj/libllmclient.o $(inputs) && \
		$(OBJCOPY) --localize-hidden $B/obj/libllmclient.o && \
		$(AR) rcsD $@ $B/obj/libllmclient.o

$B/bin/llmb: $(call objects,$(cli_src) $(base_src)) $B/links | $(shared)
$B/bin/llm-broker-agent: $(call objects,$(agent_src) $(base_src)) $B/links | $(shared)
$B/bin/llm-broker-bridge: $(call objects,$(bridge_src) $(base_src)) $B/links | $(shared)
$B/bin/llm-broker-bridge: libs_own = $(libs_bridge)
$B/bin/llmb $B/bin/llm-broker-agent $B/bin/llm-broker-bridge:
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie $(RPATH) -o $@ $(inputs) -L$B/lib -lllmclient $(libs_own)

$(examples): $B/examples/%: $B/obj/libllmclient/examples/%.o $B/links | $(shared)
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie $(RPATH) -o $@ $< -L$B/lib -lllmclient $(libs_own)

# Left to right: what stands before an archive takes the place of what is in it. A unit test gets
# the virtual clock and the scripted transport by including their headers.
tap           := $B/obj/tests/lib/tap.o
organs        := $B/obj/brokerd.a $B/obj/protocol.a
client_tests  := $(filter $B/tests/test_client_%,$(unit_tests))
virtual_tests := $(patsubst tests/unit/%.c,$B/tests/%,$(filter-out tests/unit/test_client_%, \
	$(shell grep -lsE 'tests/lib/[a-z_]+_(virtual|scripted)\.h' $(unit_src) /dev/null)))
plain_tests   := $(filter-out $(client_tests) $(virtual_tests),$(unit_tests))

cli_tests     := $(patsubst tests/unit/%.c,$B/tests/%,$(shell grep -ls 'libllmclient/cli/[a-z_]*\.h' $(unit_src) /dev/null))
# of the bridge, what knows nothing of HTTP
bridge_tests  := $(filter $B/tests/test_bridge_%,$(unit_tests))

$(unit_tests): $B/tests/%: $B/obj/tests/unit/%.o $(tap) $B/obj/testlib.a
$(cli_tests): $B/obj/cli.a $B/obj/client.a
$B/tests/test_shown: $B/obj/libllmclient/bridge/shown.o
$(bridge_tests): $B/obj/bridge.a
$B/tests/golden: $(call objects,$(golden_src)) $(tap) $B/obj/testlib.a $(organs)
$B/tests/story: $(call objects,$(story_src) $(virtual_src)) $(tap) $B/obj/testlib.a $(organs)
$(client_tests): $B/obj/client.a
$(virtual_tests): $B/obj/virtual.a $(organs)
$(plain_tests): $(organs)
# the developer's tool, for whoever works on a dialect; not installed
$(tool): $(call objects,$(tool_src)) $B/obj/testlib.a $(organs)
$(unit_tests) $(golden) $(story) $(tool):
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie -o $@ $(inputs) $(libs) $(libs_own)

# from the tables by which the programs read their options
writer := $B/completions/write
$(writer): $(call objects,$(writer_src)) $B/obj/cli.a $B/obj/client.a $B/obj/brokerd.a $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie -o $@ $(inputs) $(libs)

# SHELL NAME PROGRAM: the shell's own part, and what it reads
define completion
$B/completions/$1/$2: packaging/completions/$1.in $(writer)
	@mkdir -p $$(@D)
	$$(call say,write)sed 's|@PROGRAM@|$3|g; s|@FN@|__$(subst -,_,$3)|g' $$< >$$@ && $(writer) $1 $3 >>$$@
endef
$(foreach program,$(completed),$(eval $(call completion,bash,$(program),$(program))) \
	$(eval $(call completion,zsh,_$(program),$(program))) $(eval $(call completion,fish,$(program).fish,$(program))))

# what end-to-end tests put around a program, or into a sandbox: it needs no file but itself, and so has no sanitizer
ifeq ($(sanitize),)
$(wraps): $B/tests/%: tests/wrap/%.c $B/lib/libllmclient.a
	@mkdir -p $(@D)
	$(call say,link)$(CC) -std=c11 -D_GNU_SOURCE -Ilibllmclient/include -O2 $(warnings) $(werror) \
		-static -o $@ $< $B/lib/libllmclient.a $(libs_msgpack)
else
# made once for all of them, for two makes in one folder would be in each other's way
$(wraps): $B/wraps
$B/wraps: $(wrap_src) FORCE
	@mkdir -p $B/tests
	@$(MAKE) FLAVOUR=release B=build/release CC=cc $(patsubst $B/%,build/release/%,$(wraps))
	@cp -p $(patsubst $B/%,build/release/%,$(wraps)) $B/tests/
	@touch $@
endif

# what end-to-end tests load before the C library
$B/tests/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(call say,link)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g $(warnings) $(werror) -shared -fPIC -o $@ $<

# left to right here, too
$B/fuzz/fuzz_broker: $(call objects,$(patsubst %,tests/story/%.c,world caller rows) $(virtual_src)) $(tap)
$(fuzzers): $B/fuzz/%: $B/obj/tests/fuzz/%.o $B/obj/testlib.a
$B/fuzz/fuzz_client: $B/obj/client.a
$B/fuzz/fuzz_csv: $B/obj/cli.a $B/obj/client.a
$B/fuzz/fuzz_bridge: $B/obj/bridge.a
$(fuzzers): $(organs)
$(fuzzers):
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fsanitize=fuzzer -o $@ $(inputs) $(libs)

$(benches): $B/bench/%: $B/obj/tests/bench/%.o $B/obj/testlib.a $(organs) $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie -o $@ $(inputs) $(libs)

# loaded before a daemon that is counted
$B/bench/counting.so: $(call pic_objects,$(count_src)) $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -shared -o $@ $(inputs)

# --- test

# What the tests are told: where the programs are; RECORDINGS=DIR, recorded exchanges, if any.
export LLMB_BIN_DIR = $(abspath $B/bin)
export PYTHONDONTWRITEBYTECODE = 1
export ASAN_OPTIONS ?= detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1:suppressions=$(abspath tests/race/tsan.supp)

# Each is a name and a command for count.py, which sums up and lets none pass that ran no check.
run_count   = count $(PYTHON) tests/lib/count.py --self-test
run_lint    = lint $(PYTHON) tests/lint/lint.py --self-test
run_library = library env CC='$(CC)' prove --exec sh tests/lint/library.sh tests/lint/whole_program.sh :: $B
# $(under) goes before each program, inside of its bound in time
LIMIT       = 120
# half of their time is waiting; what is watched is slow enough by itself
PROVE_JOBS  ?= $(if $(sanitize)$(under),1,2)
run_unit    = unit prove -j $(PROVE_JOBS) --exec '$(strip timeout $(LIMIT) $(under))' $(filter-out $(unsuited),$(unit_tests))
run_golden  = golden prove -j $(PROVE_JOBS) --exec '$(strip timeout 600 $(under))' $(golden) \
	$(if $(golden),tests/golden/edges.py tests/golden/legal.py tests/golden/loops.py \
		tests/recordings/replay.py tests/recordings/requests.py tests/recordings/alike.py \
		tests/recordings/translate.py tests/recordings/forward.py tests/recordings/answers.py \
		tests/recordings/retell.py tests/recordings/bills.py tests/recordings/estimates.py)
run_story   = story prove --exec '$(strip timeout 300 $(under))' $(story)
# most of their time is waiting; a file stays on one process
E2E_JOBS   ?= $(if $(sanitize),2,4)
run_e2e     = e2e $(PYTHON) -m pytest -q -p no:cacheprovider -n $(E2E_JOBS) --dist loadfile $(PYTEST) tests/e2e
run_security = security $(PYTHON) -m pytest -q -p no:cacheprovider -m security $(PYTEST) tests/e2e
count       = $(PYTHON) tests/lib/count.py

# many at once, unless the caller said how many
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: check try
check:
	packaging/deps.sh
	$(MAKE) $(jobs) all tests
	$(MAKE) check-built

try:
	packaging/deps.sh
	$(MAKE) $(jobs) all
	tests/lib/try.sh

.PHONY: check-built check-lint check-library check-unit check-golden check-story check-e2e
check-built: all tests
	@$(count) $(run_count) -- $(run_lint) -- $(run_library) -- $(run_unit) -- $(run_golden) -- \
		$(run_story) -- $(run_e2e)
check-library: all
check-unit: unit-tests
check-golden: $(golden) $(tool)
check-story: $(story)
check-e2e: all $(wraps)
check-lint check-library check-unit check-golden check-story check-e2e: check-%:
	@$(count) $(run_$*)

.PHONY: check-run
check-run: all tests
	@$(count) $(run_unit) -- $(run_golden) -- $(run_story) -- $(run_e2e)

# Lines and branches, by folder, that units, golden files, stories and end-to-end tests run; the folders that have a floor must
# reach it.
.PHONY: coverage
coverage:
	$(MAKE) FLAVOUR=coverage $(jobs) all tests
	find build/coverage -name '*.gcda' -delete
	$(MAKE) FLAVOUR=coverage check-run
	$(PYTHON) tests/lib/coverage.py build/coverage --json build/coverage.json

# The test plan as a table, into tests/RELIABILITY.md. PLAN='--seconds 3600' is how long each row of fuzzers runs; --long takes
# hours, for it makes what needs a build of its own; or some numbers: PLAN='T-51 F-01'
.PHONY: reliability
reliability: all tests
	$(MAKE) FLAVOUR=debug $(jobs) all build/debug/tests/scarce.so
	$(MAKE) FLAVOUR=coredump $(jobs) all
	$(MAKE) FLAVOUR=fuzz $(jobs) fuzzers
	$(PYTHON) tests/plan/plan.py $(PLAN)

.PHONY: asan asan-build tsan tsan-smoke tsan-build coredump valgrind
asan:
	$(MAKE) FLAVOUR=$@ $(jobs) all tests
	$(MAKE) FLAVOUR=$@ check-run

# A report ends the process that it is about, whose test fails by that. tsan: all units and end-to-end tests; tsan-smoke: the units
# that start threads themselves, and end-to-end what gives the workers most to do. What asks for all the memory there is, or
# forks thousands of times to be killed, does so in vain there.
unsuited.tsan = $(addprefix $B/tests/test_,arena buf secret vault)
threaded   = $(patsubst tests/unit/%.c,$B/tests/%,$(shell grep -lE 'workers_new|pthread_create' tests/unit/*.c))
run_races  = unit prove -j2 --exec 'timeout 120' $(filter-out $(unsuited.tsan),$(threaded))
run_worked = e2e $(PYTHON) -m pytest -q -p no:cacheprovider -n 3 --dist load $(PYTEST) \
	$(addprefix tests/e2e/test_,$(addsuffix .py,ledger cache killed vault lifecycle tail passed_fds))
tsan: tsan-build
	$(MAKE) FLAVOUR=tsan PROVE_JOBS=2 E2E_JOBS=3 unsuited='$$(unsuited.tsan)' check-threads
tsan-smoke: tsan-build
	$(MAKE) FLAVOUR=tsan check-races
tsan-build:
	$(MAKE) FLAVOUR=tsan $(jobs) all tests build/tsan/tests/race
	@build/tsan/tests/race >build/tsan/race.log 2>&1; test $$? = 66 || \
		{ echo 'tsan: a race on purpose is not seen: what passes here says nothing'; cat build/tsan/race.log; exit 1; }
.PHONY: check-threads check-races
check-threads:
	@$(count) $(run_unit) -- $(run_e2e)
check-races:
	@$(count) $(run_races) -- $(run_worked)
$B/tests/race: $B/obj/tests/race/race.o $B/links
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -fPIE -pie -o $@ $(inputs) -pthread

asan-build:
	$(MAKE) FLAVOUR=asan all tests
coredump:
	$(MAKE) FLAVOUR=$@ all

# The end-to-end tests that look for a way in, or for a key that got out: in memory, traces, files and the
# core of a build that permits one. LLMB_ROUNDS=1000: how often they race the daemon's start.
.PHONY: check-security check-core
check-security: all $(wraps)
	$(MAKE) FLAVOUR=coredump $(jobs) all
	@$(count) $(run_security)
check-core: coredump
	$(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_canary.py -k core

# LLMB_WRAP: what the end-to-end tests put before llm-brokerd; of these, the ones marked for it.
# Tests that ask for all the memory there is, or fork to be killed, say nothing there; what execs itself would exec
# valgrind, and Debian's knows no pidfd_open.
unsuited.valgrind = $(addprefix $B/tests/test_,arena behalf buf cache_order cache_scope doubt journal journal_kill journal_step secret source vault)
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
valgrind:
	$(MAKE) FLAVOUR=debug $(jobs) all tests
	LLMB_WRAP='$(VALGRIND)' $(MAKE) FLAVOUR=debug under='$(VALGRIND)' LIMIT=300 unsuited='$$(unsuited.valgrind)' \
		PYTEST='-m valgrind' check-run

# The official SDKs, through the bridge to the scripted provider. They are installed into build/sdk by npm and pip, at the
# versions that tests/sdk pins; where they cannot be, their tests are skipped.
tools_tests = tests/sdk/test_tools.py tests/sdk/test_agents.py tests/sdk/test_libraries.py
run_sdk = sdk $(PYTHON) -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup $(PYTEST) \
	$(tools_tests:%=--ignore %) tests/sdk
.PHONY: check-sdk
check-sdk: export LLMB_SDK_DIR = $(abspath build/sdk)
check-sdk: all
	@$(PYTHON) tests/sdk/install.py $(LLMB_SDK_DIR) node python
	@$(count) $(run_sdk)

# Claude Code, Codex and other agents (1.5 GB from npm), and libraries that stand on the SDKs, in a network that leads nowhere.
run_tools = tools $(PYTHON) tests/sdk/alone.py $(PYTHON) -m pytest -q -p no:cacheprovider -n 4 $(PYTEST) $(tools_tests)
.PHONY: check-tools
check-tools: export LLMB_SDK_DIR = $(abspath build/sdk)
check-tools: all
	@$(PYTHON) tests/sdk/install.py $(LLMB_SDK_DIR) tools agents libraries
	@$(count) $(run_tools)

# Load and kill -9, so many times; 40 of them are among the end-to-end tests. LLMB_SEED=N repeats a run.
# Streams by the bridge, as many as it is made for (500; some do not read, some vanish), 10,000 connections, and callers so slow that
# they are not waited for. With fewer of them, and without the last, among the end-to-end tests.
.PHONY: bridge-load
bridge-load: all
	LLMB_LONG=1 LLMB_TEST_TIMEOUT=300 $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_bridge_load.py \
		tests/e2e/test_bridge_hostile.py -k 'very_many or not_waited_for or never_reads'

# Memory runs out at each of so many allocations, alone and for good, and by chance for so many seconds.
.PHONY: scarce
scarce: ALLOCATIONS = 60
scarce: FOR = 5
scarce:
	$(MAKE) FLAVOUR=debug $(jobs) all build/debug/tests/scarce.so
	@LLMB_BIN_DIR=$(abspath build/debug/bin) LLMB_SCARCE_RUNS=$(ALLOCATIONS) LLMB_SCARCE_SECONDS=$(FOR) LLMB_TEST_TIMEOUT=580 \
		$(count) scarce $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST) tests/e2e/test_scarce.py

.PHONY: crash
ROUNDS = 2000
crash: all
	LLMB_ROUNDS=$(ROUNDS) LLMB_TEST_TIMEOUT=$$((60 + 4 * $(ROUNDS))) \
		$(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_killed.py

# Mixed traffic of which one answer in a hundred is spoilt, for MINUTES=10 or REQUESTS=1000000:
# does anything grow, stall or stay behind, and is the ledger the provider's own bill?
.PHONY: soak
MINUTES = 10
soak: all $B/bench/load $B/bench/upstream
	LLMB_BENCH_DIR=$(abspath $B/bench) $(PYTHON) tests/soak/soak.py --minutes $(MINUTES) \
		$(if $(REQUESTS),--requests $(REQUESTS) --json build/soak.json)

# What `make check` shows of routes in short, at length; then what choosing and watching them costs. About ten minutes.
# ROUTE='mix': only some of these. LLMB_MIX_SEED=WORD makes another run of the mix.
.PHONY: check-route
ROUTE = mix keys rates dead
check-route: all $B/bench/route $B/bench/health
	@set -e; for each in $(ROUTE); do case $$each in \
		mix)   long='LLMB_MIX=10000 LLMB_TEST_TIMEOUT=590' ;; \
		keys)  long='LLMB_DOWN=60 LLMB_TEST_TIMEOUT=200' ;; \
		rates) long='LLMB_RATES=1500 LLMB_TEST_TIMEOUT=300' ;; \
		dead)  long='LLMB_DEAD=60 LLMB_TEST_TIMEOUT=300' ;; \
		*)     echo "check-route: $$each is none of mix, keys, rates, dead"; exit 2 ;; esac; \
		echo "$$long tests/e2e/test_route_$$each.py"; \
		env $$long $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e/test_route_$$each.py; done
	$B/bench/route
	$B/bench/health

.PHONY: fuzz fuzz-smoke fuzzers
fuzzers: $(fuzzers)
fuzz:
	$(MAKE) FLAVOUR=fuzz $(jobs) fuzzers

# SECONDS for each row of the plan (tests/plan/rows.py), whose programs share them; SEED=1: the same inputs each time.
fuzz-smoke: fuzz
	@$(PYTHON) -B tests/plan/fuzzers.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: bench golden
# BENCH='--quick --json FILE'
bench: all $(benches)
	LLMB_BENCH_DIR=$(abspath $B/bench) $(PYTHON) tests/bench/run.py $(BENCH)
	$B/bench/dialects $(BENCH_DIALECTS)
	$B/bench/relay $(BENCH_RELAY)
	$B/bench/audit
	$B/bench/limit
	$B/bench/limits
	$B/bench/route
	$B/bench/health
	$B/bench/cache

.PHONY: bench-dialects bench-relay bench-bridge
# beside nginx, where that is installed, and a gateway:
# BENCH_BRIDGE='--gateway node /path/to/start-server.js --headless --port={port}'
bench-bridge: all $B/bench/direct $B/bench/upstream
	LLMB_BENCH_DIR=$(abspath $B/bench) $(PYTHON) tests/bench/bridge.py $(BENCH_BRIDGE)
bench-dialects: $B/bench/dialects
	$B/bench/dialects $(BENCH_DIALECTS)
# BENCH_RELAY='--rounds 21 --only delta'
bench-relay: $B/bench/relay
	$B/bench/relay $(BENCH_RELAY)

# What runs in the open: a daemon that valgrind, perf and a library loaded before it can look into, else release's.
.PHONY: counted
counted:
	@$(MAKE) FLAVOUR=counted B=build/counted $(addprefix build/counted/,bin/llm-brokerd bench/counting.so)

# The bars that are ratios on any machine, into tests/bench/RESULTS.md: ROUNDS=5, or BARS='4b 13' alone, to the terminal.
# Where there is an nginx, it is the plain proxy beside; where `make bench-peers` has installed one, a gateway, too.
.PHONY: bench-results bench-peers check-bench
bench_here = LLMB_BENCH_DIR=$(abspath $B/bench) $(PYTHON) tests/bench
said       = $(if $(filter command environment,$(firstword $(origin $1))),$($1))
bench-results: all benches counted
	$(MAKE) FLAVOUR=debug $(jobs) build/debug/bin/llm-brokerd
	$(bench_here)/bars.py $(if $(call said,ROUNDS),--rounds $(ROUNDS)) \
		$(if $(BARS),--only $(BARS),--out tests/bench/RESULTS.md --json build/bars.json)
# The gateways that npm, pip, go and apt have, beside the bridge. BENCH_PEERS='--quick --only nginx portkey'
bench-peers: all benches
	@mkdir -p build/peers
	$(bench_here)/peers.py $(if $(call said,ROUNDS),--rounds $(ROUNDS)) $(BENCH_PEERS)
# The same in short: is the table whole, whatever it says?
run_bench = bench $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST) tests/bench
check-bench: export LLMB_BENCH_DIR = $(abspath $B/bench)
check-bench: all benches counted
	@$(count) $(run_bench)

# Instructions, allocations and system calls of a call: is one of them more than tests/bench/cost.json says? There they stand
# for each set of libraries; cost-rewrite writes them for this one, and the difference is for a person to review.
.PHONY: check-cost cost-rewrite perf
check-cost: all benches counted
	$(bench_here)/cost.py
cost-rewrite: all benches counted
	$(bench_here)/cost.py --rewrite
	@git --no-pager diff tests/bench/cost.json 2>/dev/null || true
# A flame graph of calls into build/flame.svg. PERF='--kind stream --seconds 10', or hit, relayed, translated; --callgrind
perf: all benches counted
	$(bench_here)/flame.py $(PERF)

# Writes anew what the golden files expect; the difference is for a person to review.
golden: $(golden)
	$(golden) --rewrite
	@git --no-pager diff --stat tests/golden 2>/dev/null || true

# Writes anew what manual pages have from the tables of options and of the configuration.
.PHONY: manual
manual: $(writer)
	@$(PYTHON) tests/lib/manual.py --rewrite

# --- look at the sources

formatted = $(shell find protocol brokerd libllmclient packaging tests -name '*.[ch]' 2>/dev/null)

.PHONY: lint format format-check tidy iwyu
lint:
	@$(PYTHON) tests/lint/lint.py --self-test
format:
	@clang-format -i $(formatted)
format-check:
	@clang-format --dry-run -Werror $(formatted)
tidy:
	printf '%s\n' $(all_src) | xargs -P $$(nproc) -I FILE clang-tidy --quiet FILE -- \
		$(filter-out $(CC) -f%,$(compile)) $(includes_loops)
iwyu:
	printf '%s\n' $(all_src) | xargs -I FILE include-what-you-use -Xiwyu --error \
		$(filter-out $(CC) -f%,$(compile)) $(includes_loops) FILE

# --- install

# an administrator's own: what is there stays
conf    = $(SYSCONFDIR)/llm-broker
man_src = $(if $(shell command -v scdoc),$(wildcard packaging/man/*.scd))
into    = @install -d -m 0755 $(DESTDIR)$1 && install -m $2 $3 $(DESTDIR)$1/ && \
	printf '  install  %s\n' $(addprefix $(DESTDIR)$1/,$(notdir $3))
unless_there = $(if $(wildcard $(DESTDIR)$1/$(notdir $2)),@echo '  keep     $(DESTDIR)$1/$(notdir $2)',$(call into,$1,0644,$2))

define into_library
	$(call into,$(LIBDIR),0644,$B/lib/$(realname) $B/lib/libllmclient.a)
	@ln -sf $(realname) $(DESTDIR)$(LIBDIR)/$(soname)
	@ln -sf $(soname) $(DESTDIR)$(LIBDIR)/libllmclient.so
	$(call into,$(INCLUDEDIR),0644,$(sort $(wildcard libllmclient/include/*.h)))
	@sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|; s|@MSGPACK@|$(msgpack)|' packaging/llmclient.pc.in >$B/llmclient.pc
	$(call into,$(LIBDIR)/pkgconfig,0644,$B/llmclient.pc)
endef

# What a program that brings the library along needs, in a Flatpak for one: it is built with msgpack-c and uthash alone.
.PHONY: install-library
install-library: $(shared) $B/lib/libllmclient.a
	$(into_library)

.PHONY: install
install: all
	$(call into,$(BINDIR),0755,$B/bin/llmb)
	$(call into,$(BINDIR),0755,$B/bin/llm-broker-agent)
	$(call into,$(BINDIR),0755,$B/bin/llm-broker-bridge)
	$(call into,$(BINDIR),0711,$B/bin/llm-brokerd)
	$(into_library)
	$(foreach unit,$(wildcard packaging/systemd/system/*.s*),$(call unit_into,$(UNITDIR),$(unit))$(newline))
	$(foreach unit,$(wildcard packaging/systemd/user/*.s*),$(call unit_into,$(USERUNITDIR),$(unit))$(newline))
	$(call into,$(SYSUSERSDIR),0644,$(wildcard packaging/sysusers/*.conf))
	$(call into,$(TMPFILESDIR),0644,$(wildcard packaging/tmpfiles/*.conf))
	$(call unless_there,$(conf),packaging/conf/broker.conf)
	$(call unless_there,$(conf)/broker.conf.d,packaging/conf/broker.conf.d/90-policy.conf)
	$(call into,$(APPLICATIONSDIR),0644,$(wildcard packaging/applications/*.desktop))
	$(call into,$(BASHCOMPDIR),0644,$(completed:%=$(COMPLETIONS)/bash/%))
	$(call into,$(ZSHCOMPDIR),0644,$(completed:%=$(COMPLETIONS)/zsh/_%))
	$(call into,$(FISHCOMPDIR),0644,$(completed:%=$(COMPLETIONS)/fish/%.fish))
	$(foreach page,$(man_src),$(call man,$(notdir $(basename $(page))),$(page))$(newline))
	$(if $(man_src),,@printf '  %s\n' 'there is no scdoc: the manual pages are left out')

# The Python module, into the folder that PYTHON looks into, or PYTHONDIR=; a program needs only the library beside it.
PYTHONDIR ?= $(call once,pythondir,$(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python_src = $(wildcard libllmclient/python/src/llmclient/*.py) libllmclient/python/src/llmclient/py.typed
.PHONY: install-python
install-python:
	$(call into,$(PYTHONDIR)/llmclient,0644,$(python_src))
	@mkdir -p $B
	@printf 'Metadata-Version: 2.1\nName: llmclient\nVersion: $(VERSION)\nRequires-Python: >=3.11\n' >$B/METADATA
	$(call into,$(PYTHONDIR)/llmclient-$(VERSION).dist-info,0644,$B/METADATA)

# packaging/systemd/KIND/NAME, in which @BINDIR@ and @SYSCONFDIR@ stand for where the programs and their settings are
unit_into = @install -d -m 0755 $(DESTDIR)$1 && install -m 0644 $2 $(DESTDIR)$1/ && \
	sed -i 's|@BINDIR@|$(BINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' $(DESTDIR)$1/$(notdir $2) && \
	printf '  install  %s\n' $(DESTDIR)$1/$(notdir $2)

# packaging/man/NAME.SECTION.scd
man = @install -d $(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$1)) && \
	scdoc <$2 >$(DESTDIR)$(MANDIR)/man$(lastword $(subst ., ,$1))/$1
define newline


endef

# --- packages

# Debian's, of what was committed, into build/deb. packaging/rpm and packaging/arch make others' by the same `make install`.
.PHONY: deb deb-check check-packaging
deb:
	packaging/deb.sh $(VERSION) build/deb
# Do two builds in folders of different names give the same bytes, with all that hardens them? Some minutes.
deb-check:
	@$(count) reproducible prove --exec sh tests/packaging/reproducible.sh :: $(VERSION) build/deb-check
# Is each file that `make install` gives in one package of every kind?
check-packaging: all
	@$(count) packaging $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST) tests/packaging

# Do they do in a booted Debian what they are for? As root; SUITE=trixie is another than this host's, for which they are built
# anew. DEBS=build/deb: those, and not what was committed last. With -qemu the suite's own kernel runs it, without KVM.
SUITE  =
DEBS   =
run_system = system $(PYTHON) tests/system/boot.py $(if $(SUITE),--suite $(SUITE)) $1 $(or $(DEBS),build/deb) $(PYTEST)
.PHONY: check-system check-system-qemu packages-there
check-system: packages-there
	@$(count) $(call run_system)
check-system-qemu: packages-there
	@$(count) $(call run_system,--qemu)
packages-there:
	$(if $(DEBS),,packaging/deb.sh --no-lintian $(VERSION) build/deb)

# --- the rest

.PHONY: clean help FORCE
clean:
	rm -rf build

help:
	@echo 'make               builds everything into build/release'
	@echo 'make try           installs what is needed, builds, and shows it at work offline'
	@echo 'make check         installs what is needed, builds, and runs every test that needs no root'
	@echo 'make check-GROUP   runs one of lint, library, unit, golden, story, e2e'
	@echo 'make asan|tsan|valgrind   builds another way and runs the tests so; tsan-smoke: those that have threads'
	@echo 'make coverage      which lines and branches the tests run; fails below 90 of 100 where it matters'
	@echo 'make reliability   the test plan as a table, tests/RELIABILITY.md; an hour, or PLAN="--seconds 10", "--long", "T-51"'
	@echo 'make check-security   looks for ways in and for keys that got out; as root it can do more'
	@echo 'make check-sdk     runs the official SDKs through the bridge; installs them by npm and pip if it can'
	@echo 'make check-tools   the same with Claude Code, Codex and other programs'
	@echo 'make fuzz-smoke    fuzzes what the plan names, SECONDS=60 a row; SEED=1: the same each time'
	@echo 'make bridge-load   500 streams and 10,000 connections at once, by the bridge'
	@echo 'make soak          mixed traffic with faults for MINUTES=10, or REQUESTS=1000000: what grows, stalls or is lost?'
	@echo 'make scarce        memory runs out, at ALLOCATIONS=60 of those that a call takes, and for FOR=5 seconds'
	@echo 'make crash         load and kill -9, ROUNDS=2000 times: is the ledger right after each?'
	@echo 'make check-route   load, faults, limits and dead hosts at length, ten minutes; ROUTE=mix'
	@echo 'make deb           Debian packages of what was committed, into build/deb; packaging/deps.sh --deb first'
	@echo 'make deb-check     builds them twice: are they the same bytes, and hardened?'
	@echo 'make check-packaging   is each installed file in one package of every kind?'
	@echo 'make manual        writes what manual pages have from the programs own tables'
	@echo 'make check-system  the packages in a Debian that boots, as root; SUITE=trixie; packaging/deps.sh --deb --system first'
	@echo 'make check-system-qemu   the same with its own kernel in qemu'
	@echo 'make bench-results ROUNDS=5   which bars of performance are met, into tests/bench/RESULTS.md; BARS="4b 13": these'
	@echo 'make bench-peers   other gateways beside the bridge; installs them by npm, pip, go and apt if it can'
	@echo 'make check-cost    does a call take more instructions, allocations or system calls? make cost-rewrite: that is right'
	@echo 'make perf          a flame graph of calls, into build/flame.svg; PERF="--kind hit"'
	@echo 'make check-bench   the benchmarks in short: do they run?'
	@echo 'make bench golden format format-check tidy iwyu lint clean'
	@echo 'make install       DESTDIR= PREFIX=/usr/local BINDIR= LIBDIR= DATADIR= MANDIR= RPATH='
	@echo '                   UNITDIR= USERUNITDIR= SYSUSERSDIR= TMPFILESDIR= SYSCONFDIR= APPLICATIONSDIR='
	@echo '                   BASHCOMPDIR= ZSHCOMPDIR= FISHCOMPDIR= COMPLETIONS=DIR with the files made before'
	@echo 'make install-library  libllmclient, its headers and its .pc alone, built with msgpack-c and uthash'
	@echo 'make install-python   the Python module llmclient; DESTDIR= PYTHONDIR='
	@echo 'Also: FLAVOUR=release|debug|asan|tsan|fuzz|coverage|coredump|counted, CC=, WERROR=1, V=1, RECORDINGS=DIR'

FORCE:
.DELETE_ON_ERROR:
