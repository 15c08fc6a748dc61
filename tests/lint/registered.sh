#!/bin/sh
# Meson does not look for files: a test, module or source that no meson.build names would silently be left out.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# missing MESON-FILE PREFIX FILES…: the files whose name without PREFIX and suffix is not quoted in MESON-FILE
missing ()
{
  meson=$1 prefix=$2; shift 2
  for file in "$@"; do
    [ -e "$file" ] || continue
    name=$(basename "$file"); stem=${name%.*}; stem=${stem#"$prefix"}
    grep -qE "'($stem|[a-z/]*$name)'" "$meson" || echo "$file is not named in $meson"
  done
}

for layer in platform transport process pool module programs; do
  tap_empty "sources of engine/$layer" "$(missing "engine/$layer/meson.build" '' "engine/$layer"/*.c)"
done
tap_empty "sources of engine/bindings" "$(missing engine/bindings/meson.build guile- engine/bindings/*.c)"
tap_empty "domains" "$(missing modules/meson.build '' modules/*/)"
tap_empty "Scheme modules" "$(missing scheme/meson.build '' scheme/tutti/*.scm scheme/tutti/*/*.scm)"
tap_empty "unit tests" "$(missing tests/meson.build test- tests/unit/test-*.c tests/unit/fuzz-*.c)"
tap_empty "tests of Scheme" "$(missing tests/meson.build test- tests/scheme/test-*.scm)"
tap_empty "integration tests" "$(missing tests/meson.build test- tests/integration/*.scm tests/integration/*.sh tests/integration/*.c)"
tap_empty "stress tests" "$(missing tests/meson.build '' tests/stress/*.scm)"
tap_empty "lint" "$(missing tests/meson.build '' tests/lint/*.sh tests/lint/*.scm)"
tap_end
