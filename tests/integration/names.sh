#!/bin/sh
# Names that are not ASCII, of folders, files, settings and arguments: they mean the same files in the master and in its workers, in
# whatever locale. What a prefix with such a name does is tested by install.sh.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-names-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
home=$folder/Jürgen
mkdir -p "$home/Entwürfe" && cd "$home" || exit 1

cat > größe.scm <<'END'
(use-modules (tutti) (tutti mt1d) (ice-9 binary-ports))
(define file (string-append (getcwd) "/zahlen-σ.bin"))
(define-remote (seen name)
  (list (file-exists? name) (f64vector-ref (map-f64vector name) 1) (getcwd) (getenv "ORT")))
(define (first-of-pool proc . arguments)
  (call-with-pool 2 (lambda (pool) (car (apply pool-apply pool proc arguments))) #:env '(("ZIEL" . "Köln"))))
(call-with-output-file file (lambda (port) (put-bytevector port (f64vector 1. 2. 3.))) #:binary #t)
(for-each (lambda (value) (write value)) (list (cdr (command-line)) (first-of-pool seen file) (first-of-pool getenv "ZIEL")))
END
cat > laden.scm <<'END'
(load "Entwürfe/zweite.scm")
END
echo '(display "zweite")' > Entwürfe/zweite.scm
cat > fehler.scm <<'END'
(use-modules (tutti))
(call-with-pool 1 (lambda (pool) (pool-map pool (remote (lambda (x) (error "Maß voll:" x))) '("ü"))))
END

# in_locale SETTING COMMAND...: with nothing else in the environment but what finds this tree
in_locale ()
{
  setting=$1; shift
  env -i "PATH=$PATH" "HOME=$home" "ORT=Jülich" "GUILE_LOAD_PATH=$GUILE_LOAD_PATH" "GUILE_LOAD_COMPILED_PATH=$GUILE_LOAD_COMPILED_PATH" \
    "GUILE_EXTENSIONS_PATH=$GUILE_EXTENSIONS_PATH" "TUTTI_LIBEXECDIR=$TUTTI_LIBEXECDIR" "TUTTI_MODULEDIR=$TUTTI_MODULEDIR" \
    "LD_LIBRARY_PATH=${LD_LIBRARY_PATH-}" GUILE_AUTO_COMPILE=0 "$setting" timeout 60 "$@"
}

expected="(\"Ärger\")(#t 2.0 \"$home\" \"Jülich\")\"Köln\""
for setting in LC_ALL=C LC_ALL=POSIX LC_ALL=C.UTF-8 LANG=C LC_ALL=xx_YY.UTF-8 NOTHING=1; do
  tap_equal "a script, its arguments, folder, environment and files, $setting" "$expected" \
    "$(in_locale "$setting" "$TUTTI" run größe.scm Ärger 2>&1)"
  tap_equal "by its whole name from elsewhere, $setting" "$expected" \
    "$(cd Entwürfe && in_locale "$setting" "$TUTTI" run "$home/größe.scm" Ärger 2>&1 | sed 's|/Entwürfe||')"
  tap_equal "a file that it loads, $setting" zweite "$(in_locale "$setting" "$TUTTI" run laden.scm 2>&1)"
  tap_equal "compiled, $setting" "$expected" \
    "$(in_locale "$setting" "$TUTTI" compile größe.scm && in_locale "$setting" "$TUTTI" run größe.go Ärger 2>&1)"
  rm -f größe.go
  tap_equal "a script that is not there, $setting" "tutti: cannot read the script ./fehlt-ß.scm: No such file or directory" \
    "$(in_locale "$setting" "$TUTTI" run ./fehlt-ß.scm 2>&1)"
  tap_equal "an error's text, $setting" "yes" \
    "$(in_locale "$setting" "$TUTTI" run fehler.scm 2>&1 | grep -q "fehler.scm:2:.*Maß voll: \"ü\"" && echo yes)"
  tap_equal "the REPL, $setting" "yes" \
    "$(echo '(display (list "<" (pool-apply (make-pool 1) getenv "ORT") ">"))' | in_locale "$setting" "$TUTTI" repl 2>&1 |
       grep -q '(< (Jülich) >)' && echo yes)"
done

# Plain guile decodes by its locale: a program that was given one works like tutti run.
tap_equal "the library under guile" "$expected" "$(in_locale LC_ALL=C.UTF-8 guile größe.scm Ärger 2>&1)"
# What a locale has no letters for is not lost: a worker's children see the bytes.
echo '(use-modules (tutti))
(exit (equal? (list 0) (call-with-pool 1 (lambda (pool) (pool-apply pool system "[ $ORT = J$(printf \"\\\\303\\\\274\")lich ]")))))' > "$folder/plain.scm"
in_locale LC_ALL=C guile "$folder/plain.scm"
tap_equal "the environment of guile in the locale of C arrives byte by byte" 0 $?

# In UTF-8 a name in another encoding is no text.
latin=$(printf 'J\374rgen')
mkdir "$folder/$latin" && cd "$folder/$latin" || exit 1
echo '(use-modules (tutti)) (write (call-with-pool 1 (lambda (pool) (pool-apply pool +))))' > plain.scm
for setting in LC_ALL=C LC_ALL=C.UTF-8; do
  tap_equal "a script in a folder whose name is no text, $setting" "(0)" "$(in_locale "$setting" "$TUTTI" run plain.scm 2>&1)"
done
tap_equal "a script whose own name is no text is refused with the reason" yes \
  "$(cd / && in_locale LC_ALL=C.UTF-8 "$TUTTI" run "$folder/$latin/plain.scm" 2>&1 |
     LC_ALL=C grep -aq "^tutti: the script, .*plain.scm, has a name that is no text in the encoding of the locale, UTF-8" && echo yes)"
mkdir -p "$folder/$latin/scheme/tutti/program"
: > "$folder/$latin/scheme/tutti/program/main.scm"
tap_equal "so is an installation" yes \
  "$(GUILE_LOAD_PATH=$folder/$latin/scheme; in_locale LC_ALL=C.UTF-8 "$TUTTI" doctor 2>&1 |
     LC_ALL=C grep -aq "^tutti: the folder of its modules, .*/scheme, has a name that is no text" && echo yes)"
tap_end
