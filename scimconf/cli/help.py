"""Lay out `--help`: options in named sections, and one sentence about environment variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from scimconf.cli import variables

OWN = "Options"
WORK = "What to work on"
ROLLOUT = "Rollout"
CONNECTION = "Connection"
WORKERS = "Workers"
PASSWORDS = "Passwords"
OUTPUT = "Output"
SECTIONS = (WORK, OWN, ROLLOUT, CONNECTION, WORKERS, PASSWORDS, OUTPUT)
"""The sections in the order of --help."""

_COLUMN = 26
"""Width of the names of options, so that the texts of all sections begin in the same column."""


class Option(click.Option):
    """An option that --help shows in a section of its own."""

    def __init__(self, *args: Any, section: str = OWN, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return nothing, so that click adds no default to the text. The text contains it."""
        return {}

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the text, without the other long names: Ansible's abbreviations."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        names, text = record
        for other in [name for name in self.opts if name.startswith("--")][1:]:
            names = names.replace(f", {other}", "")
        return names, text


class Argument(click.Argument):
    """An argument that --help explains. Click itself explains options only."""

    def __init__(self, *args: Any, text: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = WORK
        self.text = text

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the name and the text. click's own Argument returns nothing."""
        return self.make_metavar(ctx), self.text


class _Verb(click.Command):
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in SECTIONS}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                name, text = record
                sections[getattr(parameter, "section", OWN)].append((f"{name:{_COLUMN}}", text))
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, _COLUMN)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sentence about environment variables, then the verb's own epilog."""
        if sentence := _about_variables(self.get_params(ctx)):
            formatter.write_paragraph()
            formatter.write_text(sentence)
        super().format_epilog(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line. An error names this verb, so that the hint can name its help."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class Verb(_Verb):
    """A command whose --help has sections."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. If it loads no inventory, check the names of variables first."""
        if not any(parameter.name == "inventory" for parameter in self.params):
            variables.check()
        return super().invoke(ctx)


class Group(click.Group, _Verb):
    """A verb with subcommands. Its --help lists its options first, then the subcommands."""

    command_class = Verb


def _about_variables(parameters: Sequence[click.Parameter]) -> str:
    options = [each for each in parameters if isinstance(each, Option)]
    named = [each for each in options if each.envvar]
    if not named:
        return ""
    bare = ", ".join(long_name(each) for each in options if not each.envvar)
    return (
        f"Every option can be set as an environment variable, for example "
        f"{long_name(named[0])} as {named[0].envvar}." + (f" Exceptions: {bare}." if bare else "")
    )


def long_name(option: click.Option) -> str:
    """Return the name that begins with two hyphens."""
    return next(name for name in option.opts if name.startswith("--"))
