#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# check-includes.sh - the layers hold: who may include what, who may exit, who may name the maps.
set -eu
cd "$(dirname "$0")/.."

found=$(mktemp)
trap 'rm -f "$found"' EXIT

# files SPEC...: tracked files.
files() {
	git ls-files -- "$@"
}
# quoted FILES-SPEC ALLOWED WHY: our own headers, by regular expression.
quoted() {
	files "$1" | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
		grep -vE "include[[:space:]]*\"($2)" | sed "s|\$|    <- $3|" >>"$found" || true
}
# angled FILES-SPEC FORBIDDEN WHY: headers of others.
angled() {
	files "$1" | xargs -r grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($2)" |
		sed "s|\$|    <- $3|" >>"$found" || true
}

plain_bpf='bpf/[a-z_0-9]+\.h"'
libraries='event2?/|event\.h|bpf/|ares|nghttp2/|openssl/|yaml\.h|json-c/|systemd/|protobuf-c/|ut[a-z]+\.h|elf|gelf|libelf|zlib'
outside='unistd\.h|fcntl\.h|poll\.h|time\.h|dirent\.h|sys/(socket|stat|mman|epoll|ioctl|time|un|wait)\.h'

quoted 'snooper/base/*' 'snooper/base/' 'base includes nothing of ours'
quoted 'snooper/core/*' "snooper/(base|core)/|$plain_bpf" 'core includes base, core and plain bpf headers'
quoted 'snooper/io/*' "snooper/(base|core|io)/|$plain_bpf|snooper\\.skel\\.h\"" 'io includes base, core, io, bpf'
quoted 'snooper/rpc/*' 'snooper/(base|core|rpc)/|proto/' 'rpc includes base, core, rpc and the wire codec'
quoted 'ha/*' 'snooper/(base|core)/|ha/|proto/' 'ha includes neither io nor bpf'
quoted 'bpf/*' 'bpf/' 'the kernel side includes bpf/ only'

angled 'snooper/core/*' "$libraries" 'core has no third-party header'
angled 'snooper/core/*' "$outside" 'core has no clock and no I/O'
angled 'snooper/base/*' "$libraries" 'base has no third-party header'

# libevent stays with those who own a socket or the loop.
files 'snooper/*.[ch]' 'ha/*.[ch]' | grep -vE '^(snooper/(io|rpc)/|snooper/(daemon[a-z_]*|main)\.[ch]$|ha/transport\.[ch]$)' |
	xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<event' |
	sed 's|$|    <- libevent is for io, rpc, ha/transport.c and the daemon|' >>"$found" || true

files 'snooper/*.c' 'ha/*.c' | grep -vE '^snooper/(main|snooperctl)\.c$' |
	xargs -r grep -nHE '(^|[^a-zA-Z0-9_.>])_?exit\(' |
	sed 's|$|    <- only main.c and snooperctl.c exit|' >>"$found" || true

# A row has one writer: nobody else touches a map, by skeleton or by name.
maps=$(files 'bpf/*.h' 'bpf/*.c' | xargs -r grep -hoE '\bsnp_[a-z0-9_]+ SEC\("\.maps' | cut -d ' ' -f 1 | sort -u | paste -sd '|' -)
if [ -n "$maps" ]; then
	files 'snooper/*.[ch]' 'ha/*.[ch]' | grep -vE '^snooper/io/maps[a-z_]*\.[ch]$' |
		xargs -r grep -nHE "(maps\\.|\")($maps)\\b" |
		sed 's|$|    <- only snooper/io/maps*.c names the maps|' >>"$found" || true
fi

[ -s "$found" ] || exit 0
cat "$found" >&2
exit 1
