;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Programs that somebody else wrote: run once for each evaluation, or kept as servers; their templates and their outputs.
(define-module (tutti command)
  #:use-module (tutti command dakota-parameters)
  #:use-module (tutti command dakota-results)
  #:use-module (tutti command mpi)
  #:use-module (tutti command operator)
  #:use-module (tutti command pest-control)
  #:use-module (tutti command pest-instructions)
  #:use-module (tutti command pest-problem)
  #:use-module (tutti command pest-reading)
  #:use-module (tutti command pest-template)
  #:use-module (tutti command reader)
  #:use-module (tutti command start)
  #:use-module (tutti command server)
  #:use-module (tutti command template)
  #:re-export (run-command command-operator command-server mpi-command mpi-command?
               read-template template? template-file template-names fill-template
               output-text output-value output-column output-csv output-npy output-json output-pest reader?
               parse-pest-template read-pest-template pest-template? pest-template-file pest-template-names pest-template-widths
               fill-pest-template
               parse-pest-instructions read-pest-instructions pest-instructions? pest-instructions-file pest-observation-names
               run-pest-instructions
               read-pest-control pest-control? pest-control-file pest-control-version pest-control-data pest-singular-values
               pest-parameter-groups pest-parameters pest-observation-groups pest-observations pest-command-lines
               pest-template-files pest-instruction-files pest-prior-information pest-regularization pest-regularization-groups
               pest-options
               pest-problem pest-problem? pest-problem-control pest-problem-operator pest-problem-model pest-problem-data
               pest-problem-start pest-problem-bounds pest-problem-std pest-problem-parameter-names pest-problem-data-names
               pest-problem-data-groups pest-problem-parameters pest-problem-misfits
               parse-dakota-parameters read-dakota-parameters make-dakota-parameters dakota-parameters? dakota-variables
               dakota-active-set dakota-derivative-variables dakota-analysis-components dakota-evaluation-id dakota-metadata
               dakota-parameters->text
               parse-dakota-results read-dakota-results dakota-results? dakota-failed? dakota-values dakota-labels dakota-gradients
               dakota-hessians dakota-metadata-values dakota-results->text dakota-failure->text))
