# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Tests, sorted by what they need: unit (nothing), fuzz (clang), bpf (CAP_BPF), lab (root), vm (qemu), bench.

UNIT := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(PKG_LIBS) -lcmocka -o $@

# Policies at random, and what they mean.
POLICY_MODEL := $(O)/tests/policy_random.o $(O)/tests/policy_reference.o $(O)/tests/policy_tables.o
$(addprefix $(O)/tests/unit/test_policy_,compile alloc bounds): $(POLICY_MODEL)

.PHONY: check check-unit
check: check-unit
check-unit: $(UNIT)
	$(Q)for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

# The tables of selectors against Python's re; LONG=1: a million pairs.
.PHONY: check-match
check: check-match
check-match: $(O)/tests/unit/match_answers
	$(Q)tests/unit/match_differential.py $<

# --- lint of the tests, and the lab ----------------------------------------------
.PHONY: lint-tests lab-tools check-lab
lint: lint-tests
lint-tests:
	$(Q)scripts/check-tests.sh

# Clients of both libcs, for the lab: each libc has a resolver of its own.
lab-tools: $(O)/tests/lab/gai-glibc $(O)/tests/lab/gai-musl $(O)/tests/lab/failalloc.so $(O)/tests/lab/gai-cares
$(O)/tests/lab/gai-cares: tests/lab/gai_cares.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 $(WARN) $< $$(pkg-config --cflags --libs libcares) -o $@
$(O)/tests/lab/failalloc.so: tests/lab/failalloc.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 -shared -fPIC $(WARN) $< -o $@
$(O)/tests/lab/gai-glibc: tests/lab/gai.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -O2 $(WARN) $< -o $@
$(O)/tests/lab/gai-musl: tests/lab/gai.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -static -O2 $(WARN) $< -o $@

# LAB_TESTS=tests/lab/test_1_4_restart.py, LAB_ARGS='-k ipv6'.
LAB_TESTS ?= tests/lab
# Side by side: each has namespaces, cgroups and pins of its own.
LAB_JOBS  ?= 3
check-lab: all lab-tools
	$(Q)scripts/fetch-servers.sh
	$(Q)scripts/fetch-grpc-js.sh
	$(Q)scripts/fetch-promtool.sh
	$(Q)REQUIRE_ROOT=1 SNOOPER_BUILD=$(O) /usr/bin/python3 -m pytest -q -p no:cacheprovider -n $(LAB_JOBS) --dist loadfile \
		$(LAB_ARGS) $(LAB_TESTS)

# --- other kernels, under qemu (tests/vm/README.md) --------------------------------
.PHONY: vm-needs check-vm-short check-vm check-vm-rt
VM_SERIES ?= 6.1 6.12
# The package is of this host's system, whatever the kernel.
VM_LAB     = env REQUIRE_ROOT=1 SNOOPER_BUILD=$(O) /usr/bin/python3 -m pytest -q -p no:cacheprovider --ignore=tests/lab/test_2_10_deb.py $(LAB_ARGS)
vm-needs: all lab-tools $(O)/tests/bpf/verifier_cost
	$(Q)scripts/fetch-servers.sh
	$(Q)scripts/fetch-grpc-js.sh
	$(Q)scripts/fetch-promtool.sh
# With -j2 side by side: a processor each, for one that has to wait for ours looks stuck to its kernel.
VM_SHORT := $(VM_SERIES:%=check-vm-short-%)
.PHONY: $(VM_SHORT)
check-vm-short: $(VM_SHORT)
$(VM_SHORT): check-vm-short-%: vm-needs
	$(Q)tests/vm/run.sh -t 600 $* -- env SNOOPER_BUILD=$(O) tests/vm/short.sh
check-vm: vm-needs
	$(Q)for s in $(VM_SERIES); do tests/vm/run.sh -m 4096 -t 5400 $$s -- $(VM_LAB) $(LAB_TESTS) || exit 1; done
check-vm-rt: vm-needs
	$(Q)tests/vm/run.sh -m 4096 -t 5400 6.12-rt -- $(VM_LAB) $(LAB_TESTS)

# --- the kernel side (CAP_BPF, CAP_NET_ADMIN): rows, and a second opinion ----------
.PHONY: check-bpf
WALK_OBJ := $(O)/tests/walk_rows.o $(O)/tests/walk_make.o $(O)/tests/walk_check.o
$(O)/tests/unit/test_dns_wire: $(WALK_OBJ)

