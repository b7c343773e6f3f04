# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# snooper: `make help` lists what there is. Everything generated lives under build/.

PROFILE ?= release
O       := build/$(PROFILE)
PREFIX  ?= /usr/local
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
VERSION := $(shell cat VERSION)

CPPFLAGS += -iquote . -iquote $(O) -D_GNU_SOURCE -DSNP_VERSION='"$(VERSION)"'
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
CFLAGS   += -std=gnu11 -g -pthread $(WARN)
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_debug   := -O0
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
LDFLAGS_asan    := -fsanitize=address,undefined
CFLAGS  += $(CFLAGS_$(PROFILE))
LDFLAGS += $(LDFLAGS_$(PROFILE))

# What the programs are linked with, by pkg-config name.
PKGS    := libbpf libelf zlib libcares libevent libprotobuf-c libnghttp2 libssl libcrypto yaml-0.1 json-c libsystemd
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
BUILD_PACKAGES := make gcc clang llvm bpftool pkg-config libbpf-dev libelf-dev zlib1g-dev libc-ares-dev \
	libevent-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libnghttp2-dev libssl-dev \
	libyaml-dev libjson-c-dev libsystemd-dev libcmocka-dev uthash-dev

LIB_SRC  := $(wildcard snooper/base/*.c snooper/core/*.c snooper/io/*.c snooper/rpc/*.c)
D_SRC    := snooper/main.c $(wildcard snooper/daemon*.c)
CTL_SRC  := snooper/snooperctl.c $(wildcard snooper/ctl/*.c)
# Definitions first: bpftool 7.1 leaves a map at offset 0 that was seen as extern before.
BPF_SRC  := bpf/snp_maps.bpf.c $(filter-out bpf/snp_maps.bpf.c,$(wildcard bpf/*.bpf.c))
# What we serve, by the path that clients import it by; of the two reflections one is compiled: they differ in name.
SERVED   := export.proto $(patsubst proto/%,%,$(wildcard proto/grpc/*/*/*.proto))
PROTO    := $(wildcard proto/*.proto) $(filter-out proto/grpc/reflection/v1alpha/%,$(wildcard proto/grpc/*/*/*.proto))
PB_OBJ   := $(PROTO:%.proto=$(O)/%.pb-c.o)
obj       = $(patsubst %.c,$(O)/%.o,$(1))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help
all: $(O)/snooperd $(O)/snooperctl

help:
	@sed -n 's/^#: //p' Makefile

#: make                 build/release/snooperd and build/release/snooperctl (PROFILE=release|debug|asan)
#: make install         to DESTDIR and PREFIX (default /usr/local)
#: make deb             build/snooper_VERSION_ARCH.deb
#: make lint            format, layers, sizes, shellcheck
#: make check           unit tests, kernel table tests, corpora (root)
#: make check-lab       namespaces, real resolvers and clients (root)
#: make check-vm        Debian's 6.1 and 6.12 kernels under qemu
#: make check-long      what needs longer than scripts/check may take
#: make fuzz            fresh fuzzing, SECONDS_EACH=20
#: make bench           one JSON line a figure
#: make clean

# A missing package is named with its apt line, once.
$(O)/.deps-ok: scripts/check-deps.sh
	$(Q)mkdir -p $(@D)
	$(Q)scripts/check-deps.sh '$(PKGS)' '$(BUILD_PACKAGES)'
	$(Q)touch $@

# --- the kernel side -------------------------------------------------------------
# UAPI headers need the target's asm/ directory, which clang -target bpf does not look into.
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-address-of-packed-member \
	-iquote . -idirafter /usr/include/$(shell $(CC) -dumpmachine)
$(O)/%.bpf.o: %.bpf.c | $(O)/.deps-ok
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -c $< -o $@
$(O)/snooper.bpf.o: $(patsubst %.c,$(O)/%.o,$(BPF_SRC))
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^
$(O)/%.skel.h: $(O)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$(*F))_bpf > $@

# --- protobuf --------------------------------------------------------------------
$(O)/proto/%.pb-c.c $(O)/proto/%.pb-c.h: proto/%.proto | $(O)/.deps-ok
	$(call say,PROTO,$<)
	$(Q)mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(O) $<
$(O)/proto/%.pb-c.o: $(O)/proto/%.pb-c.c
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -I$(O) $(filter-out $(WARN),$(CFLAGS)) $(PKG_CFLAGS) -c $< -o $@
# The descriptors of what we serve, for the reflection service.
$(O)/proto/served.inc: $(SERVED:%=proto/%) | $(O)/.deps-ok
	$(call say,PROTO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)protoc -Iproto --include_imports --descriptor_set_out=$(@:.inc=.desc) $(SERVED)
	$(Q)od -An -v -tx1 $(@:.inc=.desc) | sed 's/ \(..\)/0x\1,/g' >$@

# --- user space ------------------------------------------------------------------
$(O)/%.o: %.c | $(O)/.deps-ok $(O)/snooper.skel.h $(PROTO:%.proto=$(O)/%.pb-c.h) $(O)/proto/served.inc
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c $< -o $@
$(O)/libsnooper.a: $(call obj,$(LIB_SRC)) $(PB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^
$(O)/snooperd: $(call obj,$(D_SRC)) $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -o $@
$(O)/snooperctl: $(call obj,$(CTL_SRC)) $(O)/libsnooper.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -o $@

include tests/tests.mk

# --- lint, install, clean -----------------------------------------------------------
.PHONY: lint install deb clean
lint:
	$(Q)scripts/check-format.sh
	$(Q)scripts/check-includes.sh
	$(Q)scripts/check-size.sh
	$(Q)scripts/check-shell.sh
	$(Q)scripts/check-lists.sh

install: all
	install -D -m 755 $(O)/snooperd $(DESTDIR)$(PREFIX)/sbin/snooperd
	install -D -m 755 $(O)/snooperctl $(DESTDIR)$(PREFIX)/bin/snooperctl
	install -D -m 644 snooper/conf/snooperctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/snooperctl
	install -D -m 644 snooper/conf/snooper.yaml $(DESTDIR)$(PREFIX)/share/doc/snooper/snooper.yaml
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/snooper/README.md
	install -D -m 644 snooper/conf/alerts.yml $(DESTDIR)$(PREFIX)/share/snooper/alerts.yml
	install -D -m 644 snooper/conf/grafana-dashboard.json $(DESTDIR)$(PREFIX)/share/snooper/grafana-dashboard.json
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' snooper/conf/snooperd.service.in | \
		install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/snooperd.service
	install -D -m 644 snooper/conf/snooper.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/snooper.conf
	for s in 1 5 8; do for p in snooper/man/*.$$s; do \
		[ -e "$$p" ] && install -D -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man$$s/$${p##*/}; done; done; true

deb: all
	$(Q)scripts/build-deb.sh build

clean:
	rm -rf build/release build/debug build/asan build/fuzz

-include $(shell find $(O) -name '*.d' 2>/dev/null)
