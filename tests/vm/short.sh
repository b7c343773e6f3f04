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

# Every program through this kernel's verifier; where one is refused, the end of its log.
object=${SNOOPER_BUILD:=build/release}/snooper.bpf.o
log=$(mktemp)
bpftool prog loadall "$object" /sys/fs/bpf/short >"$log" 2>&1 || {
	tail -n 60 "$log"
	fail "$object does not load"
}
echo "$object: $(find /sys/fs/bpf/short -type f | wc -l) programs load"
rm -r /sys/fs/bpf/short
"$SNOOPER_BUILD/tests/bpf/verifier_cost"

# One lab test of each kind: learning, refusing, surviving the daemon and the proxy, a ring that is too small.
export REQUIRE_ROOT=1 SNOOPER_BUILD
exec /usr/bin/python3 -m pytest -q -p no:cacheprovider --durations=5 tests/lab -k "1_5_a_and_aaaa or 1_5_cname_chain or 1_5_thousand or 1_6_second_answer or 1_4_kill_9 or 1_4_uninstall or 1_7_full_ring_loses or 1_9_proxy_killed_and_back"
