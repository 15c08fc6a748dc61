;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that somebody else wrote: run once for each evaluation, or kept as servers; their templates and their outputs.
(define-module (tutti command)
  #:use-module (tutti command operator)
  #:use-module (tutti command reader)
  #:use-module (tutti command start)
  #:use-module (tutti command server)
  #:use-module (tutti command template)
  #:re-export (run-command command-operator command-server
               read-template template? template-file template-names fill-template
               output-text output-value output-column output-csv output-npy output-json reader?))
