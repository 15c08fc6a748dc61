;; SPDX-License-Identifier: LGPL-3.0-or-later
;; How a report's page looks: light or dark as the reader has it, on paper, and on a telephone.
(define-module (tutti program journal-style)
  #:use-module (rnrs bytevectors)
  #:use-module (tutti base digest)
  #:export (style style-policy))

(define style "
:root { color-scheme: light dark; --back: #f6f7f9; --card: #ffffff; --text: #1b1f24; --faint: #5b6470; --line: #d9dee4;
  --good: #1a7f4b; --bad: #c0262d; --busy: #2f6fd0; --track: #e9edf2; --code: #f1f3f6; --focus: #b35c00; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12151a; --card: #1b2027; --text: #e6e9ee; --faint: #9aa5b1; --line: #303741;
    --good: #4cc38a; --bad: #ff7b80; --busy: #6ea8fe; --track: #262d36; --code: #12161b; --focus: #ffb454; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 70rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.1rem; }
p { margin: .25rem 0 .75rem; }
.faint, small { color: var(--faint); }
.state { display: inline-block; margin: .5rem 0 1rem; padding: .1rem .7rem; border-radius: 1rem; border: 1px solid currentColor;
  font-size: .95rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
section { margin: 1rem 0; padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; margin: 0; }
.numbers div { padding: .6rem .8rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.numbers dt { color: var(--faint); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
.facts dt { color: var(--faint); }
.facts dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
bdi, pre, td, th, dd { unicode-bidi: isolate; }
pre { margin: .5rem 0; padding: .6rem .8rem; background: var(--code); border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto;
  white-space: pre-wrap; overflow-wrap: anywhere; font: .85rem/1.45 ui-monospace, monospace; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; }
td.text { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
.number { text-align: right; }
tbody tr:last-child td { border-bottom: 0; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
details:first-of-type { border-top: 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { font-variant-numeric: tabular-nums; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: .2rem; }
.row { display: grid; grid-template-columns: 3.5rem 1fr; align-items: center; gap: .6rem; margin: 2px 0; }
.row > span { text-align: right; color: var(--faint); font-size: .8rem; font-variant-numeric: tabular-nums; }
.row svg { display: block; width: 100%; height: 1rem; background: var(--track); border-radius: 2px; }
.axis { display: flex; justify-content: space-between; color: var(--faint); font-size: .8rem; }
.b1 { fill: var(--busy); opacity: .35; } .b2 { fill: var(--busy); opacity: .55; } .b3 { fill: var(--busy); opacity: .78; }
.b4 { fill: var(--busy); } .fail { fill: var(--bad); }
.death { stroke: var(--text); stroke-width: 2px; vector-effect: non-scaling-stroke; fill: none; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .9em; background: var(--busy); }
.key.k2 { background: var(--bad); } .key.k3 { width: 2px; background: var(--text); height: 1em; vertical-align: -.1em; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .2rem .7rem; align-items: center; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
.bars svg { display: block; width: 100%; height: .9rem; background: var(--track); border-radius: 2px; }
.bars span { text-align: right; }
@media (max-width: 40rem) { body { padding: 1rem .6rem 3rem; } section { padding: .8rem; } .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: .4rem; } }
@media print { body { max-width: none; } section { break-inside: avoid; } }
")
(set-object-property! style 'documentation "The style sheet of a report's page.")

(define digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

(define (base64 bytes)
  (let loop ((i 0) (out '()))
    (let ((left (- (bytevector-length bytes) i)))
      (if (<= left 0)
          (string-concatenate (reverse out))
          (let* ((byte (lambda (k) (if (< k left) (bytevector-u8-ref bytes (+ i k)) 0)))
                 (word (+ (ash (byte 0) 16) (ash (byte 1) 8) (byte 2)))
                 (digit (lambda (k) (if (<= k left) (string-ref digits (logand 63 (ash word (* -6 (- 3 k))))) #\=))))
            (loop (+ i 3) (cons (list->string (map digit '(0 1 2 3))) out)))))))

(define (style-policy)
  "Return the policy that allows a page this style sheet and nothing else: no script, no picture, no other place."
  (string-append "default-src 'none'; style-src 'sha256-" (base64 (digest (string->utf8 style))) "'; base-uri 'none'; form-action 'none'"))
