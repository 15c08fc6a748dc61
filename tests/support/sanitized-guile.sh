#!/bin/sh
# sanitized-guile.sh TEST: run a test of the Scheme library with the C half of this build, which has AddressSanitizer in it, and the bytecode of
# the build without (build/, beside this one): neither Guile nor its compiler runs under the sanitizer, but a Guile into which it is loaded first
# does. Guile's collector keeps what C calls leaked, looks at stacks as they are, and has its own way with faults.
# SPDX-License-Identifier: LGPL-3.0-or-later
plain=${TUTTI_PLAIN_BUILD:-$(dirname "$TUTTI_BUILD_DIR")/build}
if [ ! -f "$plain/scheme/tutti.go" ]; then
  echo "1..0 # SKIP there is no build without a sanitizer in $plain"
  exit 0
fi
GUILE_LOAD_PATH=$TUTTI_SOURCE_DIR/tests/support:$TUTTI_SOURCE_DIR/scheme:$plain/scheme
GUILE_LOAD_COMPILED_PATH=$plain/scheme
GUILE_EXTENSIONS_PATH=$TUTTI_BUILD_DIR/engine/bindings
TUTTI=$plain/engine/programs/tutti
LC_ALL=C.UTF-8
export GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_EXTENSIONS_PATH TUTTI LC_ALL
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0:handle_segv=0:use_sigaltstack=0:abort_on_error=1
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
LD_PRELOAD=$(cc -print-file-name=libasan.so):$(cc -print-file-name=libubsan.so)
export ASAN_OPTIONS UBSAN_OPTIONS LD_PRELOAD
exec guile "$1"
