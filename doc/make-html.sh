#!/bin/sh
# The manual as HTML, a page for each chapter: make-html.sh FOLDER FILE… -- MAKEINFO ARGUMENT… writes FOLDER, with the FILEs in it.
# SPDX-License-Identifier: LGPL-3.0-or-later
set -eu
folder=$1; shift
# Pages of chapters that are no more must not stay.
rm -rf "$folder"
mkdir -p "$folder"
while [ "$1" != -- ]; do cp "$1" "$folder"; shift; done
shift
exec "$@" --html --split=chapter --css-ref=manual.css \
     -c 'EXTRA_HEAD=<script src="manual.js" defer></script>'
