# For tests of examples/embedding, after tap.sh: they are compiled and run with the commands of the README there.
# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-3.0-or-later

skip_all () { echo "1..0 # SKIP $1"; tap_ended=yes; exit 0; }

# begin_example NAME: in a copy of the folder, where pkg-config finds what was built
begin_example ()
{
  example_folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-$1-XXXXXX")
  trap 'rm -rf "$example_folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
  cp "$TUTTI_SOURCE_DIR"/examples/embedding/* "$example_folder"
  cd "$example_folder" || exit 1
  PKG_CONFIG_PATH=$TUTTI_BUILD_DIR/meson-uninstalled${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  export PKG_CONFIG_PATH
}

# run_command NAME PART: the one command of the README that has PART in it; what it says is in the file log
run_command ()
{
  command=$(sed -n 's/^    //p' README.md | grep -F -- "$2")
  if [ "$(printf '%s\n' "$command" | grep -c .)" -ne 1 ]; then
    tap_fail "$1" "not one command of README.md has '$2': $command"
  elif timeout 240 sh -c "$command" > log 2>&1; then
    tap_pass "$1"
  else
    tap_fail "$1" "$command
$(cat log)"
  fi
}
