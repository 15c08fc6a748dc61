#!/bin/sh
# In engine/pool each file belongs to an owner of state, and includes headers of its owner and of those before it only: no circle. What
# is private to the pool layer stays there. doc/architecture.md has the same table.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# An owner and its files, a line each; an owner knows those in the lines above its own.
owners='
engine companion.h companions.c engine.c engine.h engine-lives.c engine-messages.c engine-private.h engine-registry.c engine-relief.c failures.c history.c history.h looking.c looking.h looking-private.h node-events.c notices.c polling.c viewers.c
task held.c held.h held-private.h task.c task.h task-look.c task-private.h
queue queue.c queue.h
slot prefetch.c slot.c slot-answers.c slot-held.c slot-io.c slot-life.c slot-private.h slot-tasks.c ticks.c timeouts.c
pool capsules.c capsules.h dispatch.c inspect.c inspect.h nodes.c output.c pool.c pool.h pool-events.c pool-look.c pool-private.h relief.c resize.c resources.c restart.c spill.c spill.h stacks.c submit.c
'
# What other layers may include.
public='capsules.h companion.h engine.h held.h inspect.h looking.h pool.h spill.h task.h'

# complaints FILES…: about what they include
complaints ()
{
  { echo "$owners"; echo '='; awk '/^[ \t]*#[ \t]*include[ \t]*"pool\// { line = $0; sub(/^[^"]*"pool\//, "", line); sub(/".*/, "", line)
                                   print FILENAME, FNR, line }' "$@"; } | awk '
    $0 == "=" { read = 1; next }
    !read { for (i = 2; i <= NF; i++) { owner[$i] = $1; rank[$i] = NR } next }
    { file = $1; sub(/.*\//, "", file) }
    !($3 in owner) { print $1 ":" $2 ": no owner has " $3; next }
    rank[$3] > rank[file] { print $1 ":" $2 ": belongs to " owner[file] ", and must not see " $3 " of " owner[$3] }'
}

for owner in $(echo "$owners" | awk 'NF { print $1 }'); do
  files=$(echo "$owners" | awk -v owner="$owner" '$1 == owner { for (i = 2; i <= NF; i++) print "engine/pool/" $i }')
  missing=$(for file in $files; do [ -f "$file" ] || echo "$file is not there"; done)
  # No name in the repository has a space.
  # shellcheck disable=SC2086
  if [ -n "$missing" ]; then tap_fail "$owner" "$missing"; else tap_empty "$owner" "$(complaints $files)"; fi
done

tap_empty "every file of engine/pool has an owner" "$(
  find engine/pool -name '*.[ch]' | sort | sed 's,.*/,,' | while read -r file; do
    n=$(echo "$owners" | awk -v file="$file" '{ for (i = 2; i <= NF; i++) n += $i == file } END { print n + 0 }')
    [ "$n" -eq 1 ] || echo "engine/pool/$file has $n owners"
  done)"

tap_empty "other layers see what is public" "$(
  find engine -name '*.[ch]' ! -path 'engine/pool/*' | sort | xargs awk -v public=" $public " '
    /^[ \t]*#[ \t]*include[ \t]*"pool\// {
      target = $0; sub(/^[^"]*"pool\//, "", target); sub(/".*/, "", target)
      if (!index(public, " " target " ")) print FILENAME ":" FNR ": must not see pool/" target }')"

# | owner | idea | `file` … |
tap_equal "the table in doc/architecture.md" "$(echo "$owners" | awk 'NF')" "$(
  awk '/^## Owners in the pool layer$/ { inside = 1; next } /^## / { inside = 0 }
       inside && /^\| \*\*/ { n = split($0, cell, "|"); gsub(/[` *]+/, " ", cell[2]); gsub(/[` ]+/, " ", cell[4])
                              line = cell[2] cell[4]; gsub(/ +/, " ", line); sub(/^ /, "", line); sub(/ $/, "", line); print line }' \
      doc/architecture.md)"
tap_end
