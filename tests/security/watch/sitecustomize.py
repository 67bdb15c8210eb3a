"""Watch scimconf from inside, in every Python with this folder on its PYTHONPATH.

Write into the folder CANARY_WATCH, without redaction: log records, warnings, uncaught exceptions of
threads, and the names of local variables of scimconf's functions whose repr shows a secret when the
function ends. A traceback with local variables would print those.
"""

import contextlib
import logging
import os
import runpy
import sys
import threading
import warnings

runpy.run_path(
    os.environ["CANARY_DNS"]
)  # this file hides the lab's sitecustomize.py, so run it here
_FOLDER = os.environ["CANARY_WATCH"]
_PACKAGE = os.environ["CANARY_PACKAGE"]
_make_record = logging.getLogRecordFactory()
_seen = set()


def _note(name, text):
    with open(os.path.join(_FOLDER, name), "a", encoding="utf-8", errors="replace") as file:
        file.write(f"{text}\n")


def _record(*arguments, **options):
    record = _make_record(*arguments, **options)
    _note("log", f"{record.name}: {record.getMessage()}")
    return record


def _warned(message, category, filename, lineno, file=None, line=None):
    _note("warnings", f"{filename}:{lineno}: {category.__name__}: {message}")


def _escaped(found):
    _note("escaped", repr(found))


def _alive():
    module = sys.modules.get("scimconf.secret")
    while hasattr(module, "_alive"):
        with contextlib.suppress(RuntimeError):  # another thread may add one at this moment
            return {secret._Secret__text for secret in module._alive}
    return set()


def _left(frame, event, _):
    if event != "return" or not frame.f_code.co_filename.startswith(_PACKAGE):
        return
    texts = [text for text in _alive() if len(text) >= 6]
    if not texts:
        return
    for name, value in list(frame.f_locals.items()):
        place = (frame.f_code.co_filename[len(_PACKAGE) :], frame.f_code.co_name, name)
        if place in _seen:
            continue
        with contextlib.suppress(Exception):
            shown = repr(value)
            if any(text in shown for text in texts):
                _seen.add(place)
                _note("locals", " ".join(place))


logging.setLogRecordFactory(_record)
warnings.simplefilter("always")
warnings.showwarning = _warned
threading.excepthook = sys.unraisablehook = _escaped
if os.environ.get("CANARY_VARIABLES"):
    threading.setprofile(_left)
    sys.setprofile(_left)
