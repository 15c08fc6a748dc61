#!/bin/sh
# A program such as one has: its setting is on the command line, and it is not to be relied upon.
# At 30 degrees it finds no licence the first time, at 50 it hangs, at 60 it crashes.
case $1 in
  30) mkdir licence 2> /dev/null && { echo "no licence, try later" >&2; exit 75; } ;;
  50) sleep 1000 ;;
  60) kill -SEGV $$ ;;
esac
awk -v angle="$1" 'BEGIN { pi = atan2(0, -1); print "distance", 900 * sin(angle * pi / 90) / 9.81 }'
