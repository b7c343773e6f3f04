#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# fetch-kernel.sh SERIES: unpack Debian's newest kernel of a series below build/vm, and print where.
#
# SERIES is 6.1, 6.12 (cloud kernels) or 6.12-rt. Nothing is installed: the package is only unpacked, its
# modules are decompressed and indexed. build/vm/SERIES names what was unpacked; a second call finds it there
# and needs no network. Remove that link to look for a newer one.
set -eu

usage() {
	echo "usage: fetch-kernel.sh 6.1|6.12|6.12-rt" >&2
	exit 2
}

[ $# -eq 1 ] || usage
series=$1
case $series in
*-rt) flavour=rt-amd64 ;;
[0-9]*.[0-9]*) flavour=cloud-amd64 ;;
*) usage ;;
esac

cd "$(dirname "$0")/../.."
vm=$PWD/build/vm
mkdir -p "$vm"

# Two runs may start together: the second waits, then finds the work done.
exec 9>"$vm/.lock"
flock 9

if [ -e "$vm/$series/.complete" ]; then
	readlink -f "$vm/$series"
	exit 0
fi

for tool in apt-get apt-cache dpkg busybox xz; do
	command -v "$tool" >/dev/null || {
		echo "fetch-kernel.sh: $tool is missing (apt install busybox-static xz-utils)" >&2
		exit 1
	}
done

# Newest first. An index may name versions that the mirror no longer has.
candidates() {
	apt-cache pkgnames "linux-image-${series%-rt}." | grep -- "[0-9]-$flavour\$" | sort -Vr
}

packages=$(candidates) || packages=
if [ -z "$packages" ]; then
	apt-get update >&2
	packages=$(candidates) || packages=
fi

tmp=$(mktemp -d "$vm/.fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
package=
for p in $packages; do
	# shellcheck disable=SC2015 # a failed cd is a failed download
	(cd "$tmp" && apt-get -q -o APT::Sandbox::User=root download "$p" >&2) && package=$p && break || true
done
[ -n "$package" ] || {
	echo "fetch-kernel.sh: no package linux-image-${series%-rt}.*-$flavour can be had by apt" >&2
	exit 1
}

dpkg -x "$tmp"/*.deb "$tmp/tree"
release=${package#linux-image-}
# What no test loads is most of the big (rt) package.
modules=$tmp/tree/lib/modules/$release/kernel
rm -rf "$modules/sound" "$modules/drivers/gpu" "$modules/drivers/media" "$modules/drivers/staging" \
	"$modules/drivers/net/wireless" "$modules/drivers/net/ethernet" "$modules/drivers/scsi" "$modules/drivers/iio"
find "$modules" -name '*.ko.xz' -exec xz -d {} +
busybox depmod -b "$tmp/tree" "$release"
touch "$tmp/tree/.complete"
rm -rf "${vm:?}/$release"
mv "$tmp/tree" "$vm/$release"
ln -sfn "$release" "$vm/$series"
echo "$vm/$release"
