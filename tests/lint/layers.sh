#!/bin/sh
# An include names a folder of the same layer or one below, from the one root; only the bindings know libguile, and only module/ BLAS;
# domains know only the installed headers. Three are extensions of Guile of their own, and know libguile and the bindings: python and umbridge make
# values of one language or notation of those of another, and command starts programs.
# SPDX-License-Identifier: LGPL-3.0-or-later
cd "${TUTTI_SOURCE_DIR:-$(dirname "$0")/../..}" || exit 1
. tests/support/tap.sh

# Some have no file yet: their places are kept, and the first file is checked (doc/architecture.md).
order='platform transport process look node pool http page cluster journal value module embedding bindings programs'

# complaints FOLDER ALLOWED FILES…: ALLOWED are the folders whose headers may be included; guile is one of them
complaints ()
{
  folder=$1 allowed=$2; shift 2
  [ "$#" -gt 0 ] || return 0
  awk -v folder="$folder" -v allowed=" $allowed " '
    !/^[ \t]*#[ \t]*include/ { next }
    { target = $0; sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
      quoted = target ~ /^"/
      sub(/^["<]/, "", target); sub(/[">].*/, "", target)
      top = target; if (!sub(/\/.*/, "", top)) top = ""
      where = FILENAME ":" FNR ": " }
    target ~ /(^|\/)\.\.(\/|$)/ { print where "climbs: " target; next }
    target ~ /^libguile(\.h$|\/)/ { if (allowed !~ / guile /) print where folder " must not know libguile"; next }
    top == "tutti" { next }
    quoted && top == "" { print where "must name its folder: \"folder/" target "\""; next }
    quoted && index(allowed, " " top " ") == 0 { print where folder " must not see " target }
  ' "$@"
}

below=
for layer in $order; do
  below="$below $layer"
  [ -d "engine/$layer" ] || continue
  also=; [ "$layer" = bindings ] && also=guile
  files=$(find "engine/$layer" -name '*.[ch]' | sort)
  # No name in the repository has a space.
  # shellcheck disable=SC2086
  tap_empty "engine/$layer" "$(complaints "$layer" "$below $also" $files)"
done
# shellcheck disable=SC2046
tap_empty "engine/include" "$(complaints include '' $(find engine/include -name '*.h'))"
# shellcheck disable=SC2046
for domain in $(find modules -mindepth 1 -maxdepth 1 -type d | sort); do
  allowed=${domain#modules/}
  case $allowed in
    command) allowed="command platform bindings guile" ;;
    python) allowed="python platform transport process pool bindings guile" ;;
    umbridge) allowed="umbridge platform http bindings guile" ;;
  esac
  tap_empty "$domain" "$(complaints "$domain" "$allowed" $(find "$domain" -name '*.[ch]'))"
done

# Linear algebra is computed in engine/module, and in the domains' kernels.
# shellcheck disable=SC2046
tap_empty "BLAS and LAPACK are called by module/ alone" "$(
  awk '/^[ \t]*#[ \t]*include[ \t]*<(cblas|lapacke?|openblas_config)\.h>/ || /(^|[^A-Za-z0-9_])(cblas_[a-z]|openblas_|d(ge|po|pb|gb|sy|or|ps)[a-z0-9]+_ \()/ {
         print FILENAME ":" FNR ": " $0 }' $(find engine -name '*.[ch]' ! -path 'engine/module/*' | sort))"

# Who runs programs or talks to others is C; that plots are drawn by gnuplot, and the programs that the doctor's worker ends with, are
# the two exceptions. (What is called `listen' in (tutti look listen)
# opens no socket itself, and `tutti attach' sends a signal to itself alone.)
# shellcheck disable=SC2046
tap_empty "Scheme knows no processes and no sockets" "$(
  awk '{ line = $0; sub(/;.*/, "", line) }
       line ~ /\((primitive-fork|execlp?|execle|socket|socketpair|connect|bind|listen|accept4?|pipe|waitpid|kill|spawn|system\*?|open-(pipe\*?|(input|output|input-output)-pipe))[ )]/ \
       && line !~ /\(system (base|foreign|reader|repl|syntax|vm|xref)/ || line ~ /\(ice-9 popen\)|\(web / { print FILENAME ":" FNR ": " $0 }' \
    $(find scheme modules -name '*.scm' ! -path scheme/tutti/plot.scm ! -path scheme/tutti/look/listen.scm ! -path scheme/tutti/program/attach.scm ! -path scheme/tutti/program/doctor-bound.scm ! -path 'scheme/tutti/templates/*' | sort))"

# The table of layers has them in the same order, from the lowest to the highest.
tap_equal "doc/architecture.md has the layers" "$order" \
  "$(awk -F '`' '/^## / { inside = $0 == "## Layers" } inside && /^\| `[a-z]+\/` \|/ { sub(/\/$/, "", $2); printf "%s%s", sep, $2; sep = " " }' doc/architecture.md)"

unknown=$(cd engine && find . -mindepth 1 -maxdepth 1 -type d | sed 's,^\./,,' | while read -r name; do
            case " $order include " in *" $name "*) ;; *) echo "engine/$name is not a layer: $order" ;; esac; done)
tap_empty "every folder of the engine is a layer" "$unknown"
tap_end