BPF_TESTS := $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))
RIG_OBJ   := $(O)/tests/bpf/rig.o $(O)/tests/bpf/net.o $(WALK_OBJ) $(O)/snooper/core/name.o $(O)/snooper/core/text.o
$(O)/tests/bpf/test.bpf.o: $(patsubst %.c,$(O)/%.o,$(BPF_SRC)) $(O)/tests/bpf/plant.bpf.o
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(O)/tests/bpf/rig.o $(O)/tests/bpf/net.o $(BPF_TESTS:%=%.o): $(O)/tests/bpf/test.skel.h
$(BPF_TESTS): $(O)/tests/bpf/%: $(O)/tests/bpf/%.o $(RIG_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lbpf -lcmocka -o $@

$(O)/tests/bpf/differential: $(O)/tests/bpf/differential.o $(RIG_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lbpf -o $@

# The daemon's side of the maps, against real ones.
$(O)/tests/bpf/maps_collect: $(O)/tests/bpf/maps_collect.o $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -lcmocka -o $@

# Every program through this kernel's verifier, with the instructions that took.
$(O)/tests/bpf/verifier_cost: $(O)/tests/bpf/verifier_cost.o
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lbpf -o $@

check: check-bpf
check-bpf: $(BPF_TESTS) $(O)/tests/bpf/verifier_cost $(O)/tests/bpf/maps_collect $(O)/tests/bpf/differential
	$(Q)$(O)/tests/bpf/verifier_cost
	$(Q)$(O)/tests/bpf/maps_collect
	$(Q)for t in $(BPF_TESTS); do echo "== $$t"; $$t || exit 1; done
	$(Q)tests/bpf/differential.py $(O)/tests/bpf/differential

# --- fuzzing: all of it built once more by clang, with sanitizers -------------------
# A target is tests/fuzz/fuzz_NAME.c, with its inputs in tests/fuzz/corpus/NAME; what a run finds goes to build/fuzz/found.
.PHONY: fuzz fuzz-targets check-fuzz-corpus
ifeq ($(PROFILE),fuzz)
CC := $(CLANG)
endif
CFLAGS_fuzz  := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined
FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(O)/tests/fuzz/fuzz_%)
FUZZ_MAX_LEN ?= 16384
SECONDS_EACH ?= 20
FUZZ          = build/fuzz/tests/fuzz/fuzz_$(1) -timeout=10 -rss_limit_mb=1024 -max_len=$(FUZZ_MAX_LEN) -artifact_prefix=build/fuzz/found/$(1)-
$(FUZZ_TARGETS): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer $^ $(PKG_LIBS) -o $@
fuzz-targets:
	$(Q)$(MAKE) --no-print-directory PROFILE=fuzz $(FUZZ_NAMES:%=build/fuzz/tests/fuzz/fuzz_%)
# As many at a time as there are processors.
FUZZ_RUNS := $(FUZZ_NAMES:%=fuzz-run-%)
.PHONY: $(FUZZ_RUNS)
fuzz: fuzz-targets
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) --output-sync=target $(FUZZ_RUNS)
$(FUZZ_RUNS): fuzz-run-%:
	$(Q)mkdir -p build/fuzz/found/$*; echo "== $*"
	$(Q)$(call FUZZ,$*) -max_total_time=$(SECONDS_EACH) -print_final_stats=1 -verbosity=0 \
		build/fuzz/found/$* tests/fuzz/corpus/$*
check: check-fuzz-corpus
check-fuzz-corpus: fuzz-targets
	$(Q)for n in $(FUZZ_NAMES); do mkdir -p build/fuzz/found; \
		$(call FUZZ,$$n) -runs=0 -verbosity=0 tests/fuzz/corpus/$$n || exit 1; \
		echo "$$n: $$(find tests/fuzz/corpus/$$n -type f | wc -l) inputs replayed"; done

# --- figures, never asserted (tests/bench/README.md); QUICK=1: within two minutes ------
.PHONY: bench
BENCH_C := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/bench_*.c))
BENCH_CLIENTS := $(O)/tests/bench/lookups $(O)/tests/bench/flows
$(BENCH_CLIENTS): $(O)/%: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 $(WARN) $< -o $@
$(BENCH_C:%=%.o): $(O)/tests/bpf/test.skel.h
$(O)/tests/bench/bench_parse.o: $(O)/tests/bench/floor.skel.h
$(BENCH_C): $(O)/tests/bench/%: $(O)/tests/bench/%.o $(RIG_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lbpf -lm -o $@
BENCH_KERNEL := $(O)/tests/bench/bench_names $(O)/tests/bench/bench_answers
$(O)/tests/bench/bench_match $(BENCH_KERNEL): $(O)/tests/bench/selectors.o
$(O)/tests/bench/bench_names: $(O)/tests/bench/trie.o
$(BENCH_KERNEL): $(O)/tests/bench/generation.o
$(BENCH_KERNEL:%=%.o): $(O)/tests/bench/names.skel.h
$(O)/tests/bench/names.skel.h: $(O)/tests/bench/names_all.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name names_bpf > $@
$(O)/tests/bench/names_all.bpf.o: $(patsubst %.c,$(O)/%.o,$(BPF_SRC)) $(O)/tests/bench/names.bpf.o
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(O)/tests/bench/bench_cache $(O)/tests/bench/bench_match $(O)/tests/bench/bench_policy $(BENCH_KERNEL): $(O)/libsnooper.a
bench: all $(BENCH_CLIENTS) $(BENCH_C)
	$(Q)scripts/fetch-servers.sh
	$(Q)scripts/fetch-grpc-js.sh
	$(Q)for b in $(BENCH_C); do $$b $(if $(QUICK),--quick) || exit 1; done
	$(Q)SNOOPER_BUILD=$(O) /usr/bin/python3 tests/bench/bench.py $(if $(QUICK),--quick)

# The whole lab with sanitizers in snooperd and snooperctl.
.PHONY: check-lab-asan
check-lab-asan:
	$(Q)$(MAKE) --no-print-directory PROFILE=asan check-lab

# --- what takes longer than scripts/check may ---------------------------------------
# Ten times the differential messages, minutes of fuzzing, the slow lab tests, the whole lab on every kernel.
.PHONY: check-long
check-long: check
	$(Q)LONG=1 tests/bpf/differential.py $(O)/tests/bpf/differential
	$(Q)LONG=1 tests/unit/match_differential.py $(O)/tests/unit/match_answers
	$(Q)$(MAKE) --no-print-directory fuzz SECONDS_EACH=180
	$(Q)LAB_LONG=1 $(MAKE) --no-print-directory check-lab
	$(Q)$(MAKE) --no-print-directory check-lab
	$(Q)$(MAKE) --no-print-directory check-lab-asan
	$(Q)$(MAKE) --no-print-directory check-vm check-vm-rt
