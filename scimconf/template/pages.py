"""Render our HTML pages from `templates/`. Each page is one file that loads nothing else.

Pages contain text from inventories and servers, so each page has three protections. Values are
escaped (jinja2's autoescape). Control characters and bidirectional marks are escaped, because marks
change the direction of text in a browser, too. The page's Content-Security-Policy
(https://www.w3.org/TR/CSP3/) permits only our style and our script, by their hashes, and no
requests.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from scimconf.sanitize import sanitize
from scimconf.template.files import template_text


def render_page(name: str, *, styles: tuple[str, ...], script: str = "", **values: object) -> str:
    """Render one of our HTML templates, with these style sheets and this script embedded.

    Raises as `render` does.
    """
    style = "".join(template_text(sheet) for sheet in styles)
    program = template_text(script) if script else ""
    allowed = _hash(program) if program else "'none'"
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {_hash(style)}; script-src {allowed}"
    )
    page = _environment().get_template(name)
    text = page.render(policy=policy, style=Markup(style), script=Markup(program), **values)  # noqa: S704
    return sanitize(text, len(text))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FunctionLoader(template_text),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
