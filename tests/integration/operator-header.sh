#!/bin/sh
# The header for operator modules, which people compile with whatever they have: C and C++ of all standards accept it without a warning,
# and a module in C++ works.
# SPDX-License-Identifier: LGPL-3.0-or-later
. "$TUTTI_SOURCE_DIR/tests/support/tap.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/tutti-operator-header-XXXXXX")
trap 'rm -rf "$folder"; [ -n "${tap_ended-}" ] || { echo "Bail out! ended early"; exit 1; }' EXIT
cd "$folder" || exit 1
include=$TUTTI_SOURCE_DIR/engine/include

cat > alone.c <<'END'
#include <tutti/operator.h>
extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = { TUTTI_OPERATOR_ABI, "alone", "no classes", 0, NULL, { NULL } };
END
cp alone.c alone.cpp

# accepts COMPILER FILE FLAGS…
accepts ()
{
  compiler=$1 file=$2; shift 2
  tap_empty "$compiler $*" "$(timeout 120 "$compiler" "$@" -pedantic-errors -Wall -Wextra -Werror -I "$include" -c -o alone.o "$file" 2>&1 \
                              || echo "exit status $?")"
}

for standard in c89 c99 c11 c17 gnu17; do
  accepts cc alone.c "-std=$standard"
done

if ! command -v c++ > /dev/null; then
  tap_skip "c++" "there is no C++ compiler"
  tap_end
fi
for standard in c++98 c++11 c++17 c++20; do
  accepts c++ alone.cpp "-std=$standard"
done

cat > words.cpp <<'END'
// "words": x -> x times the lengths of the words of 'text'.
#include <cstring>
#include <sstream>
#include <tutti/operator.h>
#include <vector>

using Lengths = std::vector<double>;

static void *
create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  if (n != 1)
    {
      std::strcpy (error, "'text' is missing");
      return nullptr;
    }
  std::istringstream words (std::string (parameters[0].text, parameters[0].length));
  auto lengths = new Lengths;
  for (std::string word; words >> word;)
    lengths->push_back (static_cast<double> (word.size ()));
  *domain = 1;
  *codomain = lengths->size ();
  return lengths;
}

static void
destroy (void *self)
{
  delete static_cast<Lengths *> (self);
}

static int
evaluate (void *self, const double *x, double *y, char *)
{
  for (double length : *static_cast<Lengths *> (self))
    *y++ = length * *x;
  return 0;
}

static int
linearize (void *self, const double *x, double *y, void **derivative, char *error)
{
  *derivative = nullptr;
  return evaluate (self, x, y, error);
}

static int
derivative (void *self, void *, const double *h, double *dy, char *error)
{
  return evaluate (self, h, dy, error);
}

static int
adjoint (void *self, void *, const double *dy, double *dx, char *)
{
  *dx = 0;
  for (double length : *static_cast<Lengths *> (self))
    *dx += length * *dy++;
  return 0;
}

static void
derivative_free (void *, void *)
{
}

static const char *const texts[] = { "text", nullptr };
static const TuttiOperatorClass classes[] = {
  { "words", "lengths of words", nullptr, 1, 0, 0, create, destroy, evaluate, linearize, derivative, adjoint, derivative_free, texts, {} },
};

extern "C" {
extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = { TUTTI_OPERATOR_ABI, "words", "in C++", 1, classes, {} };
}
END
tap_empty "a module in C++ compiles" "$(timeout 120 c++ -std=c++11 -shared -fPIC -Wall -Wextra -Werror -I "$include" \
                                         -o words.so words.cpp 2>&1 || echo "exit status $?")"
cat > words.scm <<'END'
(use-modules (tutti))
(define words (native-operator "./words.so" "words" #:text "so many words"))
(display (list (evaluate words (f64vector 2))
               (apply-adjoint words (f64vector 1 10 100))
               (call-with-pool 1 (lambda (pool) (car (pool-map pool evaluate (list words) (list (f64vector 1))))))))
END
tap_equal "and works" "(#f64(4.0 8.0 10.0) #f64(542.0) #f64(2.0 4.0 5.0))" "$(timeout 120 "$TUTTI" run words.scm 2>&1)"
tap_end
