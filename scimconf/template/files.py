"""The texts that we render ourselves, from `templates/`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def template_text(name: str) -> str:
    """Give the text of one of our templates: `scim_config.py.j2`.

    In a wheel they stand in the package, in a checkout beside it. Raises FileNotFoundError.
    """
    packaged = resources.files("scimconf") / "templates" / name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[2] / "templates" / name
    return checkout.read_text(encoding="utf-8")


def render(name: str, **values: object) -> str:
    """Render one of our templates as plain text: nothing is escaped, a block takes no line.

    Raises FileNotFoundError, and jinja2's UndefinedError for a value that the template needs and
    was not given: both are our own mistakes, no operator can cause them.
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
