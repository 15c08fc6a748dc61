;; SPDX-License-Identifier: LGPL-3.0-or-later
;; Asking a Python what it is: it is run once, with a small script, and answers in items that end with NUL, as names of files may have
;; anything else.  Whatever else is run in its place is told apart by its answer.
(define-module (tutti python probe)
  #:use-module (ice-9 iconv)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-1)
  #:use-module (tutti python primitives)
  #:export (probe-python probe-list most-output))

;; What it writes to each of its outputs, in bytes: an answer has a few thousand.
(define most-output (expt 2 20))

;; Every Python is to understand this, so that it can say which one it is; only what Tutti can use is asked further.  Candidates for
;; its libpython: the one that it has loaded itself; else those of its build, which names folders that are no more where Python was moved
;; since (python-build-standalone), and no library where both kinds are installed (conda, Debian).
(define script "
import os, sys
if sys.path and sys.path[0] == '':
    del sys.path[0]
nul = bytes(bytearray([0]))
answer = [b'', b'tutti-python']

def say(key, value):
    if value is None:
        return
    value = str(value)
    if not isinstance(value, bytes):
        value = os.fsencode(value)
    answer.append(key.encode('ascii') + b'=' + value)

def look_for_library():
    import sysconfig
    get = sysconfig.get_config_var
    short = '%d.%d' % sys.version_info[:2]
    stems = [get('LDVERSION'), short + getattr(sys, 'abiflags', '')]
    names = [n for n in (get('INSTSONAME'), get('LDLIBRARY')) if n and '.so' in n]
    names += ['libpython%s.so%s' % (s, end) for s in stems if s for end in ('.1.0', '')]
    base = getattr(sys, '_base_executable', None) or sys.executable or ''
    above = os.path.dirname(os.path.dirname(os.path.realpath(base)))
    folders = [get('LIBDIR')] + [os.path.join(p, lib) for p in (sys.base_exec_prefix, sys.base_prefix, above) for lib in ('lib', 'lib64')]
    folders = [f for f in folders if f]
    if get('MULTIARCH'):
        folders += [os.path.join(f, get('MULTIARCH')) for f in folders]
    files = [os.path.normpath(os.path.join(f, n)) for f in folders + [get('LIBPL') or ''] for n in names]
    try:
        with open('/proc/self/maps', 'rb') as maps:
            mapped = [os.fsdecode(line.split(None, 5)[5].rstrip()) for line in maps if b'/libpython' in line]
        files = [f for f in mapped if os.path.basename(f).startswith('libpython' + short)] + files
    except OSError:
        pass
    for file in files:
        if os.path.isabs(file) and os.path.isfile(file):
            say('library', file)
            break
    say('library-name', names[0])
    say('shared', get('Py_ENABLE_SHARED') or 0)
    say('free-threading', get('Py_GIL_DISABLED') or 0)
    say('platform', sysconfig.get_platform())

def look_for_numpy():
    from importlib.util import find_spec
    try:
        spec = find_spec('numpy')
    except Exception:
        return
    if not spec or not spec.origin:
        return
    say('numpy-file', spec.origin)
    found = []
    try:
        for name in os.listdir(os.path.dirname(os.path.dirname(spec.origin))):
            if name.startswith('numpy-') and name.endswith(('.dist-info', '.egg-info')):
                found.append(name[6:].rsplit('.', 1)[0].split('-')[0])
    except OSError:
        pass
    if len(found) != 1:
        try:
            from importlib.metadata import version
            found = [version('numpy')]
        except Exception:
            found = []
    say('numpy', found[0] if found else 'of unknown version')

say('version', '%d.%d.%d' % sys.version_info[:3])
say('version-text', sys.version.split()[0])
say('implementation', sys.implementation.name if hasattr(sys, 'implementation') else
    'pypy' if '__pypy__' in sys.builtin_module_names else 'cpython')
say('bits', 64 if sys.maxsize > 2 ** 32 else 32)
for name in ('executable', 'prefix', 'exec_prefix', 'base_prefix', 'base_exec_prefix'):
    say(name, getattr(sys, name, None))
for folder in sys.path:
    say('path', folder)
if sys.version_info >= (3, 11) and sys.implementation.name == 'cpython':
    look_for_library()
    look_for_numpy()
answer += [b'end', b'']
text = nul.join(answer)
while text:
    text = text[os.write(1, text):]
")

(define (parse output)
  "Return the answer in the string @var{output}, an association list of strings with keys that may be there more than once, or @code{#f}."
  (let* ((begin "\0tutti-python\0") (end "\0end\0")
         (from (string-contains output begin))
         (to (and from (string-contains output end from))))
    (and to
         (map (lambda (item)
                (let ((at (string-index item #\=)))
                  (cons (substring item 0 at) (substring item (1+ at)))))
              (filter (lambda (item) (string-index item #\=))
                      (string-split (substring output (+ from (string-length begin)) to) #\nul))))))

(define (probe-python file seconds)
  "Run @var{file} as a Python, for @var{seconds} at most.  Return two values: its answer, an association list of strings, or @code{#f}; and
how that was: a list of @code{exited}, @code{signaled}, @code{late}, @code{flooded}, @code{unknown} or @code{failed}, a number (a status, a
signal, an errno), and the texts of both outputs."
  (match (%python-probe (list file "-c" script) seconds most-output)
    (('failed errno) (values #f (list 'failed errno "" "")))
    ((how number output errors)
     (let ((text (bytevector->string output "UTF-8" 'substitute)))
       (values (and (memq how '(exited unknown)) (zero? number) (parse text))
               (list how number text (bytevector->string errors "UTF-8" 'substitute)))))))

(define (probe-list answer key)
  "Return the list of all strings that @var{answer} has for @var{key}."
  (filter-map (lambda (item) (and (string=? (car item) key) (cdr item))) answer))
