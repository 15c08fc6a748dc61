#!/bin/sh
# What Guile's manual does not document, the layout of its objects and the interface of its collector, is known to one header of the bindings
# and to the file that checks it.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# Names of Guile's headers that its manual lacks; documented ones that go by the layout of an object: cells (SCM_CELL_WORD_1 of what?).
internals='\<(scm_i_|SCM_I_|SCM_(SET_)?CELL_|SCM_(SET_|MUTABLE_)?HASHTABLE|SCM_BYTEVECTOR_(P|PARENT|FLAGS|ELEMENT_TYPE|CONTIGUOUS_P)\>'
internals=$internals'|SCM_(SET|MUTABLE)_BYTEVECTOR|SCM_F_(BYTEVECTOR|VECTOR)_|SCM_TYP(7|16)|SCM_HAS_TYP|scm_tc[0-9]+_|scm_the_rng|SCM_R?STATE'
internals=$internals'|SCM_(REALP|REAL_VALUE|BIGP|FRACTIONP|NUMP|COMPLEX(P|_REAL|_IMAG)|INUM0?|CHARP?|MAKE_CHAR|SETC[AD]R|VARIABLE_(REF|SET)|OPPORTP|PORTP)\>'
internals=$internals'|GC_)'

# complaints FILES...: lines that name one of them, comments apart
complaints ()
{
  grep -nE "$internals|<gc(/gc)?\.h>" "$@" /dev/null | grep -vE '^[^:]*:[0-9]+: *(/\*| \*)'
}

# No name in the repository has a space.
# shellcheck disable=SC2046
tap_empty "Guile's insides are in bindings/guile-internals.h alone" "$(
  complaints $(find engine modules examples tests -name '*.[ch]' ! -name 'guile-internals.[ch]' | sort))"

# Each that the header has is tried when the bindings are loaded.
unchecked=$(sed -nE 's/^(tti_guile_[a-z_0-9]+) \(.*/\1/p' engine/bindings/guile-internals.h | while read -r name; do
              grep -q "$name (" engine/bindings/guile-internals.c || echo "$name is not checked in guile-internals.c"; done)
tap_empty "each is checked at the start" "$unchecked"
tap_end
