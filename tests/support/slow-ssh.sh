#!/bin/sh
# ssh for tests, found as ssh on the PATH: agents that it starts dial a slow link (slow-link.c) instead of the master itself.
# SPDX-License-Identifier: LGPL-3.0-or-later
#
# SLOW_FOLDER     where the link of each host has its commands, a pipe HOST.commands, and what it has answered, HOST.link
# SLOW_LINK       arguments of slow-link: MILLISECONDS [BYTES-PER-SECOND]
# SLOW_SILENCE    milliseconds after which an agent that hears nothing gives its master up
for host; do
  if [ "${before-}" = -- ]; then break; fi
  before=$host
done
ssh=$(PATH=${PATH#*:} command -v ssh)
invitation=$(sed '/^end$/q')
port=$(echo "$invitation" | sed -n 's/^port: //p')

[ -p "$SLOW_FOLDER/$host.commands" ] || mkfifo "$SLOW_FOLDER/$host.commands" || exit
# Open for both, so that it does not end with the first who has written a command.
# shellcheck disable=SC2086   # its words are arguments
"$TUTTI_HELPERS/slow-link" 0.0.0.0 0 127.0.0.1 "$port" $SLOW_LINK <> "$SLOW_FOLDER/$host.commands" > "$SLOW_FOLDER/$host.link" &
link=$!
until slow=$(sed -n 's/^port //p' "$SLOW_FOLDER/$host.link") && [ -n "$slow" ]; do
  kill -0 $link || exit
  sleep 0.01
done
echo "$invitation" | sed "s/^port: .*/port: $slow/; s/^silence: .*/silence: $SLOW_SILENCE/" | "$ssh" "$@"
status=$?
kill $link
exit $status
