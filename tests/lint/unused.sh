#!/bin/sh
# What nobody uses is not there: functions that no other file calls, declarations without a function, macros, primitives.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh
build=${TUTTI_BUILD_DIR:-build}

# Functions that no other file of the engine and of the domains calls: name, then why it is there. Tests alone are no reason for a function
# that opens a back door to them.
allowed='
main                                the program
tti_guile_worker_handler            tutti-worker finds it in the extension by its name
tti_guile_worker_start              tutti-worker finds it in the extension by its name
tti_module_adopt                    operators of a program that is not a shared object, as those of tests
tti_link_abort                      tests cut links
tti_viewer_connect                  whoever looks at a job by its door
tti_engine_get_door_name            tests look at engines of their own
tti_pool_grow                       programs in C wait for it; Scheme looks meanwhile
tti_prefetch_depth                  arithmetic, which is tested by itself
tti_storage_guard                   builds that check locks name it
tti_watcher_link_close              the unref of those who wait for the end themselves
tti_watcher_link_get_guard_pid      who the processes are
tti_watcher_link_get_watcher_pid    who the processes are
tti_packet_transport_new            one of the transports that all pass the same tests
forkpty                             stands in front of the function of libc
popen                               stands in front of the function of libc
posix_spawnp                        stands in front of the function of libc
alarm                               stands in front of the function of libc
nice                                stands in front of the function of libc
prlimit                             stands in front of the function of libc
prlimit64                           stands in front of the function of libc
putenv                              stands in front of the function of libc
sched_setaffinity                   stands in front of the function of libc
sched_setparam                      stands in front of the function of libc
setrlimit                           stands in front of the function of libc
unsetenv                            stands in front of the function of libc
'

# An object that is left of a source that is no more says nothing.
objects=$(find "$build/engine" "$build/modules" -name '*.c.o' | while read -r object; do
            folder=${object#"$build/"}; name=${folder##*/}; folder=${folder%/*/*}
            [ ! -f "$folder/${name%.o}" ] && [ ! -f "$folder/$(echo "${name%.o}" | tr _ /)" ] || echo "$object"
          done)
# object type name, for each symbol that an object has or needs
# shellcheck disable=SC2086
symbols=$(nm -gP -A $objects | awk '{ print $1, $3, $2 }')

if [ -z "$symbols" ]; then
  tap_fail "functions that no other file calls" "there are no objects in $build"
else
  tap_empty "functions that no other file calls" "$({ echo "$allowed"; echo =; sed -n 's/^ *\(tutti_[a-z0-9_]*\);$/public \1/p' engine/embedding/libtutti.map engine/bindings/guile.map; echo "$symbols"; } | awk '
    $0 == "=" { read = 1; next }
    $1 == "public" { public[$2] = 1; next }
    !read { if (NF) allowed[$1]; next }
    $2 == "U" { used[$3]; next }
    # A domain exports what others look for by its name.
    # What the libraries export is for others: the lint of symbols compares it with the headers.
    $1 ~ /\/(embedding|bindings)\// && public[$3] { next }
    $1 ~ /\/engine\// { name = $1; sub(/\.o:?$/, "", name); sub(/.*\//, "", name); defined[$3] = name }
    END {
      for (name in defined)
        if (!(name in used) && !(name in allowed))
          print defined[name] ": " name " is used by no other file: make it static, or delete it"
      for (name in allowed)
        if (!(name in defined)) print name " is allowed to have no user, but is not there"
        else if (name in used) print name " is allowed to have no user, but has one" }' | sort)"
fi

# text FILES…: their text without comments and strings
text ()
{
  awk '
    { line = $0 }
    inside { if (!sub(/^.*\*\//, "", line)) next; inside = 0 }
    { gsub(/"(\\.|[^"\\])*"/, "\"\"", line)
      gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ", line)
      if (sub(/\/\*.*/, "", line)) inside = 1
      print line }
  ' "$@"
}

# No name in the repository has a space.
# shellcheck disable=SC2046
tap_empty "declarations without a function" "$({ echo "$symbols"; echo =; text $(find engine modules -name '*.h' | sort); } | awk '
  $0 == "=" { read = 1; next }
  !read { if ($2 != "U") defined[$3]; next }
  # What only builds that check locks have.
  /^#ifdef TUTTI_CHECK_LOCKS/ { other = 1 }
  /^#(else|endif)/ { other = 0 }
  other || /^static / || /^#/ { next }
  /^[A-Za-z].* [*]?(tutti|tti)_[a-z0-9_]+ \(/ {
    name = $0; sub(/ \(.*/, "", name); sub(/.*[ *]/, "", name)
    if (!(name in defined)) print name " is declared and nowhere defined" }')"

# GC_THREADS is for a header of the collector; a task that is new has the first of its states; types are for users of the public API.
# shellcheck disable=SC2046
tap_empty "macros and constants that are used nowhere" "$(
  for file in $(find engine modules tests examples -name '*.[ch]' | sort); do echo "=$file"; text "$file"; done | awk '
  /^=/ { file = substr($0, 2); next }
  file ~ /^(engine|modules)\// && /^[ \t]*#[ \t]*define[ \t]/ { name = $0; sub(/^[ \t]*#[ \t]*define[ \t]+/, "", name); sub(/[^A-Za-z0-9_].*/, "", name); made[name] = file }
  file ~ /^(engine|modules)\// && /^[ \t]*(TUTTI_)?[A-Z][A-Z0-9_]+([ \t]*=[^=].*)?,?[ \t]*$/ { name = $1; sub(/[^A-Za-z0-9_].*/, "", name); made[name] = file }
  { n = split($0, word, /[^A-Za-z0-9_]+/); for (i = 1; i <= n; i++) count[word[i]]++ }
  END { for (name in made) if (count[name] < 2 && name !~ /^(GC_THREADS|TTI_TASK_NEW|TUTTI_TYPE_[A-Z]+)$/) print made[name] ": " name }' | sort)"

# shellcheck disable=SC2046
tap_empty "primitives that no module uses" "$(
  { cat $(find scheme modules -name '*.scm' -o -name '*.scm.in' | sort); echo =; grep -ho '"%[^" ]*"' engine/bindings/*.c modules/python/*.c modules/umbridge/*-primitives.c; } | awk '
  $0 == "=" { read = 1; next }
  !read { sub(/;.*/, ""); n = split($0, word, /[][()'"'"'`,"@ \t]+/); for (i = 1; i <= n; i++) used[word[i]]; next }
  { name = substr($0, 2, length($0) - 2)
    if (name ~ /^%[a-z]/ && name !~ /%.*%/ && !(name in used)) print name " is used by no module: tests have an extension of their own" }')"
tap_end
