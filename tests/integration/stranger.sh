#!/bin/sh
# Programs of people who know nothing of this tree: compiled outside it with what pkg-config says, linked with what is installed, and run.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

command -v meson > /dev/null || { echo "1..0 # SKIP there is no meson to install with"; tap_ended=yes; exit 0; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-stranger-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT

installing_alone
if meson install -C "$TUTTI_BUILD_DIR" --no-rebuild --destdir "$folder/root" > "$folder/log" 2>&1; then
  tap_pass "meson install"
else
  tap_fail "meson install" "$(tail -n 20 "$folder/log")"; tap_end
fi
# found NAME: the one installed file of that name
found () { find "$folder/root" -name "$1" \( -type f -o -type l \) | head -n 1; }

# Nothing is to be found where it was built; tutti.pc knows where it is itself.
mkdir "$folder/work"
unset GUILE_LOAD_PATH GUILE_LOAD_COMPILED_PATH GUILE_EXTENSIONS_PATH
PKG_CONFIG_PATH=$(dirname "$(found tutti.pc)")${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$(dirname "$(found libtutti.so.0)")
TUTTI_LIBEXECDIR=$(dirname "$(found tutti-worker)")
TUTTI_MODULEDIR=$(dirname "$(found mt1d.so)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH TUTTI_LIBEXECDIR TUTTI_MODULEDIR
cd "$folder/work" || exit 1

cat > add.c <<'END'
#include <tutti/task-module.h>

static TuttiValue *
add (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n, (void) error;
  return tutti_value_new_real (tutti_value_get_real (arguments[0]) + tutti_value_get_real (arguments[1]));
}

static const TuttiTaskFunction functions[] = { { .name = "add", .n_arguments = 2, .call = add } };
TUTTI_TASK_MODULE (.name = "add", .functions = functions, .n_functions = 1);
END
cat > main.c <<'END'
#include <tutti/tutti.h>
int main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiPool) pool = tutti_pool_new (NULL, 2, &error);
  TuttiValue *numbers[] = { tutti_value_new_real (1.5), tutti_value_new_integer (2) };
  g_autoptr (TuttiValue) sum = pool != NULL ? tutti_pool_call (pool, "./add.so", "add", numbers, 2, NULL, &error) : NULL;
  g_print ("%s\n", sum != NULL ? tutti_value_print (sum) : error->message);
  return sum == NULL;
}
END
for name in main jacobian; do
  [ "$name" = main ] || cp "$TUTTI_SOURCE_DIR/examples/embedding/$name.c" .
  # shellcheck disable=SC2046
  ${CC:-cc} -Wall -Wextra -Werror "$name.c" -o "$name" $(pkg-config --cflags --libs tutti) > log 2>&1
  tap_equal "$name.c is compiled" "" "$(cat log)"
done
# shellcheck disable=SC2046
${CC:-cc} -Wall -Wextra -Werror -shared -fPIC add.c -o add.so $(pkg-config --cflags --libs tutti) > log 2>&1
tap_equal "a task module is compiled" "" "$(cat log)"
tap_equal "it is linked with nothing of Tutti but libtutti" libtutti.so.0 \
          "$(readelf -d main | sed -n 's/.*(NEEDED).*\[\(.*tutti.*\)\].*/\1/p')"
tap_equal "it runs" "3.5
status 0" "$(timeout 60 ./main 2>&1; echo "status $?")"
# Another BLAS may have other last digits.
timeout 60 ./jacobian > out 2> errors
tap_equal "the example of Jacobians ends well" "0" "$?$(cat errors)"
tap_equal "both products are the same, before and after a worker is killed" "14.08956043 14.08956043
worker 2 is killed
14.08956043 14.08956043" "$(sed 's/^<J h, y> = \(.*\), <h, J\* y> = \(.*\)$/\1 \2/; s/\([0-9]\.[0-9]\{8\}\)[0-9]*/\1/g' out)"
tap_end
