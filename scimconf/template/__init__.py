"""Jinja in a sandbox: for variables of the inventory, and for the texts that we render ourselves.

The only room that knows jinja2.
"""

from scimconf.template.files import render, template_text
from scimconf.template.pages import render_page
from scimconf.template.variables import Variables, expand, is_template

__all__ = ["Variables", "expand", "is_template", "render", "render_page", "template_text"]
