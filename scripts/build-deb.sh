#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# build-deb.sh OUT - a Debian package of what `make` built, as OUT/snooper_VERSION_ARCH.deb; prints its path.
# With dpkg-deb alone, that every Debian has: the build needs no package more.
# The maintainer is whoever made the last commit, or as DEBFULLNAME and DEBEMAIL say.
set -eu
cd "$(dirname "$0")/.."
out=$1
version=$(cat VERSION)
arch=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
umask 022

# PACKAGE (>= VERSION) for each library a program names, as its package's .shlibs has it.
depends() {
	local soname path package
	readelf -d "$@" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u | while read -r soname; do
		path=$(ldd "$@" | awk -v lib="$soname" '$1 == lib { print $3; exit }')
		package=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "$(realpath "$path")" 2>/dev/null ||
			dpkg-query -S "${path#/usr}" || dpkg-query -S "/usr$path")
		awk -v lib="${soname%%.so.*}" -v abi="${soname#*.so.}" '
			$1 == lib && $2 == abi { sub(/^[^ ]+ [^ ]+ /, ""); print; exit }' "/var/lib/dpkg/info/${package%%: *}.shlibs"
	done | sort -u | paste -sd, - | sed 's/,/, /g'
}

# Without a history and without those two: whoever builds it, as dch(1) has it.
if [ -n "${DEBEMAIL-}" ]; then
	maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"
else
	maintainer=$(git log -1 --format='%an <%ae>' 2>/dev/null) || maintainer="$(id -un) <$(id -un)@$(hostname -f)>"
fi
changed=$(git log -1 --format=%aD 2>/dev/null) || changed=$(date -R -r CHANGELOG.md)

make -s install DESTDIR="$tree" PREFIX=/usr
strip --strip-unneeded --remove-section=.comment "$tree/usr/sbin/snooperd" "$tree/usr/bin/snooperctl"
install -D -m 644 snooper/conf/snooper.yaml "$tree/etc/snooper/snooper.yaml"
install -d "$tree/etc/snooper/policy.d"
doc=$tree/usr/share/doc/snooper
install -m 644 LICENSE "$doc/copyright"
find "$doc" "$tree/usr/share/man" \( -name '*.md' -o -name '*.[158]' \) -exec sed -i 's|/usr/local/share/|/usr/share/|g' {} +
find "$tree/usr/share/man" -type f -exec gzip -9n {} +
gzip -9nc CHANGELOG.md >"$doc/CHANGELOG.md.gz"
printf '%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- %s  %s\n' \
	snooper "$version" "$maintainer" "$changed" | gzip -9n >"$doc/changelog.gz"

depends=$(depends "$tree/usr/sbin/snooperd" "$tree/usr/bin/snooperctl")
mkdir "$tree/DEBIAN"
for script in postinst prerm postrm; do
	install -m 755 "snooper/conf/deb/$script" "$tree/DEBIAN/$script"
done
echo /etc/snooper/snooper.yaml >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr -type f -exec md5sum {} + | sort -k 2) >"$tree/DEBIAN/md5sums"
sed "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@DEPENDS@|$depends|; s|@SIZE@|$(du -sk "$tree" | cut -f 1)|;
	s|@MAINTAINER@|$(printf %s "$maintainer" | sed 's/[&|\\]/\\&/g')|" \
	snooper/conf/deb/control.in >"$tree/DEBIAN/control"

mkdir -p "$out"
dpkg-deb --root-owner-group --build "$tree" "$out/snooper_${version}_$arch.deb" >/dev/null
echo "$out/snooper_${version}_$arch.deb"
