#!/bin/sh
# One unit for memory: what users read, in messages and documents, has MB, a million bytes, and its kin; exact powers of two are in bytes.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

binary='[0-9a-z] ?[KMG]i(B|bytes?)\b|\b[kmg]ibibytes?\b'

tap_empty "no binary units in documents" "$(grep -rnE "$binary" README.md NEWS doc --include=NEWS --include='*.md' --include='*.texi')"
tap_empty "no binary units in what C programs say" "$(grep -rnE "\"[^\"]*( |[0-9a-z])[KMG]iB\b" engine modules --include='*.[ch]')"
tap_empty "no binary units in what Scheme says, nor in docstrings" \
          "$(grep -rnE "( |[0-9a-z])[KMG]iB\b" scheme modules examples --include='*.scm' | grep -vE '^[^:]*:[0-9]+:[^"]*;')"
tap_end
