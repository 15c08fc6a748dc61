/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What masters ask workers to do with modules in C: the requests of tasks for TTI_HANDLER_MODULE.
 *
 * A request is a list that begins with an integer, the verb:
 *   CALL       module function (argument ...)              -> the function's value
 *   MAKE       id module class parameters                  -> (domain codomain complex-domain? complex-codomain?); holds an operator as ID
 *   EVALUATE   operator x destination                      -> y
 *   LINEARIZE  id operator x destination                   -> y; holds the derivative at X as ID
 *   APPLY      derivative h destination                    -> dy
 *   ADJOINT    derivative dy destination                   -> dx
 * Modules, functions and classes are text; operators and derivatives are held objects; parameters are a table from names to vectors of
 * doubles, numbers or text. DESTINATION is a vector of the master's into which the result is written, then the answer is null; if it is
 * null, the answer is the result. An exception is a list of an error's domain, code and message. */
#pragma once

typedef enum
{
  TTI_REQUEST_CALL = 1,
  TTI_REQUEST_MAKE,
  TTI_REQUEST_EVALUATE,
  TTI_REQUEST_LINEARIZE,
  TTI_REQUEST_APPLY,
  TTI_REQUEST_ADJOINT
} TtiRequestVerb;
