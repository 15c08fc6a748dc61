#!/bin/sh
# What leaves the library is tti_*, only the extension needs Guile, and what is loaded into applications leaves them as they are.
# SPDX-License-Identifier: LGPL-3.0-or-later
# Arguments: libtutti-core and other libraries of applications, --, the extension, that for Python, and the programs.
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
library=$1 libraries=
while [ "$1" != -- ]; do libraries="$libraries $1"; shift; done
extension=$2 python=$3; shift 3

# exports FILE, imports FILE: names without version
exports () { nm -D --defined-only "$1" | awk 'NF >= 3 { sub(/@.*/, "", $3); print $3 }'; }
imports () { nm -D --undefined-only "$1" | awk 'NF >= 2 { sub(/@.*/, "", $NF); print $NF }'; }
needs () { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'; }

names=$(exports "$library")
if [ -n "$names" ]; then
  tap_empty "libtutti-core exports only tti_*" "$(echo "$names" | grep -v -e '^tti_' -e '^tutti_error_quark$' -e '^TUTTI_PRIVATE$')"
else
  tap_fail "libtutti-core exports only tti_*" "it exports nothing"
fi
tap_empty "libtutti-core does not need Guile" "$(needs "$library" | grep guile)"
# declared HEADER: the functions that applications may call
declared () { sed -n 's/^TUTTI_API.*[ *]\(tutti_[a-z0-9_]*\) (.*/\1/p; s/^TUTTI_API G_DECLARE_FINAL_TYPE ([A-Za-z]*, \([a-z_]*\),.*/\1_get_type/p' "$1"; }
tap_equal "libtutti-guile exports what tutti/guile.h declares, and what Guile calls" \
          "$({ declared "$TUTTI_SOURCE_DIR/engine/include/tutti/guile.h"; echo tutti_guile_init; } | sort)" \
          "$(nm -D --defined-only "$extension" | sed -n 's/.* \([a-z_]*\)@@TUTTI_GUILE_[0-9.]*$/\1/p' | sort)"
tap_empty "libtutti does not need Guile" "$(for file in $libraries; do needs "$file" | grep guile; done)"
tap_empty "the extension uses libtutti-core and has no copy of it" \
          "$(needs "$extension" | grep -q '^libtutti-core\.so' || echo "it is not linked with libtutti-core.so")"
# Which libpython, the user says at run time.
tap_equal "the extension for Python exports what Guile calls" tti_python_init "$(exports "$python")"
tap_empty "it does not need Python, and uses libtutti-core" \
          "$(needs "$python" | grep python; imports "$python" | grep '^_*Py'; needs "$python" | grep -q '^libtutti-core\.so' || echo "it is not linked with libtutti-core.so")"
umbridge=$TUTTI_MODULEDIR/tutti-umbridge.so
if [ -e "$umbridge" ]; then
  tap_equal "the extension for UM-Bridge exports what Guile calls" tti_umbridge_init "$(exports "$umbridge")"
fi
for program in "$@"; do
  tap_empty "$(basename "$program") starts without Guile" "$(needs "$program" | grep guile)"
done
# Two copies would have two tables of vectors, two sets of locks, and so on. Names that are not exported are seen as well. The domain of errors
# is known by its name.
for file in "$extension" "$python" "$umbridge" $libraries "$@"; do
  [ -e "$file" ] && [ "$file" != "$library" ] && needs "$file" | grep -q '^libtutti-core\.so' || continue
  tap_empty "$(basename "$file") has no copy of what is in libtutti-core" \
            "$({ echo "$names" | grep -v "^tutti_error_quark$"; echo =; nm --defined-only "$file"; } | awk '$0 == "=" { read = 1; next } !read { core[$1]; next } $NF in core { print $NF }')"
done

# What the public headers declare, what the list says, and what libtutti has are the same. (guile.h belongs to a library of its own.)
include=$TUTTI_SOURCE_DIR/engine/include/tutti map=$TUTTI_SOURCE_DIR/engine/embedding/libtutti.map
lists=$(mktemp -d "${TMPDIR:-/tmp}/tutti-symbols-XXXXXX")
# shellcheck disable=SC2046
awk '/G_DECLARE_[A-Z]+_TYPE/ { sub(/.*\(/, ""); split($0, part, /, */); print part[2] "_get_type"; next }
     /^(TUTTI_API|__attribute__ \(\(visibility \("default"\)\)\)) / { sub(/^__attribute__ \(.*"\)\)\) /, ""); sub(/ *\(.*/, ""); sub(/.*[ *]/, ""); print }' \
  $(find "$include" -name '*.h' ! -name guile.h) | sort > "$lists/declared"
sed -n 's/^ *\(tutti_[a-z0-9_]*\);.*/\1/p' "$map" > "$lists/listed-as-it-is"
sort "$lists/listed-as-it-is" > "$lists/listed"
# compare FIRST SECOND: what is in one of two lists alone
compare ()
{
  comm -23 "$lists/$1" "$lists/$2" | sed "s/\$/ is $1, but not $2/"
  comm -13 "$lists/$1" "$lists/$2" | sed "s/\$/ is $2, but not $1/"
}
for file in $libraries; do
  case $(basename "$file") in
    libtutti.so*)
      exports "$file" | grep -v '^TUTTI_0' | sort > "$lists/exported"
      tap_equal "the public headers declare functions" yes "$([ "$(wc -l < "$lists/declared")" -gt 100 ] && echo yes)"
      tap_empty "the headers declare what libtutti.map lists" "$(compare declared listed)"
      tap_empty "libtutti exports what libtutti.map lists" "$(compare exported listed)"
      tap_empty "libtutti.map lists each name once, in order" "$(LC_ALL=C sort -u "$lists/listed-as-it-is" | diff "$lists/listed-as-it-is" -)"
      tap_empty "libtutti does not need Guile" "$(needs "$file" | grep guile)" ;;
  esac
done
rm -r "$lists"

# An application handles its signals, prints, forks and ends by itself, and is no worker: what does such things is in the programs, and
# below Guile (process/meson.build). As an import atexit () is __cxa_atexit, and what is fortified has other names. An assertion may end the
# process (g_assertion_message, g_log). What may be there, and why: doc/architecture.md.
# refused FILE: what it imports that it must not, with the reason
refused ()
{
  imports "$1" | awk '
    function complain(why) { print $1 ": " why }
    /^(__)?(sigaction|signal|bsd_signal|sysv_signal|sigset|sigvec|siginterrupt|sigaltstack|sigprocmask)$/ { complain("handles signals") }
    /^(atexit|__cxa_atexit|at_quick_exit|__cxa_at_quick_exit|on_exit|__cxa_thread_atexit_impl)$/ { complain("acts at the end of the process") }
    /^(exit|_exit|_Exit|quick_exit|abort|siglongjmp|longjmp|_longjmp|__longjmp_chk)$/ { complain("ends the process, or jumps") }
    /^(__)?(fork|_Fork|vfork|__libc_fork|clone|clone3|forkpty|daemon|system|popen)$/ { complain("makes copies of the process") }
    /^(__)?(v?[fd]?printf|v?f?wprintf)(_chk)?$/ || /^(f?puts|f?putw?s|f?putw?c|_IO_putc|putw?char|fwrite|perror|psignal|psiginfo)(_unlocked)?$/ \
      || /^(stdout|stderr|g_print|g_printerr|v?syslog|v?errx?|v?warnx?|error|error_at_line)$/ { complain("prints") }
    /^g_(log_set_.*|set_print.*_handler)$/ { complain("changes what becomes of messages of others") }
    /^(setlocale|setenv|unsetenv|putenv|clearenv|g_setenv|g_unsetenv|chdir|fchdir|g_chdir|umask|alarm|setitimer|nice|setpriority)$/ {
      complain("changes the state of the process") }'
}
for file in $libraries; do
  name=$(basename "$file"); name=${name%%.so*}
  tap_equal "$name has imports, which can be looked at" 0 "$([ -n "$(imports "$file")" ]; echo $?)"
  tap_empty "$name leaves the application's signals, output, end and state alone" "$(refused "$file")"
  tap_empty "$name stands in front of nothing of libc's" \
            "$(exports "$file" | grep -E '^(fork|vfork|forkpty|popen|posix_spawnp?|sigaction|signal|setenv|chdir|close|dup[23])$')"
done
# What no library may: so it is in the worker's program, and this test sees such things where they are.
for program in "$@"; do
  [ "$(basename "$program")" = tutti-worker ] || continue
  tap_equal "tutti-worker stands in front of libc's functions that make processes" "fork forkpty popen posix_spawn posix_spawnp" \
            "$(exports "$program" | grep -xE 'fork|forkpty|popen|posix_spawnp?' | sort | tr '\n' ' ' | sed 's/ $//')"
  for name in sigaltstack vfork _exit fprintf; do
    tap_equal "tutti-worker has $name, which is refused elsewhere" "$name" "$(refused "$program" | sed -n "s/^\($name\): .*/\1/p")"
  done
done
tap_end
