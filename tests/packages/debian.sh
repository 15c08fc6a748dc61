#!/bin/sh
# The packages for Debian are built, have no errors, and work when they are installed, in a copy of this system that is thrown away. Takes some
# minutes: all is compiled once more.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
. "$TUTTI_SOURCE_DIR/tests/support/overlay.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-packages-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
skip () { echo "1..0 # SKIP $1"; tap_ended=yes; exit 0; }

for tool in dpkg-buildpackage dh lintian git; do
  command -v "$tool" > /dev/null || skip "$tool is not installed"
done
cd "$TUTTI_SOURCE_DIR" || exit 1
missing=$(dpkg-checkbuilddeps 2>&1 | sed 's/^dpkg-checkbuilddeps: //')
[ -z "$missing" ] || skip "$missing"

# Nothing is ever built in the tree itself. What is not committed yet is tested, too.
mkdir "$folder/tutti"
{ git ls-files --cached --others --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done; } |
  tar -c -f - -T - | tar -x -f - -C "$folder/tutti"
cd "$folder/tutti" || exit 1

# Not what the tests have set, which finds the tree's own parts. Tests of their own run in the other suites.
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$folder" LC_ALL=C.UTF-8 \
  DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" timeout 2400 dpkg-buildpackage -us -uc -b > "$folder/log" 2>&1
status=$?
if [ "$status" -eq 0 ]; then tap_pass "dpkg-buildpackage"; else tap_fail "dpkg-buildpackage" "$(tail -n 40 "$folder/log")"; tap_end; fi
cd "$folder" || exit 1
packages=$(sed -n 's/^Package: //p' "$TUTTI_SOURCE_DIR/debian/control")
tap_equal "all packages are there" "$(echo "$packages" | sort | tr '\n' ' ')" \
  "$(for file in *.deb; do dpkg-deb -f "$file" Package; done | grep -v -e -dbgsym | sort | tr '\n' ' ')"
tap_empty "none has a file of another" \
  "$(for file in *.deb; do dpkg-deb -c "$file" | awk '$1 !~ /^d/ { print $6 }'; done | sort | uniq -d)"
tap_empty "lintian has no errors and no warnings" \
  "$(timeout 600 lintian --allow-root --fail-on none --tag-display-limit 0 --display-level '>=warning' ./*.changes 2>&1 | grep '^[EW]:')"
tap_empty "nothing in the programs and libraries knows where they were built" \
  "$(for file in *.deb; do case $file in *dbgsym*) ;; *) dpkg-deb -x "$file" all ;; esac; done
     readelf -d all/usr/bin/tutti all/usr/lib/*/tutti/tutti-worker all/usr/lib/*/*.so.* 2> /dev/null | grep -E 'R(UN)?PATH' | grep -F "$folder")"

cat > use <<'END2'
cd /
tutti -c '(display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))'
guile -c '(use-modules (tutti) (tutti mt1d)) (display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))
          (display (operator-domain (mt-response (list 1 10) (list 0 100 1000))))'
tutti doctor > "$folder/doctor" || cat "$folder/doctor"
[ ! -e "$folder/.cache" ] || find "$folder/.cache" -name "*.go"   # nothing was compiled again
printf '#include <tutti/operator.h>\nint mark (void) { return 3; }\n' > "$folder/mark.c"
cc -shared -fPIC -Wall -Werror $(pkg-config --cflags tutti) -o "$folder/mark.so" "$folder/mark.c" && printf ' compiles'
[ -f "$(pkg-config --variable=moduledir tutti)/mt1d.so" ] && printf ' modules'
if /usr/bin/python3 -c 'import gi' 2> /dev/null; then
  /usr/bin/python3 -c 'import gi; gi.require_version("Tutti", "0"); from gi.repository import Tutti
print("", Tutti.Value.new_real (3).get_real (), end="")'
else
  printf ' 3.0'
fi
printf ' stranger '
sh "$TUTTI_SOURCE_DIR/tests/support/stranger.sh" "$folder"
END2
said="(1 2 3)(1 2 3)3 compiles modules 3.0 stranger 9.0"
obstacle=$(overlay_obstacle "$folder")
if [ -z "$obstacle" ]; then
  cat > install <<'END2'
find /usr /etc -xdev | sort > before
# shellcheck disable=SC2046
dpkg -i $(ls ./*.deb | grep -v -e -dbgsym) > log-of-dpkg 2>&1 || cat log-of-dpkg
cd / && sh "$folder/use" > "$folder/said" 2>&1; cd "$folder"
tutti --env > env 2>&1
man -w tutti > /dev/null 2> man || cat man
# shellcheck disable=SC2086
dpkg --purge $packages > log-of-dpkg 2>&1 || cat log-of-dpkg
find /usr /etc -xdev | sort > after
END2
  overlay_run "$folder" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$folder" LC_ALL=C.UTF-8 folder="$folder" TUTTI_SOURCE_DIR="$TUTTI_SOURCE_DIR" \
    packages="$(echo $packages)" timeout 300 sh -c 'cd "$folder" && sh install' > failures 2>&1
  tap_empty "they are installed and removed" "$(cat failures)"
  tap_equal "everybody finds everything" "$said" "$(cat said)"
  tap_empty "nothing has to be set" "$(cat env)"
  tap_empty "purged, all is as before" "$(diff before after | grep '^[<>]')"
else
  tap_skip "they are installed and removed" "$obstacle"
  tap_equal "unpacked, with what tutti --env says, everybody finds everything" "$said" \
    "$(env -i PATH=/usr/bin:/bin HOME="$folder" LC_ALL=C.UTF-8 folder="$folder" TUTTI_SOURCE_DIR="$TUTTI_SOURCE_DIR" timeout 200 sh -c 'eval "$(all/usr/bin/tutti --env)"; . ./use' 2>&1)"
fi
tap_end
