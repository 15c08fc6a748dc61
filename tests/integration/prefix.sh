#!/bin/sh
# What is installed for all, below the prefix that the tree was configured for: in a copy of this system that is thrown away.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"
. "$TUTTI_SOURCE_DIR/tests/support/overlay.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-prefix-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
skip () { echo "1..0 # SKIP $1"; tap_ended=yes; exit 0; }

command -v meson > /dev/null || skip "there is no meson to install with"
installing_alone
obstacle=$(overlay_obstacle "$folder")
[ -z "$obstacle" ] || skip "$obstacle"
prefix=$(meson introspect --buildoptions "$TUTTI_BUILD_DIR" | tr '{' '\n' | sed -n 's/.*"name": "prefix", "value": "\([^"]*\)".*/\1/p')

cat > "$folder/install" <<'END2'
find "$prefix" /etc -xdev > "$folder/before"
meson install -C "$TUTTI_BUILD_DIR" --no-rebuild > "$folder/log" 2>&1 || tail -n 20 "$folder/log"
grep '^eval' "$folder/log" > "$folder/line"
cp "$folder/line" "$folder/use"
cat >> "$folder/use" <<'END3'
cd /
tutti -c '(display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))'
guile -c '(use-modules (tutti)) (display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))'
pkg-config --exists tutti && printf ' pkg-config '
sh "$TUTTI_SOURCE_DIR/tests/support/stranger.sh" "$folder"
[ -z "$(tutti --env)" ] && printf ' all set'
END3
env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$folder" LC_ALL=C.UTF-8 TUTTI_SOURCE_DIR="$TUTTI_SOURCE_DIR" folder="$folder" sh "$folder/use" > "$folder/said" 2>&1
env -i PATH=/usr/local/bin:/usr/bin:/bin HOME="$folder" LC_ALL=C.UTF-8 "$prefix/bin/tutti" --env | sed 's/=.*//' > "$folder/env"
guile -c '(for-each (lambda (folder) (display folder) (newline)) %load-path)' > "$folder/searched"
ls -d "$prefix"/lib*/girepository-1.0 "$prefix"/lib*/*/girepository-1.0 > "$folder/typelibs" 2> /dev/null
ninja -C "$TUTTI_BUILD_DIR" uninstall > "$folder/log-of-uninstall" 2>&1
find "$prefix" /etc -xdev | sort > "$folder/after"
END2
overlay_run "$folder" env -u GUILE_LOAD_PATH -u GUILE_LOAD_COMPILED_PATH -u GUILE_EXTENSIONS_PATH -u TUTTI_LIBEXECDIR \
  -u TUTTI_MODULEDIR -u LD_LIBRARY_PATH folder="$folder" prefix="$prefix" timeout 200 sh "$folder/install"

tap_equal "everybody finds everything, with the line that was printed, if one was" "(1 2 3)(1 2 3) pkg-config 9.0 all set" "$(cat "$folder/said")"
sites=$(sed -n "\|^$prefix/|p" "$folder/searched")
case $prefix in
  /usr | /usr/local)
    # pkg-config and the linker look there; Guile, if it says so.
    if [ -n "$sites" ]; then
      tap_empty "Guile looks there: nothing is printed, nothing to be set" "$(cat "$folder/line" "$folder/env")"
    else
      # Introspection looks below /usr alone.
      typelibs=$([ ! -s "$folder/typelibs" ] || [ "$prefix" = /usr ] || echo ' export GI_TYPELIB_PATH')
      tap_equal "Guile does not look there: the line is printed, and sets what is needed, nothing else" \
        "export GUILE_LOAD_PATH export GUILE_LOAD_COMPILED_PATH$typelibs" "$(tr '\n' ' ' < "$folder/env" | sed 's/ $//')"
      tap_equal "as one line" "eval \"\$($prefix/bin/tutti --env)\"" "$(sed 's/  *#.*//' "$folder/line")"
    fi ;;
  *) tap_skip "a standard prefix" "this tree is configured for $prefix" ;;
esac
tap_empty "uninstalled, all is as before" "$(sort "$folder/before" | diff - "$folder/after")"
tap_end
