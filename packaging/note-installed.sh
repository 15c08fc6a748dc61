#!/bin/sh
# Let `ninja uninstall' remove all that `meson install' has ever put there. Meson's log, which says what to remove, has the files of the last
# installation, and of the folders only those that it has made: of two installations in a row the second makes none, and what only the first
# one had (or what --only-changed has not copied) is forgotten. So this script, the last step of an installation, keeps a list of its own,
# and adds to the log what is missing.
# SPDX-License-Identifier: LGPL-3.0-or-later
set -u
log=$MESON_BUILD_ROOT/meson-logs/install-log.txt
lists=$MESON_BUILD_ROOT/meson-private/installed
destdir=${DESTDIR-}
list=$lists/$(printf '%s' "$destdir" | cksum | tr ' ' -)
mkdir -p "$lists" || exit
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tutti-installed-XXXXXX") || exit
trap 'rm -rf "$scratch"' EXIT

# births < NAMES: when each was made, and its name. A name that was removed and made by somebody else has another time.
births () { LC_ALL=C xargs -d '\n' stat --format='%.9W %n' -- 2> /dev/null; }

# When Meson, which has started this script, began, in seconds since 1970. It has made nothing in its first hundredth of a second.
began=$(awk -v now="$(date +%s.%N)" -v per_second="$(getconf CLK_TCK)" '
  FNR == NR { up = $1; next }
  { sub(/.*\) /, ""); printf "%.3f", now - up + $20 / per_second + 0.01 }' /proc/uptime "/proc/$PPID/stat") || exit

sed 's/^# Preserving old file //; /^#/d; /^$/d' "$log" | sort -u > "$scratch/files"
# All folders above them.
awk '{ while (sub(/\/[^\/]*$/, "") && $0 != "" && !($0 in seen)) { seen[$0]; print } }' "$scratch/files" > "$scratch/folders"
births < "$scratch/folders" | awk -v began="$began" '$1 > began' > "$scratch/made"
# What the list has, and is still there.
[ ! -f "$list" ] || sed '1d; s/^[^ ]* //' "$list" | births | sort > "$scratch/there"
{ [ ! -f "$list" ] || sed 1d "$list" | sort | comm -12 - "$scratch/there"; } > "$scratch/kept"

births < "$scratch/files" | cat - "$scratch/made" "$scratch/kept" | sort -u > "$scratch/all"
{ printf '%s\n' "$destdir"; cat "$scratch/all"; } > "$list.new" && mv "$list.new" "$list" || exit

# When it ends, Meson writes the folders that it has made behind the files, over what was added here: so a comment goes before, which is
# longer than they can be. The deepest names come first.
{ grep '^# Preserving' "$log" | sed 's/^# Preserving old file //'
  sed 's/^[^ ]* //' "$scratch/kept"; } | sort -u | grep -vxF -f "$scratch/files" > "$scratch/more" 2> /dev/null
sed -n 's/^# Preserving old file //p' "$log" >> "$scratch/more"
if [ -s "$scratch/more" ]; then
  { awk '{ n += length($0) + 1 } END { while (n-- > -2) printf "#"; print "" }' "$scratch/folders"
    sort -ru "$scratch/more"; } >> "$log"
fi

# Lists for other roots, which are not there any more.
for old in "$lists"/*; do
  root=$(head -n 1 "$old")
  [ -z "$root" ] || [ -d "$root" ] || rm -f "$old"
done
