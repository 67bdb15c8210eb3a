"""Render our own templates from `templates/` as plain text."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def template_text(name: str) -> str:
    """Return the text of one of our templates, such as `scim_config.py.j2`.

    In a wheel they are inside the package, in a checkout beside it. Raises FileNotFoundError.
    """
    packaged = resources.files("scimconf") / "templates" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[2] / "templates" / name
    return checkout.read_text(encoding="utf-8")


def render(name: str, **values: object) -> str:
    """Render one of our templates as plain text, without escaping.

    Raises FileNotFoundError, and jinja2's UndefinedError for a missing value. Both are bugs: an
    operator cannot cause them.
    """
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(template_text),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
