#!/bin/sh
# Nothing in the tree is left for later, and nothing names a folder of somebody's machine.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# Build folders, and this file, which has to name what it looks for.
in_tree ()
{
  grep -rnIE "$1" . --exclude-dir=.git --exclude-dir='build*' --exclude-dir=install --exclude='COPYING*' \
       --exclude=words.sh --exclude='*.svg' | cut -c 1-200
}

tap_empty "nothing is left for later" "$(in_tree '\b(TODO|FIXME|XXX|HACK)\b')"
# Temporary files: g_dir_make_tmp () in C, mkdtemp below ${TMPDIR:-/tmp} elsewhere.
tap_empty "no folder of a machine" "$(in_tree '(^|[^A-Za-z0-9_.:}-])/(work|root|home|tmp|Users)/[A-Za-z0-9_.-]')"
tap_empty "no trailing space" "$(in_tree '[[:blank:]]+$')"
unlicensed=$(find engine modules scheme tests bootstrap .ci -type f \
                  \( -name '*.[ch]' -o -name '*.scm' -o -name '*.scm.in' -o -name '*.sh' -o -name meson.build \
                     -o -name bootstrap -o -name run \) | sort |
               while read -r file; do
                 head -n 12 "$file" | grep -q 'SPDX-License-Identifier: LGPL-3.0-or-later' || echo "$file"
               done)
tap_empty "every file names its licence at the top" "$unlicensed"
tap_end
