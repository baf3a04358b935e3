# Makefile - how everything is built, tested and installed. `make help` lists what can be asked for.
#
# A flavour is a set of flags with its own folder, build/FLAVOUR. Every .c file in a folder named here is
# found by itself. Compilers, CFLAGS, LDFLAGS, PREFIX and the like are the caller's, as usual.
VERSION := 0.1.0
FLAVOUR ?= release
B       ?= build/$(FLAVOUR)

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(PREFIX)/lib/systemd
# how llmb finds the library beside it; a packager sets it empty
RPATH      ?= -Wl,-rpath,'$$ORIGIN/../lib'

AR         = ar
LD         = ld
OBJCOPY    ?= objcopy
PKG_CONFIG ?= pkg-config
PYTHON     ?= /usr/bin/python3
SECONDS    = 10# how long fuzz-smoke spends on each program
ifeq ($(FLAVOUR),fuzz)
CC         = clang
endif

# --- flags

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wnull-dereference

x86       := $(filter x86_64% i386% i486% i586% i686%,$(shell $(CC) -dumpmachine))
hardening := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	$(if $(x86),-fcf-protection)

flags.release  := -O2 -g $(hardening)
flags.coredump := $(flags.release) -DBROKER_PERMIT_CORE
flags.debug    := -O1 -g3 -fno-omit-frame-pointer
flags.asan     := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
flags.tsan     := -O1 -g -fno-omit-frame-pointer
flags.fuzz     := $(flags.asan)
sanitize.asan  := -fsanitize=address,undefined
sanitize.tsan  := -fsanitize=thread
sanitize.fuzz  := -fsanitize=fuzzer-no-link,address,undefined

ifeq ($(flags.$(FLAVOUR)),)
$(error no flavour is called "$(FLAVOUR)": it is one of release, debug, asan, tsan, fuzz, coredump)
endif
sanitize := $(sanitize.$(FLAVOUR))
# a sanitizer's own branches make the compiler warn of paths that nobody wrote
werror   := $(if $(sanitize),,$(if $(filter 1 true yes,$(CI) $(WERROR)),-Werror))

# Asked when first needed, for `make check` installs what is missing before it builds anything.
once    = $(eval $1 := $(shell $2))$($1)
msgpack = $(call once,msgpack,$(PKG_CONFIG) --exists msgpack-c && echo msgpack-c || echo msgpack)
packages = libcurl libcjson libsodium sqlite3 $(msgpack)
includes = $(call once,includes,$(PKG_CONFIG) --cflags $(packages))
libs     = $(call once,libs,$(PKG_CONFIG) --libs $(packages)) -lev -pthread
libs_msgpack = $(call once,libs_msgpack,$(PKG_CONFIG) --libs $(msgpack))

compile = $(CC) -std=c11 -D_GNU_SOURCE -I. -Ilibllmclient/include $(includes) \
	-DLLM_BROKER_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(werror) \
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
example_src  := $(sort $(wildcard libllmclient/examples/*.c))
unit_src     := $(sort $(wildcard tests/unit/test_*.c))
fuzz_src     := $(sort $(wildcard tests/fuzz/fuzz_*.c))
bench_src    := $(sort $(wildcard tests/bench/*.c))
golden_src   := $(sort $(wildcard tests/golden/*.c))
story_src    := $(sort $(wildcard tests/story/*.c))
# these stand in for brokerd's own modules
virtual_src  := $(sort $(wildcard tests/lib/*_virtual.c tests/lib/*_scripted.c))
testlib_src  := $(filter-out $(virtual_src) tests/lib/tap.c,$(sort $(wildcard tests/lib/*.c)))

all_src      := $(protocol_src) $(brokerd_src) $(client_src) $(cli_src) $(example_src) \
	$(sort $(wildcard tests/*/*.c))
headers      := $(sort $(shell find protocol brokerd libllmclient tests -name '*.[h]' 2>/dev/null))

programs     := $B/bin/llm-brokerd $B/bin/llmb
soname       := libllmclient.so.1
realname     := $(soname).0.0
shared       := $B/lib/libllmclient.so
examples     := $(patsubst libllmclient/examples/%.c,$B/examples/%,$(example_src))
unit_tests   := $(patsubst tests/unit/%.c,$B/tests/%,$(unit_src))
fuzzers      := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(fuzz_src))
benches      := $(patsubst tests/bench/%.c,$B/bench/%,$(bench_src))
golden       := $(if $(golden_src),$B/tests/golden)
story        := $(if $(story_src),$B/tests/story)

.PHONY: all
all: $(programs) $(shared) $B/lib/libllmclient.a examples

.PHONY: examples unit-tests tests
examples: $(examples)
unit-tests: $(unit_tests)
tests: unit-tests $(golden) $(story)

# --- compile

# Changes when a flag does, so that nothing is linked from objects built otherwise.
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo $(compile) $(ldflags) | cmp -s - $@ || echo $(compile) $(ldflags) >$@

