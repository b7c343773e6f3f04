#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# fetch-promtool.sh - unpack promtool, which judges metrics and alert rules in the tests, to build/tools/promtool.
# It comes with the package prometheus, which is never installed: that would start a server on this host.
set -eu
cd "$(dirname "$0")/.."

tool=build/tools/promtool
[ -x "$tool" ] && exit 0

echo "unpacking $tool"
made=$(mktemp -d)
trap 'rm -r "$made"' EXIT
fetch() {
	(cd "$made" && apt-get download -qq -o APT::Sandbox::User=root prometheus)
}
log=$made/log
fetch >"$log" 2>&1 || { apt-get update -qq >"$log" 2>&1 && fetch >"$log" 2>&1; } || {
	cat "$log" >&2
	exit 1
}
dpkg -x "$made"/prometheus_*.deb "$made/unpacked"
mkdir -p "${tool%/*}"
mv "$made/unpacked/usr/bin/promtool" "$tool.new"
"$tool.new" --version >"$log" 2>&1 || {
	cat "$log" >&2
	exit 1
}
mv "$tool.new" "$tool"
