#!/bin/sh
# Nothing in the tree is left for later, nothing names a folder of somebody's machine, and words are those of the field.
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
# Temporary files: g_dir_make_tmp () in C, mkdtemp below ${TMPDIR:-/tmp} elsewhere. Whoever can guess a name below that folder can be there
# first; what looks into a folder that it has made itself is test-plot.scm, and temporary.scm sets it to one.
tap_empty "no folder of a machine" "$(in_tree '(^|[^A-Za-z0-9_.:}-])/(work|root|home|tmp|Users)/[A-Za-z0-9_.-]')"
# Names of the field, which newcomers can guess. (missing-module.scm has the former names of modules.)
tap_empty "no private vocabulary" \
          "$(in_tree '\b(bells?|unsaid|crew|spoil(s|t|ed|ing)?)\b|\b[Aa] (f|s)(8|16|32|64)vector' |
             grep -v '^\./scheme/tutti/advice/missing-module\.scm:')"
tap_empty "no trailing space" "$(in_tree '[[:blank:]]+$')"
tap_empty "no temporary file whose name can be guessed" \
          "$(in_tree 'TMPDIR|get_tmp_dir|\b(te?mpnam|mktemp +-u)\b' |
             grep -vE 'XXXXXX|^\./(README\.md|doc/environment\.texi|doc/tutti\.1|tests/scheme/test-plot\.scm|tests/support/(cluster|temporary)\.scm|engine/cluster/worker-environment\.c|engine/look/door\.c):|\$\{?TMPDIR:-/tmp\}?"?$')"
unlicensed=$(find engine modules scheme tests bootstrap .ci -type f \
                  \( -name '*.[ch]' -o -name '*.scm' -o -name '*.scm.in' -o -name '*.sh' -o -name meson.build \
                     -o -name bootstrap -o -name run \) -exec awk '
                    BEGIN { for (i = 1; i < ARGC; i++) without[ARGV[i]] }
                    FNR > 12 { nextfile }
                    /SPDX-License-Identifier: LGPL-3.0-or-later/ { delete without[FILENAME]; nextfile }
                    END { for (file in without) print file }' {} +)
tap_empty "every file names its licence at the top" "$unlicensed"
tap_end
