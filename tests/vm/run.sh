#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# run.sh [-t SECONDS] [-m MiB] [-a KERNEL_ARGUMENTS] SERIES -- COMMAND...: run COMMAND under another kernel.
#
# Boots Debian's kernel of SERIES (see fetch-kernel.sh) in qemu; the guest sees this host's files through a
# writable layer that is thrown away. Exit code: the command's; 124 after SECONDS (default 900); 125 when the guest
# did not get to run it, or its kernel complained.
set -euo pipefail

usage() {
	sed -n '3s/^# //p' "$0" >&2
	exit 2
}

limit_s=900
memory_mib=2048
append=
while getopts t:m:a: option; do
	case $option in
	t) limit_s=$OPTARG ;;
	m) memory_mib=$OPTARG ;;
	a) append=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -lt 3 ] || [ "$2" != -- ]; then
	usage
fi
series=$1
shift 2

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
virtiofsd=/usr/lib/qemu/virtiofsd
[ -x "$virtiofsd" ] || virtiofsd=/usr/libexec/virtiofsd
for tool in gcc qemu-system-x86_64 busybox cpio "$virtiofsd"; do
	command -v "$tool" >/dev/null || {
		echo "run.sh: $tool is missing (apt install qemu-system-x86 busybox-static cpio)" >&2
		exit 125
	}
done
vm=$("$here/fetch-kernel.sh" "$series")
release=${vm##*/}

mkdir -p "$root/build/vm"
run=$(mktemp -d "$(readlink -f "$root/build/vm")/run.XXXXXX")
fs_pid=
qemu_pid=
# shellcheck disable=SC2317 # called by the trap
finish() {
	local pid
	for pid in $qemu_pid $fs_pid; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$run"
}
trap finish EXIT
trap 'exit 130' INT TERM

{
	echo "export SNP_VM=$series"
	printf 'exec'
	printf ' %q' "$@"
	echo
} >"$run/command"

# A module and what it needs, as modules.dep has them, needed ones included.
module_files() {
	awk -v name="/$1.ko:" 'index($1, name) { sub(":", ""); print }' "$vm/lib/modules/$release/modules.dep" | tr ' ' '\n'
}

make_initramfs() {
	local tree=$run/initramfs modules=lib/modules/$release file
	mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/$modules"
	cp "$(command -v busybox)" "$tree/bin/busybox"
	install -m 755 "$here/initramfs-init" "$tree/init"
	printf 'ROOT=%q\nVM=%q\nRUN=%q\n' "$root" "$vm" "$run" >"$tree/vm.env"
	cp "$vm/$modules"/modules.* "$tree/$modules"
	for file in $(for m in virtio_pci virtiofs overlay; do module_files $m; done | sort -u); do
		install -D -m 644 "$vm/$modules/$file" "$tree/$modules/$file"
	done
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$run/initrd"
	rm -rf "$tree"
}

# The host's root directory, which the guest mounts read-only. virtiofsd says when it listens; what it says
# later can be read from fd 3.
share_host() {
	local line
	exec 3< <(exec "$virtiofsd" --socket-path="$run/fs.sock" -o source=/ -o cache=always -o sandbox=chroot 2>&1)
	fs_pid=$!
	while read -r -t 20 -u 3 line; do
		case $line in
		*'Waiting for vhost-user socket connection'*) return ;;
		*) echo "virtiofsd: $line" >&2 ;;
		esac
	done
	echo "run.sh: cannot share the host's files" >&2
	exit 125
}

make_initramfs
gcc -O2 -o "$run/tsc_khz" "$here/tsc_khz.c"
# A guest that measures this itself gets it wrong when the host is busy.
clock="tsc=reliable tsc_early_khz=$("$run/tsc_khz")"
share_host
began=$(date +%s%N)
timed=0
timeout -k 5 "$limit_s" qemu-system-x86_64 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max,-erms,-fsrm -smp 2 -m "$memory_mib" \
	-object memory-backend-memfd,id=ram,size="${memory_mib}M",share=on -machine q35,memory-backend=ram \
	-nodefaults -no-user-config -no-reboot -display none \
	-kernel "$vm/boot/vmlinuz-$release" -initrd "$run/initrd" \
	-append "console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off $clock rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60 $append" \
	-serial "file:$run/console" -chardev stdio,id=out,signal=off -serial chardev:out \
	-chardev "socket,id=fs,path=$run/fs.sock" -device vhost-user-fs-pci,chardev=fs,tag=host,queue-size=1024 \
	</dev/null 2>"$run/qemu.log" &
qemu_pid=$!
wait "$qemu_pid" || timed=$?
qemu_pid=
total_ms=$((($(date +%s%N) - began) / 1000000))

"$here/check-console.sh" "$run/console" || bad_kernel=1
report=$(sed -n 's/.*snooper-vm: exit=//p' "$run/console" | tr -d '\r')
if [ -z "$report" ]; then
	cat "$run/qemu.log" >&2
	[ -n "${bad_kernel:-}" ] || tail -n 30 "$run/console" >&2
	echo "vm $series: no result after $total_ms ms (qemu ended with $timed)" >&2
	[ "$timed" -eq 124 ] && exit 124
	exit 125
fi
read -r code boot command <<<"$report"
echo "vm $series ($release): exit $code, boot ${boot#*=} ms, command ${command#*=} ms, in all $total_ms ms" >&2
[ -z "${bad_kernel:-}" ] || exit 125
if [ $((${boot#*=} + ${command#*=})) -gt $((total_ms * 11 / 10)) ]; then
	echo "vm $series: the guest's clock ran ahead of the host's: no result" >&2
	exit 125
fi
exit "$code"
