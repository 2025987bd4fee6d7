# SPDX-License-Identifier: Apache-2.0
# Builds metalgap into build/. `make help` lists the targets.

B       ?= build
PREFIX  ?= /usr/local
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
MPICC   ?= mpicc
VERSION := 0.1.0

# All CPUs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# make V=1 shows the commands.
SAY     := $(if $V,@:,@echo)
Q       := $(if $V,,@)

WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CPPFLAGS += -D_GNU_SOURCE -I. -I$B
CFLAGS   ?= -O2 -g
# -fno-plt/no-pie: position-independent executables relocate libpfm4's tables at every start, 1 ms that `detect` would
# pay. Exact IEEE arithmetic: the statistics must give the same digits on every machine.
ALL_CFLAGS = -std=c17 $(WARN) -fno-pie -ffp-contract=off -pthread $(CFLAGS)
LDFLAGS  += -no-pie -pthread
# Static archives where Debian has them: the program starts faster and runs on machines without these libraries.
LDLIBS   := -Wl,-Bstatic -lbpf -ldw -lelf -llzma -lbz2 -lz -lpfm -lhwloc -lmd -l:libgomp.a -Wl,-Bdynamic -lcjson -ludev -ldl -lm

ROOMS := core detect collectors bench bench/kernels report
LIB_SRC := $(foreach room,$(ROOMS),$(wildcard $(room)/*.c))
CLI_SRC := $(wildcard cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
MPI_BIN := $(patsubst bench/mpi/%.c,$B/mpi/%,$(filter-out %/wait.c,$(wildcard bench/mpi/*.c))) $B/mpi/libmetalgap-wait.so
SKELS   := $(patsubst probes/%.bpf.c,$B/probes/%.skel.h,$(wildcard probes/*.bpf.c))
UNIT    := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ    := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
UNIT    += $(FUZZ:%=$B/tests/replay_%)
TOOLS   := $(patsubst tests/tools/%.c,$B/tests/%,$(wildcard tests/tools/*.c))
SIMS    := $(patsubst tests/sim/%.c,$B/sim-%,$(wildcard tests/sim/*.c))

.PHONY: all
all: $B/metalgap $(MPI_BIN) ## build everything into build/

$B/metalgap: $(CLI_OBJ) $B/libmetalgap.a
	$(SAY) '  LD   $@'
	$Q$(CC) $(LDFLAGS) -o $@ $(CLI_OBJ) $B/libmetalgap.a $(LDLIBS)

$B/libmetalgap.a: $(LIB_OBJ)
	@rm -f $@
	$(SAY) '  AR   $@'
	$Qar rcs $@ $^

# Skeletons must exist before the first compilation; after it, the dependency files know who needs which.
$B/%.o: %.c | $(SKELS)
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ROOM_CFLAGS) -MMD -MP -c -o $@ $<

# Kernels are what is measured: optimised as a user would compile STREAM, for the same baseline CPU as Debian's hpcc, and
# with unrolled loops as that has.
$B/bench/kernels/%.o: ROOM_CFLAGS = -O3 -funroll-loops -fopenmp

# --- version: rebuilt only when the commit changes ------------------------------------------------------------------
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(shell git diff --quiet HEAD 2>/dev/null || echo +)
.PHONY: version
$B/version.h: version
	@mkdir -p $(@D)
	@printf '#define METALGAP_VERSION "%s"\n#define METALGAP_COMMIT "%s"\n' '$(VERSION)' '$(COMMIT)' >$@.new
	@cmp -s $@.new $@ 2>/dev/null && rm $@.new || mv $@.new $@
$(LIB_OBJ) $(CLI_OBJ): | $B/version.h

# --- eBPF: CO-RE objects, then skeletons ----------------------------------------------------------------------------
# MACHINE and SYSROOT are for cross compilers.
MACHINE  ?= $(shell uname -m)
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(MACHINE)))
$B/probes/%.bpf.o: probes/%.bpf.c
	@mkdir -p $(@D)
	$(SAY) '  BPF  $<'
	$Q$(CLANG) -O2 -g -Wall -Werror -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -I. -I$(SYSROOT)/usr/include/$(MACHINE)-linux-gnu \
	  -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$B/probes/%.skel.h: $B/probes/%.bpf.o
	$Q{ echo '// NOLINTBEGIN: generated'; $(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf; echo '// NOLINTEND'; } >$@.new
	@mv $@.new $@

.SECONDARY:

# --- MPI programs ---------------------------------------------------------------------------------------------------
$B/mpi/%: bench/mpi/%.c
	@mkdir -p $(@D)
	$(SAY) '  MPI  $<'
	$QOMPI_CC="$(CC)" $(MPICC) $(CPPFLAGS) -std=c17 $(WARN) -O3 -MMD -MP -MF $@.d -o $@ $< -lm

# Preloaded into other people's MPI programs.
$B/mpi/libmetalgap-wait.so: bench/mpi/wait.c
	@mkdir -p $(@D)
	$(SAY) '  MPI  $@'
	$QOMPI_CC="$(CC)" $(MPICC) $(CPPFLAGS) -std=c17 $(WARN) -O2 -fPIC -shared -MMD -MP -MF $@.d -o $@ $< -ldl

# --- tests ----------------------------------------------------------------------------------------------------------
$B/tests/%: tests/unit/%.c $B/libmetalgap.a
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $B/libmetalgap.a -lcmocka $(LDLIBS)

# A fuzz target's corpus as a unit test, and the target itself (built by ci/fuzz.sh with clang's libFuzzer).
$B/tests/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $B/libmetalgap.a
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$B/fuzz_%: tests/fuzz/fuzz_%.c $B/libmetalgap.a
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $B/libmetalgap.a -lcjson -lmd -lm
$B/fuzz_suite: $B/bench/suite.o $B/bench/bench.o
$B/fuzz_pmu_file: $B/collectors/pmu_file.o $B/collectors/formula.o

$B/tests/%: tests/tools/%.c $B/libmetalgap.a
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $B/libmetalgap.a $(LDLIBS)

$B/tests/exit_injector: ALL_CFLAGS += -fopenmp

# The same file runs on a host and in its guests, whatever libraries these have; sanitizers have no static ones.
$B/tests/storm: tests/tools/storm.c
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(filter-out -fsanitize=% -fno-sanitize%,$(ALL_CFLAGS)) -static -MMD -MP -MF $@.d -o $@ $<

$B/sim-%: tests/sim/%.c $B/libmetalgap.a
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$Q$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $B/libmetalgap.a $(LDLIBS)

.PHONY: deps deps-apps test tests check unit e2e bench accuracy lint asan lab lab-machines lab-dom0 lab-fast triangle fuzz quickstart install clean help
deps: ## install what is missing, through apt (without root: print the command)
	@ci/deps.sh

deps-apps: ## install the external applications of the suites hpcc, nitro-hpc, io-path and net-path
	@ci/deps.sh apps

test: deps ## install what is missing, build, run all tests
	@$(MAKE) --no-print-directory check

check: all tests ## run all tests of a built tree
	@status=0; for kind in unit e2e; do $(MAKE) --no-print-directory $$kind || status=1; done; exit $$status

tests: $(UNIT) $(TOOLS) # build the tests without running them

unit: $(UNIT) ## unit tests only
	@ci/unit.sh $(UNIT)

e2e: all $(TOOLS) ## end-to-end tests only
	@B=$B tests/e2e/run.sh

bench: all ## measure our own cost and speed, print figures with intervals
	@B=$B ci/bench.sh

accuracy: all $(TOOLS) ## print what is told against what is true, for injected causes of known size; FILE=README.md writes it
	@B=$B ci/accuracy.sh $(FILE)

lint: all ## clang-format, clang-tidy, cppcheck, the direction of includes
	@B=$B ci/lint.sh

asan: ## everything with AddressSanitizer and UBSan, and the tests under it
	@$(MAKE) --no-print-directory B=$B/asan CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
	  LDFLAGS='-fsanitize=address,undefined -no-pie -pthread' check

.PHONY: print-flags
print-flags: # for the static checkers: the flags of an ordinary file
	@echo $(CPPFLAGS) -std=c17 $(WARN)

fuzz: ## run the fuzzers for FUZZ_RUNS inputs each
	@B=$B ci/fuzz.sh

lab: all $(TOOLS) ## boot the lab's virtual machines and test in them
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target lab-machines lab-dom0

lab-machines:
	@ci/lab/lab test

lab-dom0:
	@METALGAP_LAB=1 B=$B tests/e2e/run.sh tests/e2e/test_xen_dom0.sh

lab-fast: all ## the fast part of the lab
	@ci/lab/lab test --fast

triangle: all $B/tests/storm ## one suite on a KVM host, in its guest, and the host's record: out/triangle.html
	@ci/lab/triangle out

quickstart: deps ## install, build, run the quick suite here, print the report
	@$(MAKE) --no-print-directory all
	@B=$B ci/quickstart.sh

install: all ## install under PREFIX (and DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/metalgap/mpi $(DESTDIR)$(PREFIX)/share/metalgap/suites \
	  $(DESTDIR)$(PREFIX)/share/metalgap/suites/apps $(DESTDIR)$(PREFIX)/share/metalgap/pmu_metrics $(DESTDIR)$(PREFIX)/share/man/man1
	install $B/metalgap $(DESTDIR)$(PREFIX)/bin/
	install $(MPI_BIN) $(DESTDIR)$(PREFIX)/libexec/metalgap/mpi/
	install -m644 suites/*.json $(DESTDIR)$(PREFIX)/share/metalgap/suites/
	install -m644 suites/apps/*.json $(DESTDIR)$(PREFIX)/share/metalgap/suites/apps/
	install -m644 collectors/pmu_metrics/*.json $(DESTDIR)$(PREFIX)/share/metalgap/pmu_metrics/
	install -m644 docs/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean: ## remove build/
	rm -rf $B

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(UNIT:=.d) $(TOOLS:=.d) $(SIMS:=.d) $(MPI_BIN:=.d) $(SKELS:.skel.h=.bpf.d)
