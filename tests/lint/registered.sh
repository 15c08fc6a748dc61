#!/bin/sh
# Meson does not look for files: a test, module or source that no meson.build names would silently be left out.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# missing MESON-FILE PREFIX FILES…: the files whose name without PREFIX and suffix is not quoted in MESON-FILE
missing ()
{
  meson=$1 prefix=$2; shift 2
  printf '%s\n' "$@" | awk -v meson="$meson" -v prefix="$prefix" -v quote="'" '
    BEGIN {
      while ((getline line < meson) > 0) {
        n = split(line, part, quote)
        for (i = 2; i <= n; i += 2) { named[part[i]]; sub(/.*\//, "", part[i]); named[part[i]] } } }
    /\*/ { next }   # a pattern that fits nothing
    { name = $0; sub(/\/$/, "", name); sub(/.*\//, "", name)
      stem = name; sub(/\.[^.]*$/, "", stem)
      if (index(stem, prefix) == 1) stem = substr(stem, length(prefix) + 1)
      if (!(stem in named) && !(name in named)) print $0 " is not named in " meson }'
}

for layer in platform look transport process node pool http page cluster module value embedding programs; do
  [ -d "engine/$layer" ] || continue
  tap_empty "sources of engine/$layer" "$(missing "engine/$layer/meson.build" '' "engine/$layer"/*.c)"
done
tap_empty "sources of engine/bindings" "$(missing engine/bindings/meson.build guile- engine/bindings/*.c)"
tap_empty "domains" "$(missing modules/meson.build '' modules/*/)"
tap_empty "Scheme modules" "$(missing scheme/meson.build '' scheme/tutti/*.scm scheme/tutti/*/*.scm scheme/tutti/*/*/*.scm)"
for domain in modules/*/; do
  tap_empty "Scheme modules of $domain" "$(missing "${domain}meson.build" '' "$domain"*.scm "$domain"*/*.scm)"
done
tap_empty "pages of the reference of the API in C" "$(missing doc/meson.build '' doc/c-reference/*.md; missing doc/c-reference/tutti.toml.in '' doc/c-reference/*.md)"
tap_empty "chapters of the manual" "$(missing doc/meson.build '' doc/*.texi)"
tap_empty "files of the tutorial" "$(missing examples/meson.build '' examples/tutorial/*.scm examples/tutorial/*.[ch] examples/tutorial/*.sh examples/tutorial/*.py \
                                          examples/tutorial/*.out)"
tap_empty "files of the chapter on Python" "$(missing examples/meson.build '' examples/python-models/*.scm examples/python-models/*.py \
                                                examples/python-models/*.out)"
tap_empty "unit tests" "$(missing tests/meson.build test- tests/unit/test-*.c tests/unit/fuzz-*.c)"
tap_empty "tests of the public API" "$(missing tests/meson.build test- tests/embedding/*.c)"
tap_empty "tests of Scheme" "$(missing tests/meson.build test- tests/scheme/test-*.scm)"
tap_empty "integration tests" "$(missing tests/meson.build test- tests/integration/*.scm tests/integration/*.sh tests/integration/*.c \
                                     tests/integration/*.py)"
tap_empty "stress tests" "$(missing tests/meson.build '' tests/stress/*.scm)"
tap_empty "tests of packages" "$(missing tests/meson.build '' tests/packages/*.scm tests/packages/*.sh)"
tap_empty "lint" "$(missing tests/meson.build '' tests/lint/*.sh tests/lint/*.scm tests/lint/*.py)"
tap_end
