;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Magnetotelluric processing: from time series of electric and magnetic fields to impedance tensors, in stages that run on a pool and
;; are resumed where they were left.
(define-module (tutti mt)
  #:use-module (tutti mt configuration)
  #:use-module (tutti mt edi)
  #:use-module (tutti mt mask)
  #:use-module (tutti mt masking)
  #:use-module (tutti mt process)
  #:use-module (tutti mt project)
  #:use-module (tutti mt result)
  #:use-module (tutti mt series)
  #:use-module (tutti mt spectra)
  #:use-module (tutti mt stage)
  #:use-module (tutti mt statistics)
  #:use-module (tutti mt view)
  #:re-export (;; configurations
               default-configuration read-configuration configuration? configuration-ref configuration-with
               ;; projects and their series
               create-project load-project project-refresh! project? project-folder project-name project-configuration project-sites
               project-rates project-reference site-measurements measurement? measurement-site measurement-name measurement-start
               measurement-end measurement-rate measurement-samples measurement-channels measurement-units
               read-channel write-measurement string->time time->string
               ;; stages
               calculate-spectra calculate-statistics calculate-mask process-site process-project
               stage-report? stage-report-stage stage-report-done stage-report-skipped stage-report-failed
               ;; masks
               make-mask mask? mask-name mask-statistics mask-constraints mask-set-statistics! mask-add-constraint!
               ;; results
               transfer-function? transfer-function=? transfer-function-site transfer-function-remote transfer-function-rate
               transfer-function-configuration transfer-function-quality
               transfer-function-frequencies transfer-function-periods transfer-function-impedances transfer-function-variances
               transfer-function-tippers transfer-function-tipper-variances transfer-function-observations
               transfer-function-details
               transfer-function-file impedance-component impedance-variances tipper-component tipper-component-variances
               apparent-resistivities apparent-resistivity-errors phases phase-errors folded-phases
               write-transfer-function read-transfer-function site-transfer-functions write-edi read-edi
               view-impedance picture? picture-name picture-files))
