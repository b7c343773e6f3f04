# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Tests, sorted by what they need: unit (nothing), fuzz (clang), bpf (CAP_BPF), lab (root), vm (qemu), bench.

UNIT := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -lcmocka -o $@

.PHONY: check check-unit
check: check-unit
check-unit: $(UNIT)
	$(Q)for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done
