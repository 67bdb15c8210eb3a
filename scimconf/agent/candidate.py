"""Check a new settings.py with Zulip's own interpreter before it is written.

A separate process loads the old text and the new text as `zproject.prod_settings`, then all of
Zulip's settings with the new text. It reports whether anything but SCIM_CONFIG differs. It compares
names, not values, because an LDAPSearch has no `==`. Secrets are sent on its stdin.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Mapping, Optional

from scimconf.agent import child, zulip
from scimconf.agent.errors import AgentError

SECONDS = 120
"""The check takes about 0.8 seconds on an idle server."""

_PROGRAM = r"""
import base64, importlib, json, os, sys, types

answer = os.dup(1)
os.dup2(2, 1)  # settings that print must not write into the answer
task = json.load(sys.stdin)
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "zproject.settings"
package = importlib.import_module("zproject")


class Differs(Exception):
    pass  # the only error whose text is reported: any other text may quote a value


def load(which):
    # Straight from the bytes: neither a stale .pyc is read nor a new one written.
    module = types.ModuleType("zproject.prod_settings")
    module.__file__ = os.path.join(os.getcwd(), "zproject", "prod_settings.py")
    module.__package__ = "zproject"
    sys.modules[module.__name__] = package.prod_settings = module
    exec(compile(base64.b64decode(task[which]), task["path"], "exec"), module.__dict__)
    return module


def names(module):
    return {name for name in vars(module) if name.isupper() and name != "SCIM_CONFIG"}


def plain(value):
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return None


def compare():
    old = load("old")
    yield "the new settings.py cannot be loaded"
    new = load("new")
    yield "Zulip's settings cannot be loaded with the new settings.py"
    chain = importlib.import_module("zproject.settings")
    yield "the new settings.py cannot be compared with the old one"
    before, after = getattr(old, "SCIM_CONFIG", {}), getattr(new, "SCIM_CONFIG", {})
    if names(old) != names(new):
        raise Differs("it would add or remove names other than SCIM_CONFIG")
    if getattr(chain, "SCIM_CONFIG", {}) != after:
        raise Differs("Zulip would not see the SCIM_CONFIG of settings.py")
    if task["wanted"] is None:
        yield ""
        return
    for realm in {*before, *after, *task["wanted"]}:
        if realm not in task["wanted"]:
            same = realm in before and realm in after and before[realm] == after[realm]
        elif task["wanted"][realm] is None:
            same = realm not in after
        else:
            same = realm in after and plain(after[realm]) == plain(task["wanted"][realm])
        if not same:
            raise Differs("realm %s would not have the wanted values" % (realm or "(root)"))
    yield ""


why = "the current settings.py cannot be loaded"
try:
    for why in compare():
        pass
except Differs as error:
    why = str(error)
except BaseException as error:
    line, trace = "", error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == task["path"]:
            line = " in line %d" % trace.tb_lineno
        trace = trace.tb_next
    why += ": " + type(error).__name__ + line
os.write(answer, json.dumps({"why": why}).encode())
os._exit(0)
"""


def check_current(deployment: str, path: str, data: bytes) -> None:
    """Raise AgentError, with the line, if Zulip cannot load the current settings.py.

    Only the type of the error is named, because its text may quote a token.
    """
    try:
        check(deployment, path, data, data, None)
    except AgentError as error:
        hint = f"correct the file; `{os.path.join(deployment, 'manage.py')} check` shows the error"
        raise AgentError(f"{path}: {error.message}", hint) from None


def check(
    deployment: str,
    path: str,
    old: bytes,
    new: bytes,
    wanted: Optional[Mapping[str, Optional[object]]],
) -> None:
    """Raise AgentError if Zulip would not see `wanted` in SCIM_CONFIG and all else unchanged.

    `wanted` maps each changed realm to the entry that Zulip must see; None: the realm must be
    absent. If `wanted` itself is None, the content of SCIM_CONFIG is not compared. The error holds
    no value from the file.
    """
    task = {
        "path": path,
        "old": base64.b64encode(old).decode(),
        "new": base64.b64encode(new).decode(),
        "wanted": wanted,
    }
    python = zulip.interpreter(deployment)
    ended = child.run([python, "-I", "-B", "-c", _PROGRAM], deployment, SECONDS, json.dumps(task))
    if ended.code is None:
        raise AgentError(f"Zulip's settings did not load within {SECONDS} seconds")
    try:
        why = json.loads(ended.out)["why"]
    except (ValueError, LookupError, TypeError):
        raise AgentError("Zulip's Python stopped before it loaded settings.py") from None
    if why:
        raise AgentError(str(why), f"{path} was not changed")
