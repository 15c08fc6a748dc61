#!/bin/sh
# How a cup of tea cools down: reads cooling.in, writes cooling.out.
exec awk '
  $1 == "rate" { rate = $2 }
  $1 == "start" { start = $2 }
  END {
    if (rate < 0) { print "the rate " rate " is negative" > "/dev/stderr"; exit 3 }
    print "time temperature"
    for (t = 0; t <= 10; t += 2) printf "%g %.12g\n", t, 20 + (start - 20) * exp(-rate * t)
  }' cooling.in > cooling.out
