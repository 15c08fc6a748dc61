#!/bin/sh
# What a function promises is said where it is declared: each declaration in a header of the engine has a comment, above its
# paragraph or on its line; for what the public headers declare (TUTTI_API), where it is defined. Only the names whose meaning is the same everywhere (_quark, _ref, _unref, _free) need none.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# complaints FILES…
complaints ()
{
  awk '
    function finish(    name) {
      # The comment may also stand on the lines of the declaration.
      if (!covered && text !~ /\/\*/) {
        name = text; sub(/[ \t]*\(.*/, "", name); sub(/.*[ \t*]/, "", name)
        if (name !~ /_(quark|ref|unref|free)$/)
          print FILENAME ":" at ": " name " is declared without a comment"
      }
      inside = 0 }
    FNR == 1 { covered = in_comment = inside = 0 }
    inside { text = text " " $0; if (/;/) finish(); next }
    /^[ \t]*$/ { covered = 0; next }
    /^[ \t]*\/\*/ || in_comment { covered = 1; in_comment = !/\*\//; next }
    # A declaration starts in the first column, with a type. Types of functions and macros are not functions.
    /^[A-Za-z_][A-Za-z0-9_ *]*[ *](tutti|tti)_[a-z0-9_]+[ \t]*\(/ && !/^(typedef|return|TUTTI_API)/ {
      text = $0; at = FNR; inside = 1; if (/;/) finish(); else if (/\{/) inside = 0 }
  ' "$@"
}

# No name in the repository has a space.
for folder in $(find engine -name '*.h' -exec dirname {} + | sort -u); do
  tap_empty "$folder" "$(complaints "$folder"/*.h)"
done
tap_end
