#!/bin/sh
# A function whose name ends in _locked asserts first that its lock is held; builds that check locks end a program in which it is not.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# shellcheck disable=SC2046
tap_empty "functions that expect a lock assert it" "$(
  awk '
    /^[a-z_0-9]+_locked \(/ { name = $1; where = FILENAME ":" FNR; next }
    name != "" && /;$/ { name = "" }
    name != "" && /^\{/ { expected = name; name = ""; next }
    expected != "" {
      if ($0 !~ /^  TTI_ASSERT_LOCKED \(/) print where ": " expected " does not begin with TTI_ASSERT_LOCKED ()"
      expected = "" }
  ' $(find engine modules -name '*.c' | sort))"
tap_end
