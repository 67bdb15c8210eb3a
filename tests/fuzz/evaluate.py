"""Run a settings file, which is the only sure way to know what Python reads in it.

Its imports are fakes, and it cannot open files. Its values are returned as plain data, so that two
runs can be compared: an LDAPSearch has no `==`, and functions are compared by their code.
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import types
import warnings
from typing import Any


class LDAPSearch:
    """A fake of django_auth_ldap's class, which has no `==`."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments


def secret(name: str) -> str:
    """Fake Zulip's get_secret."""
    return f"secret {name}"


def namespace(data: bytes) -> dict[str, Any] | None:
    """Return every name of the file as plain data, but SCIM_CONFIG unchanged.

    Return None if the file does not run to its end.
    """
    module = types.ModuleType("zproject.prod_settings")
    names = module.__dict__
    names.update(
        __package__="zproject", __builtins__={**_BUILTINS, "__import__": _importer(module)}
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(data, "settings.py", "exec", dont_inherit=True), names)
    except (Exception, SystemExit, GeneratorExit):
        return None
    names.pop("__builtins__", None)
    names.pop("__warningregistry__", None)
    config = names.pop("SCIM_CONFIG", _ABSENT)
    found = {name: plain(value) for name, value in names.items() if value is not names}
    return found if config is _ABSENT else {**found, "SCIM_CONFIG": config}


_ABSENT = object()
_BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if name not in ("open", "input", "breakpoint", "exit", "quit", "help")
}
_BUILTINS.update(print=lambda *_: None, suppress=contextlib.suppress)


def _module(name: str, **names: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(names)
    return module


def _importer(settings: types.ModuleType) -> Any:
    modules = {
        "config": _module("config", get_secret=secret),
        "zproject": _module("zproject", prod_settings=settings),
        "zproject.config": _module("zproject.config", get_secret=secret),
        "ldap": _module("ldap", SCOPE_SUBTREE=2),
        "django_auth_ldap.config": _module("django_auth_ldap.config", LDAPSearch=LDAPSearch),
        "stars": _module("stars", SCIM_CONFIG={"old": {"star": 1}}, secret=repr, get_secret=repr),
        "builtins": _module("builtins", **_BUILTINS),
        "re": _module("re"),
        "os": _module("os"),
        "os.path": _module("os.path"),
        "sys": _module(
            "sys", modules={settings.__name__: settings}, _getframe=lambda: sys._getframe(1)
        ),
    }
    modules["os"].__dict__["path"] = modules["os.path"]

    def load(
        name: str, _g: object = None, _l: object = None, names: Any = (), level: int = 0
    ) -> Any:
        if name not in modules:
            raise ImportError(name)
        return modules[name if names or level else name.split(".")[0]]

    return load


def plain(value: Any, depth: int = 0) -> object:
    """Return a value in a form that can be compared with `==`."""
    if depth > 12:
        return "..."
    if isinstance(value, dict):
        return ["dict", [(plain(k, depth + 1), plain(v, depth + 1)) for k, v in value.items()]]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [plain(each, depth + 1) for each in value]]
    if isinstance(value, (set, frozenset)):
        return [type(value).__name__, sorted(repr(each) for each in value)]
    if isinstance(value, types.FunctionType):
        return ["function", _code(value.__code__), plain(value.__defaults__, depth + 1)]
    if isinstance(value, (staticmethod, classmethod)):
        return ["method", plain(value.__func__, depth + 1)]
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    if isinstance(value, type):
        inside = {k: v for k, v in vars(value).items() if k not in _OF_EVERY_CLASS}
        return ["class", value.__name__, plain(inside, depth + 1)]
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return [type(value).__name__, repr(value)]
    return ["instance", type(value).__name__, plain(getattr(value, "__dict__", {}), depth + 1)]


_OF_EVERY_CLASS = ("__dict__", "__weakref__", "__module__", "__firstlineno__")


def _code(code: types.CodeType) -> object:
    inside = [_code(each) if isinstance(each, types.CodeType) else repr(each)
              for each in code.co_consts]  # fmt: skip
    return [code.co_name, code.co_code, code.co_names, code.co_varnames, inside]
