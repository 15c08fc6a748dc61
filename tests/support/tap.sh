# TAP for shell tests: . "$TUTTI_SOURCE_DIR/tests/support/tap.sh", then cases, then tap_end.
# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# A script that ends before tap_end has no plan and a non-zero status, so that it cannot pass by accident.
tap_count=0
tap_failed=0
trap '[ -n "${tap_ended-}" ] || { echo "Bail out! ended early with status $?"; exit 1; }' EXIT

# tap_pass NAME
tap_pass () { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1"; }

# tap_fail NAME TEXT
tap_fail ()
{
  tap_count=$((tap_count + 1)); tap_failed=$((tap_failed + 1))
  echo "not ok $tap_count - $1"
  printf '%s\n' "$2" | sed 's/^/# /'
}

# tap_skip NAME REASON
tap_skip () { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1 # SKIP $2"; }

# tap_empty NAME TEXT: passes if TEXT, a list of complaints, is empty.
tap_empty () { if [ -z "$2" ]; then tap_pass "$1"; else tap_fail "$1" "$2"; fi; }

# tap_equal NAME EXPECTED ACTUAL
tap_equal () { if [ "$2" = "$3" ]; then tap_pass "$1"; else tap_fail "$1" "expected: $2
actual:   $3"; fi; }

# installing_alone: until the end of this script, no other installs from the build folder: Meson remembers the last installation only.
installing_alone () { exec 9> "$TUTTI_BUILD_DIR/meson-logs/installing"; flock 9; }

tap_end () { echo "1..$tap_count"; tap_ended=yes; [ "$tap_failed" -eq 0 ]; exit; }