# Changes when a file comes or goes, so that no archive keeps an object of a source that is gone.
$B/sources: FORCE
	@mkdir -p $(@D)
	@echo $(all_src) | cmp -s - $@ || echo $(all_src) >$@

$B/obj/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(compile) -fPIE -MMD -MP -c -o $@ $<

$B/obj-pic/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(compile) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call objects,$(all_src)) $(call pic_objects,$(protocol_src) $(client_src)))

# --- link

inputs = $(filter %.o %.a,$^)

$B/obj/protocol.a: $(call objects,$(protocol_src)) $B/sources
$B/obj/brokerd.a: $(call objects,$(filter-out brokerd/main.c,$(brokerd_src))) $B/sources
$B/obj/client.a: $(call pic_objects,$(client_src) $(protocol_src)) $B/sources
$B/obj/testlib.a: $(call objects,$(testlib_src)) $B/sources
$B/obj/virtual.a: $(call objects,$(virtual_src)) $B/sources
$B/obj/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcsD $@ $(inputs)

$B/bin/llm-brokerd: $(call objects,$(brokerd_src) $(protocol_src)) $B/sources
	@mkdir -p $(@D)
	$(CC) $(ldflags) -pie -o $@ $(inputs) $(libs)

$B/lib/$(realname): libllmclient/src/llmclient.map
$B/lib/$(realname): $(call pic_objects,$(client_src) $(protocol_src)) $B/sources
	@mkdir -p $(@D)
	$(CC) $(ldflags) -shared -Wl,-soname,$(soname) -Wl,--version-script=libllmclient/src/llmclient.map \
		$(if $(sanitize),,-Wl,-z,defs) -o $@ $(inputs) $(libs_msgpack)

$(shared): $B/lib/$(realname)
	ln -sf $(realname) $B/lib/$(soname)
	ln -sf $(soname) $@

# One object whose only names are the public ones: the protocol's are not a user program's to meet.
$B/lib/libllmclient.a: $(call pic_objects,$(client_src) $(protocol_src)) $B/sources
	@mkdir -p $(@D)
	@rm -f $@
	$(LD) -r -o $B/obj/libllmclient.o $(inputs)
	$(OBJCOPY) --localize-hidden $B/obj/libllmclient.o
	$(AR) rcsD $@ $B/obj/libllmclient.o

$B/bin/llmb: $(call objects,$(cli_src) $(base_src)) $B/sources | $(shared)
	@mkdir -p $(@D)
	$(CC) $(ldflags) -pie $(RPATH) -o $@ $(inputs) -L$B/lib -lllmclient

$(examples): $B/examples/%: $B/obj/libllmclient/examples/%.o | $(shared)
	@mkdir -p $(@D)
	$(CC) $(ldflags) -pie $(RPATH) -o $@ $< -L$B/lib -lllmclient

# Left to right: what stands before an archive takes the place of what is in it. A unit test gets the
# virtual clock and the scripted transport by including their headers.
tap           := $B/obj/tests/lib/tap.o
organs        := $B/obj/brokerd.a $B/obj/protocol.a
client_tests  := $(filter $B/tests/test_client_%,$(unit_tests))
virtual_tests := $(patsubst tests/unit/%.c,$B/tests/%,$(filter-out tests/unit/test_client_%, \
	$(shell grep -lsE 'tests/lib/[a-z_]+_(virtual|scripted)\.h' $(unit_src) /dev/null)))
plain_tests   := $(filter-out $(client_tests) $(virtual_tests),$(unit_tests))

$(client_tests):  $B/tests/%: $B/obj/tests/unit/%.o $(tap) $B/obj/testlib.a $B/obj/client.a
$(virtual_tests): $B/tests/%: $B/obj/tests/unit/%.o $(tap) $B/obj/testlib.a $B/obj/virtual.a $(organs)
$(plain_tests):   $B/tests/%: $B/obj/tests/unit/%.o $(tap) $B/obj/testlib.a $(organs)
$B/tests/golden: $(call objects,$(golden_src)) $(tap) $B/obj/testlib.a $(organs)
$B/tests/story: $(call objects,$(story_src)) $(tap) $B/obj/testlib.a $B/obj/virtual.a $(organs)
$(unit_tests) $(golden) $(story):
	@mkdir -p $(@D)
	$(CC) $(ldflags) -pie -o $@ $(inputs) $(libs)

$(fuzzers): $B/fuzz/%: $B/obj/tests/fuzz/%.o $B/obj/testlib.a $(organs)
	@mkdir -p $(@D)
	$(CC) $(ldflags) -fsanitize=fuzzer -o $@ $(inputs) $(libs)

$(benches): $B/bench/%: $B/obj/tests/bench/%.o $B/obj/testlib.a | $(shared)
	@mkdir -p $(@D)
	$(CC) $(ldflags) -pie $(RPATH) -o $@ $(inputs) -L$B/lib -lllmclient $(libs)

# --- test

.PHONY: check-unit
check-unit: unit-tests
	prove --exec 'timeout 120' $(sort $(unit_tests))

.PHONY: clean FORCE
clean:
	rm -rf build
FORCE:
.DELETE_ON_ERROR:
