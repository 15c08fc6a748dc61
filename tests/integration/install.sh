#!/bin/sh
# What is installed works by itself: the program, Guile with the variables that README.md names or with the one line that is printed, the
# header for operator modules, the manual; nothing is left of it afterwards. And the shell of the uninstalled tree works.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

command -v meson > /dev/null || { echo "1..0 # SKIP there is no meson to install with"; tap_ended=yes; exit 0; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-install-XXXXXX")
installing_alone
# What `ninja uninstall' would remove is not to be what this has installed.
log=$TUTTI_BUILD_DIR/meson-logs/install-log.txt
[ ! -f "$log" ] || cp -p "$log" "$folder/install-log.txt"
trap 'rm -f "$log"; [ ! -f "$folder/install-log.txt" ] || cp -p "$folder/install-log.txt" "$log"; rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT

# found NAME: the one installed file of that name
found () { find "$folder/préfixe" -name "$1" \( -type f -o -type l \) | head -n 1; }

# Installed below another root, everything is in other places than those that were compiled in: so this also tests that each
# variable of the environment is looked at.
if meson install -C "$TUTTI_BUILD_DIR" --no-rebuild --destdir "$folder/préfixe" > "$folder/log" 2>&1; then
  tap_pass "meson install"
else
  tap_fail "meson install" "$(tail -n 20 "$folder/log")"; tap_end
fi

for name in tutti tutti-watcher tutti-worker libtutti.so.0 libtutti-core.so.0.1.0 libtutti-guile.so.0 libtutti-guile.so tutti-guile.pc mt1d.so operator.h tutti.pc tutti.scm pool.go script.scm.template; do
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
         timeout 60 "$(found tutti)" doctor 2>&1; echo "status $?")
if guile -c "(exit (->bool (resolve-module '(tutti program main) #t #:ensure #f)))" 2> /dev/null; then
  tap_skip "an installation that is elsewhere says so, and what to set" "Guile finds another one"
else
  tap_equal "an installation that is elsewhere says so, and what to set" "tutti: the Guile modules of Tutti are not in
  export GUILE_LOAD_PATH=$(dirname "$(found tutti.scm)")
status 1" "$(echo "$said" | sed -n 's/\(modules of Tutti are not in\).*/\1/; /^tutti:/p; / GUILE_LOAD_PATH=/p; /^status/p')"
  tap_equal "and the command that sets all" "  eval \"\$('$(found tutti)' --env)\"" "$(echo "$said" | grep eval)"
fi

# The one line that the installation prints, pasted into a shell that has nothing else, in which then everybody finds everything.
tap_equal "one line is printed" "eval \"\$('$(found tutti)' --env)\"" "$(grep '^eval' "$folder/log" | sed 's/  *#.*//')"
cat > "$folder/everybody" <<'END'
cd /
tutti -c '(display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))'
guile -c '(use-modules (tutti) (tutti mt1d)) (display (call-with-pool 2 (lambda (pool) (pool-map pool sqrt (list 1 4 9)))))
          (display (operator-domain (mt-response (list 1 10) (list 0 100 1000))))'
printf '#include <tutti/operator.h>\nint mark (void) { return 3; }\n' > "$folder/mark.c"
# It quotes names for a shell.
eval "cc -shared -fPIC -Wall -Werror $(pkg-config --cflags tutti)" '-o "$folder/mark.so" "$folder/mark.c"' && printf ' compiles'
[ -f "$(pkg-config --variable=moduledir tutti)/mt1d.so" ] && printf ' modules'
if /usr/bin/python3 -c 'import gi' 2> /dev/null && [ -n "$typelib" ]; then
  /usr/bin/python3 -c 'import gi; gi.require_version("Tutti", "0"); from gi.repository import Tutti
print("", Tutti.Value.new_real (3).get_real (), end="")'
else
  printf ' 3.0'
fi
printf ' stranger '
sh "$stranger" "$folder"
[ -z "$(tutti --env)" ] && printf ' all set'
tutti doctor | sed -n 's/  *environment  */ /p'
END
tap_equal "pasted into a shell, it lets everybody find everything" "(1 2 3)(1 2 3)3 compiles modules 3.0 stranger 9.0 all setok guile, pkg-config and others find this Tutti" \
  "$(env -i PATH=/usr/bin:/bin HOME="$folder" LC_ALL=C.UTF-8 XDG_CACHE_HOME="$folder/cache" folder="$folder" typelib="$(found Tutti-0.typelib)" stranger="$TUTTI_SOURCE_DIR/tests/support/stranger.sh" timeout 120 \
       sh -c "$(grep '^eval' "$folder/log")
. \"\$folder/everybody\"" 2>&1)"
tap_equal "without it the doctor has it" "eval \"\$('$(found tutti)' --env)\"" \
  "$(eval "$("$(found tutti)" --env)"; PATH=/usr/bin:/bin timeout 60 "$(found tutti)" doctor | sed -n '/^warn  environment/,$ s/^ *eval/eval/p')"
said=$("$TUTTI" --env 2>&1; echo "status $?")
tap_equal "the program of a tree that was only built has nothing to set, and says so" "yes" \
  "$(echo "$said" | tr '\n' ' ' | grep -q 'tutti: .* belongs to no installation: .*meson devenv .*status 1' && echo yes)"

# Meson knows what its last installation has written; what an earlier one has made must be removed as well, and nobody else's folders never.
again=$folder/again
installed () { meson install -C "$TUTTI_BUILD_DIR" --no-rebuild --destdir "$again" "$@" > "$folder/log-of-again" 2>&1 || cat "$folder/log-of-again"; }
uninstalled () { ninja -C "$TUTTI_BUILD_DIR" uninstall > "$folder/log-of-uninstall" 2>&1 || cat "$folder/log-of-uninstall"; }
mkdir "$again" && installed && installed --only-changed && installed && uninstalled
tap_empty "installed three times, uninstalled once: nothing is left" "$(find "$again" -mindepth 1)"
tap_equal "and nothing was looked for in vain" "Failed: 0" "$(grep Failed "$folder/log-of-uninstall")"
program=$(found tutti)
others=$again$(dirname "$(dirname "${program#"$folder/préfixe"}")")
mkdir -p "$others/share/guile" "$others/bin" && : > "$others/bin/other"
find "$again" | sort > "$folder/before"
installed && installed && uninstalled
tap_empty "what was there before is there afterwards, and nothing else" "$(find "$again" | sort | diff "$folder/before" -)"
installed --quiet
tap_empty "installed quietly, nothing is printed" "$(cat "$folder/log-of-again")"


GUILE_LOAD_PATH=$(dirname "$(found tutti.scm)")
GUILE_LOAD_COMPILED_PATH=$(dirname "$(found tutti.go)")
GUILE_EXTENSIONS_PATH=$(dirname "$(found libtutti-guile.so.0)")
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
tap_empty "what is moved is found from where its user is" \
  "$(LD_LIBRARY_PATH='' ldd "$(found tutti-worker)" "$(found libtutti-guile.so.0)" "$(found libtutti.so.0)" | grep 'libtutti.* => ' | grep -vF " => $folder/préfixe")"
tap_empty "the dynamic linker is not sent back to the tree" \
  "$(readelf -d "$(found tutti-worker)" "$(found libtutti-guile.so.0)" "$(found libtutti.so.0)" | grep -E 'R(UN)?PATH' | grep -F "$TUTTI_BUILD_DIR")"

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
