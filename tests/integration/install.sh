#!/bin/sh
# What is installed works by itself: the program, Guile with the variables that README.md names, the header for operator modules, the manual; and
# the shell of the uninstalled tree.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

command -v meson > /dev/null || { echo "1..0 # SKIP there is no meson to install with"; tap_ended=yes; exit 0; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-install-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT

# found NAME: the one installed file of that name
found () { find "$folder/préfixe" -name "$1" \( -type f -o -type l \) | head -n 1; }

# Installed below another root, everything is in other places than those that were compiled in: so this also tests that each
# variable of the environment is looked at.
if meson install -C "$TUTTI_BUILD_DIR" --no-rebuild --destdir "$folder/préfixe" > "$folder/log" 2>&1; then
  tap_pass "meson install"
else
  tap_fail "meson install" "$(tail -n 20 "$folder/log")"; tap_end
fi

for name in tutti tutti-watcher tutti-worker libtutti.so.0 libtutti-guile.so mt1d.so operator.h tutti.pc tutti.scm pool.go script.scm.template; do
  if [ -n "$(found "$name")" ]; then tap_pass "$name is installed"; else tap_fail "$name is installed" "there is none"; fi
done

# The manual and the examples, below share.
if [ -f "$TUTTI_BUILD_DIR/doc/tutti.info" ]; then
  share=$(dirname "$(dirname "$(found tutti.info)")")
  for name in index.html Reference.html manual.css manual.js; do
    if [ -s "$share/doc/tutti/html/$name" ]; then tap_pass "the manual has $name"; else tap_fail "the manual has $name" "there is none"; fi
  done
  tap_equal "short code in it is not broken" "1 1" \
    "$(grep -c '^\.short {.*white-space: nowrap' "$share/doc/tutti/html/manual.css") $(grep -c '"short"' "$share/doc/tutti/html/manual.js")"
  tap_equal "links between pages of the manual lead somewhere" "" \
    "$(cd "$share/doc/tutti/html" && sed -n 's/.*href="\([^"#:]*\)["#].*/\1/p' ./*.html | sort -u |
       while read -r page; do [ -z "$page" ] || [ -f "$page" ] || echo "$page"; done)"
  if command -v info > /dev/null; then
    tap_equal "info shows it" "File: tutti.info,  Node: First steps" \
      "$(info --file "$share/info/tutti.info" --node 'First steps' --output - 2> /dev/null | head -n 1 | cut -d , -f 1-2)"
  else
    tap_skip "info shows it" "info is not installed"
  fi
else
  tap_skip "the manual" "makeinfo is not installed"
fi
examples=$(dirname "$(dirname "$(found loop.scm)")")
tap_equal "examples are in a folder of their own" doc/tutti/examples \
  "$(echo "$examples" | sed 's|.*/\(doc/[^/]*/[^/]*\)$|\1|')"
tap_equal "the examples are those of the tree" "" \
  "$(diff -r --exclude=meson.build "$TUTTI_SOURCE_DIR/examples" "$examples" 2>&1)"

# Nothing of the tree that was built from.
unset GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_EXTENSIONS_PATH TUTTI_LIBEXECDIR TUTTI_MODULEDIR GUILE_AUTO_COMPILE

# Where it was not configured to be, and without the variables, it says what to set.
said=$(cd / && env -u GUILE_LOAD_PATH -u GUILE_LOAD_COMPILED_PATH -u GUILE_EXTENSIONS_PATH LC_ALL=C.UTF-8 \
         LD_LIBRARY_PATH="$(dirname "$(found libtutti.so.0)")" timeout 60 "$(found tutti)" doctor 2>&1; echo "status $?")
if guile -c "(exit (->bool (resolve-module '(tutti program main) #t #:ensure #f)))" 2> /dev/null; then
  tap_skip "an installation that is elsewhere says so, and what to set" "Guile finds another one"
else
  tap_equal "an installation that is elsewhere says so, and what to set" "tutti: the Guile modules of Tutti are not in
  export GUILE_LOAD_PATH=$(dirname "$(found tutti.scm)")
status 1" "$(echo "$said" | sed -n 's/\(modules of Tutti are not in\).*/\1/; /^tutti:/p; / GUILE_LOAD_PATH=/p; /^status/p')"
fi

GUILE_LOAD_PATH=$(dirname "$(found tutti.scm)")
GUILE_LOAD_COMPILED_PATH=$(dirname "$(found tutti.go)")
GUILE_EXTENSIONS_PATH=$(dirname "$(found libtutti-guile.so)")
TUTTI_LIBEXECDIR=$(dirname "$(found tutti-worker)")
TUTTI_MODULEDIR=$(dirname "$(found mt1d.so)")
LD_LIBRARY_PATH=$(dirname "$(found libtutti.so.0)")
XDG_CACHE_HOME=$folder/cache
export GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_EXTENSIONS_PATH TUTTI_LIBEXECDIR TUTTI_MODULEDIR LD_LIBRARY_PATH XDG_CACHE_HOME

cat > "$folder/script.scm" <<'END'
(use-modules (tutti) (tutti mt1d))
(display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4 9)))))
(display (operator-domain (mt-response '(1 10) '(0 100 1000))))
END
cd "$folder" || exit 1
tap_equal "the installed tutti run" "(1 2 3)3" "$(timeout 60 "$(found tutti)" run script.scm 2>&1)"
tap_equal "the installed modules under guile" "(1 2 3)" \
  "$(timeout 60 guile -c '(use-modules (tutti)) (display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))' 2>&1)"
tap_equal "bytecode is used as it is: nothing was compiled again" "" "$(find "$folder/cache" -name '*.go' 2> /dev/null)"
"$(found tutti)" new --kind operator decay > log 2>&1
tap_equal "a project begun by the installed tutti is built, and passes its tests" "0" \
  "$(cd decay && PKG_CONFIG_LIBDIR=/nonexistent XDG_CACHE_HOME=$folder/cache-of-decay PATH=$(dirname "$(found tutti)"):$PATH \
       timeout 120 make -s check CPPFLAGS="-I$(dirname "$(dirname "$(found operator.h)")")" > log 2>&1; echo $?)"
tap_empty "the dynamic linker is not sent back to the tree" \
  "$(readelf -d "$(found tutti-worker)" "$(found libtutti-guile.so)" | grep -E 'R(UN)?PATH' | grep -F "$TUTTI_BUILD_DIR")"

unset LD_LIBRARY_PATH GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_EXTENSIONS_PATH TUTTI_LIBEXECDIR TUTTI_MODULEDIR
# A module of the script's own is compiled when it is first used, as it is with what is installed; to interpret it takes many times as long.
mkdir "$folder/own"
echo '(define-module (own) #:export (twice)) (define (twice x) (* 2 x))' > "$folder/own/own.scm"
echo '(use-modules (tutti) (own)) (display (call-with-pool 2 (lambda (pool) (pool-map pool twice (list 1 2)))))' > "$folder/own/own-script.scm"
tap_equal "meson devenv: a module beside the script" "(2 4)" \
  "$(timeout 60 meson devenv -C "$TUTTI_BUILD_DIR" -w "$folder/own" tutti run own-script.scm 2> /dev/null)"
tap_equal "meson devenv: it was compiled, and nothing else" own.scm.go \
  "$(find "$folder/cache" -name '*.go' | sed 's|.*/||')"
tap_equal "meson devenv" "(1 2 3)3" \
  "$(timeout 60 meson devenv -C "$TUTTI_BUILD_DIR" -w "$folder" tutti run script.scm 2>&1)"
tap_end
