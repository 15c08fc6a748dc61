#!/bin/sh
# usage: forget-stale.sh STAMP FOLDER SOURCE…
# SPDX-License-Identifier: LGPL-3.0-or-later
# If the sources are not those that STAMP tells of, delete all bytecode below FOLDER and write STAMP anew.
#
# A module is expanded with the macros of others, so it has to be compiled again when any other changes. While that is being done,
# whatever bytecode of others there is must be of today; what is not there yet is expanded from its source. All bytecode depends
# on STAMP. If nothing has changed STAMP is left alone, so that a change in C alone does not compile the Scheme modules.
stamp=$1 folder=$2; shift 2
sum=$(cat -- "$@" | cksum) || exit 1
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ]; then
  find "$folder" -name '*.go' -exec rm -f {} +
  echo "$sum" > "$stamp"
fi
