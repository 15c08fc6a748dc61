#!/bin/sh
# What leaves the library is tti_*, and only the extension needs Guile.
# SPDX-License-Identifier: LGPL-3.0-or-later
# Arguments: libtutti-core, the extension, and the programs.
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
library=$1 extension=$2; shift 2

# exports FILE: names without version
exports () { nm -D --defined-only "$1" | awk 'NF >= 3 { sub(/@.*/, "", $3); print $3 }'; }
needs () { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }

names=$(exports "$library")
if [ -n "$names" ]; then
  tap_empty "libtutti-core exports only tti_*" "$(echo "$names" | grep -v -e '^tti_' -e '^tutti_error_quark$' -e '^TUTTI_PRIVATE$')"
else
  tap_fail "libtutti-core exports only tti_*" "it exports nothing"
fi
tap_empty "libtutti-core does not need Guile" "$(needs "$library" | grep guile)"
tap_empty "the extension uses libtutti-core and has no copy of it" \
          "$(needs "$extension" | grep -q '^libtutti-core\.so' || echo "it is not linked with libtutti-core.so")"
for program in "$@"; do
  tap_empty "$(basename "$program") starts without Guile" "$(needs "$program" | grep guile)"
done
tap_end
