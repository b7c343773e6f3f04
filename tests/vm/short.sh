#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# short.sh: in the guest, the first question about a kernel: does everything load and learn here?
set -euo pipefail

fail() {
	echo "short.sh: $*" >&2
	exit 1
}

uname -rv

# What the lab builds on: pure cgroup v2, bpffs, namespaces, modules by name.
grep -q '^cgroup2 /sys/fs/cgroup cgroup2 ' /proc/mounts || fail 'cgroup2 is not at /sys/fs/cgroup'
grep -q ' /sys/fs/bpf bpf ' /proc/mounts || fail 'no bpffs at /sys/fs/bpf'
ip netns add short
ip link add short0 type veth peer name short1 netns short
ip -n short link set short1 up
ip link set short0 up
ip netns delete short

# Every program through this kernel's verifier, with its log when one is refused.
object=${SNOOPER_BUILD:-build/release}/snooper.bpf.o
bpftool prog loadall "$object" /sys/fs/bpf/short || fail "$object does not load"
echo "$object: $(find /sys/fs/bpf/short -type f | wc -l) programs load"
rm -r /sys/fs/bpf/short
