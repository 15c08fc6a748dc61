#!/bin/sh
# A file is one idea: C files up to 600 lines, functions up to 60, Scheme modules up to 400. Lines are
# wrapped at 120 columns; what is a little longer because it reads better so is left alone up to 140.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

c_files=$(find engine modules tests -name '*.[ch]' | sort)
scheme_files=$(find scheme modules -name '*.scm' | sort)
all_scheme=$(find scheme modules tests examples -name '*.scm' | sort)

# too_long LIMIT FILES…
too_long ()
{
  limit=$1; shift
  wc -l "$@" | awk -v limit="$limit" '
    $2 != "total" && $1 > limit { print $2 " has " $1 " lines, the limit is " limit ": a second idea has moved in, split it" }'
}

# A function's body starts with a brace in the first column after a line that ends with the parameters, or at the end of that line.
long_functions ()
{
  [ "$#" -gt 0 ] || return 0
  awk -v limit=60 '
    FNR == 1 { previous = ""; start = 0 }
    !start && (/^\{/ && previous ~ /\)[ \t]*$/ || /^[A-Za-z_].*\)[ \t]*\{[ \t]*$/) {
      start = FNR; name = /^\{/ ? signature : $0 }
    start && /^\}/ {
      if (FNR - start - 1 > limit)
        print FILENAME ":" start ": a function of " FNR - start - 1 " lines, the limit is " limit ": " name
      start = 0 }
    /^[A-Za-z_]/ { signature = $0 }
    NF { previous = $0 }
  ' "$@"
}

too_wide ()
{
  LC_ALL=C.UTF-8 wc -L "$@" | awk '
    $2 != "total" && $1 > 140 { print $2 " has a line of " $1 " columns, the limit is 140" }'
}

# No name in the repository has a space.
# shellcheck disable=SC2086
{
  tap_empty "C files" "$(too_long 600 $c_files)"
  tap_empty "C functions" "$(long_functions $c_files)"
  tap_empty "Scheme modules" "$(too_long 400 $scheme_files)"
  tap_empty "columns" "$(too_wide $c_files $all_scheme)"
}
tap_end
