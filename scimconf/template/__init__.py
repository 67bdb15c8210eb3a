"""Expand templates in inventory variables in a sandbox, and render our own templates.

Only this package imports jinja2.
"""

from scimconf.template.files import render, template_text
from scimconf.template.pages import render_page
from scimconf.template.sandbox import OMIT
from scimconf.template.variables import Variables, expand, is_template

__all__ = ["OMIT", "Variables", "expand", "is_template", "render", "render_page", "template_text"]
