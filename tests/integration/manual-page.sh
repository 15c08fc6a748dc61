#!/bin/sh
# The manual page is well-formed, and has the commands, options and variables that `tutti --help' has, and no others.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

page=$TUTTI_SOURCE_DIR/doc/tutti.1
help=$("$TUTTI" --help)

# Names of commands begin a line of the summary; options are wherever they are, also in what is printed about an error.
from_help=$({ echo "$help" | sed -n '1,/^Environment/ s/^  \([a-z][a-z]*\) .*/\1/p'
              { echo "$help"; strings "$TUTTI" | grep '^tutti [a-z-]* .*\['; } | grep -oE -e "(^|[ ['\`,])--?[a-zA-Z][a-z-]*" | sed 's/^[^-]*//'
              echo -h; echo -q; } | sort -u)
from_page=$({ sed -n 's/^\.Cm \([a-z]*\)$/\1/p; s/^\.It Cm \([a-z]*\).*/\1/p' "$page" | grep -vxE 'study|inversion|operator|never'
              tr ' ' '\n' < "$page" | awk '/^Fl$/ || /^\.Fl$/ || /^\|$/ { option = $0 != "|" || bar; bar = option; if (option) next }
                                           option && /^-?[a-zA-Z]/ { print "-" $0; bar = 1 } { option = 0 }'; } | sort -u)
tap_equal "commands and options" "$(echo "$from_help" | tr '\n' ' ')" "$(echo "$from_page" | tr '\n' ' ')"

tap_empty "the variables of --help are in it" \
  "$(echo "$help" | grep -oE '\bTUTTI_[A-Z_]+' | sort -u | while read -r name; do grep -q "^\.It Ev .*$name" "$page" || echo "$name"; done)"
tap_empty "its variables are in the manual" \
  "$(sed -n 's/^\.It Ev //p' "$page" | tr -d ',' | tr ' ' '\n' | grep . | while read -r name; do
       grep -qE "^@itemx? $name\$" "$TUTTI_SOURCE_DIR/doc/environment.texi" || echo "$name"; done)"
kinds=$("$TUTTI" new --help | sed -n '/^kinds:/,$ s/^  \([a-z]*\) .*/\1/p' | sort | tr '\n' ' ')
tap_equal "the kinds of projects" "$kinds" "$(sed -n 's/^\.Cm \(study\|inversion\|operator\)\>.*/\1/p' "$page" | sort -u | tr '\n' ' ')"

if command -v man > /dev/null && command -v groff > /dev/null; then
  tap_empty "man has no complaints" "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null)"
else
  tap_skip "man has no complaints" "man and groff are not installed"
fi
if command -v mandoc > /dev/null; then
  tap_empty "mandoc has no complaints" "$(mandoc -Tlint -W warning "$page")"
else
  tap_skip "mandoc has no complaints" "mandoc is not installed"
fi
tap_end
