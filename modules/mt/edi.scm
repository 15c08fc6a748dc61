;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Transfer functions as EDI files, the SEG's standard of 1987 for magnetotelluric data (Wight 1988, "SEG standard for MT and EMAP
;; data"): blocks that begin with >, and whose numbers are for all frequencies.  Time goes as exp (+i omega t) there too.
(define-module (tutti mt edi)
  #:use-module (tutti mt edi reader)
  #:use-module (tutti mt edi writer)
  #:re-export (write-edi read-edi))
