#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# fetch-servers.sh - unpack the name servers of the tests below build/servers, without installing them:
# their packages would start servers on port 53 of this host. Libraries that the host lacks come along.
set -eu
cd "$(dirname "$0")/.."

servers='unbound bind9 dnsmasq-base systemd-resolved'
dir=build/servers
stamp=$dir/.unpacked-$(cksum <"$0" | cut -d ' ' -f 1)
[ -e "$stamp" ] && exit 0

echo "unpacking below $dir: $servers"
rm -rf "$dir"
mkdir -p "$dir/debs"

# What apt would install for them on this host. libc must stay the host's: its loader is used.
resolve() {
	# shellcheck disable=SC2086 # a list of words
	apt-get install -s -qq --no-install-recommends $servers | awk '/^Inst/ && $2 !~ /^libc6/ { print $2 }'
}
# Those installed here already are wanted below build/ too, so that the tests find them in one place.
fetch() {
	needed=$(resolve) || return 1
	# shellcheck disable=SC2046,SC2086 # lists of words
	(cd "$dir/debs" && apt-get download -qq -o APT::Sandbox::User=root \
		$(printf '%s\n' $servers $needed | sort -u))
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
fetch >"$log" 2>&1 || { apt-get update -qq >"$log" 2>&1 && fetch >"$log" 2>&1; } || {
	cat "$log" >&2
	exit 1
}
for deb in "$dir"/debs/*.deb; do
	dpkg -x "$deb" "$dir"
done
rm -r "$dir/debs"

libraries=$(printf '%s:' "$PWD/$dir"/usr/lib/*-linux-gnu "$PWD/$dir"/lib/*-linux-gnu \
	"$PWD/$dir"/usr/lib/*-linux-gnu/systemd)
for program in usr/sbin/unbound usr/sbin/named usr/sbin/dnsmasq lib/systemd/systemd-resolved; do
	if LD_LIBRARY_PATH=$libraries ldd "$dir/$program" | grep 'not found' >&2; then
		exit 1
	fi
done
touch "$stamp"
