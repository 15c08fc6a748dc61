#!/bin/bash
# What is around the chroot of Debian 13: where it is kept, where it comes from, and what counts where it cannot be.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
folder=$(mktemp -d "${TMPDIR:-/tmp}/test-debian13-XXXXXX") || exit 1
unset TUTTI_CACHE XDG_CACHE_HOME TUTTI_MIRROR TUTTI_SHARED CI
# What it has from bootstrap.
root=$folder
has () { command -v "$1" > /dev/null 2>&1; }
needed_packages () { echo gcc; echo meson; }
cd "$folder" || exit 1

# kept NAME=VALUE…: where the chroot is then
kept () { env "$@" bash -c '. "$TUTTI_SOURCE_DIR/tests/support/debian13.bash"; echo "$debian13_root"'; }
tap_equal "it is kept in the system's cache" "/var/cache/tutti/debian13" "$(kept)"
tap_equal "or in the user's" "/a b/tutti/debian13" "$(kept XDG_CACHE_HOME='/a b')"
tap_equal "or where somebody says" "/c/tutti/debian13" "$(kept XDG_CACHE_HOME='/a b' TUTTI_CACHE=/c)"

TUTTI_CACHE=$folder/cache
. "$TUTTI_SOURCE_DIR/tests/support/debian13.bash"
mirror () { debian13_mirror; }
apt-get () { printf 'Debian-Security http://here/security\nOthers http://there/\nDebian http://here/debian/\n'; }
tap_equal "the mirror is apt's" "http://here/debian/" "$(mirror)"
apt-get () { :; }
tap_equal "or Debian's own" "http://deb.debian.org/debian" "$(mirror)"
tap_equal "or the one that somebody names" "file:///nowhere" "$(TUTTI_MIRROR=file:///nowhere mirror)"

mkdir -p "$debian13_root"
tap_equal "a chroot is made when it is whole" "no" "$(debian13_is_made && echo yes || echo no)"
needed_packages > "$debian13_root/tutti-packages"
tap_equal "with all packages" "yes" "$(debian13_is_made && echo yes || echo no)"
echo one-more >> "$debian13_root/tutti-packages"
tap_equal "and with no others" "no" "$(debian13_is_made && echo yes || echo no)"

# counted REASON: what a run counts that is skipped because of it, where all must work
counted ()
{
  debian13_skip "$1"
  TUTTI_TEST_MUST_WORK=1 "$TUTTI_SOURCE_DIR/tests/support/count-tap" "$debian13_build" | tail -n 1
}

tap_equal "where it cannot be, all is one skip" "0 passed, 0 failed, 1 skipped" "$(counted 'needs root: chroot and mount are for root alone')"
debian13_isolated () { echo 'unshare: "Operation not permitted" \'; return 1; }
if [ "$(id -u)" -eq 0 ]; then
  tap_equal "no namespaces" 'no namespaces: unshare: "Operation not permitted" \' "$(debian13_obstacle)"
  tap_equal "which is allowed" "0 passed, 0 failed, 1 skipped" "$(counted "$(debian13_obstacle)")"
  debian13_isolated () { :; }
  debian13_reaches () { false; }
  tap_equal "no mirror" "no mirror: http://deb.debian.org/debian cannot be reached, to make $debian13_root" "$(debian13_obstacle)"
  tap_equal "which is allowed as well" "0 passed, 0 failed, 1 skipped" "$(counted "$(debian13_obstacle)")"
  needed_packages > "$debian13_root/tutti-packages"
  tap_equal "a chroot that is made needs no mirror" "" "$(debian13_obstacle)"
else
  tap_equal "who is not root" "needs root: chroot and mount are for root alone" "$(debian13_obstacle)"
fi
tap_equal "other reasons are not allowed" "0 passed, 1 failed, 0 skipped" "$(counted 'out of disk')"
cd / && rm -rf "$folder"
tap_end
