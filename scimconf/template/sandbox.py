"""Run expressions of inventories in a sandbox.

An inventory can come from an unread merge request. So the sandbox limits not only what an
expression can reach, but also its memory and time: its syntax (`_NODES`), its methods (`_METHODS`),
the size of its result (`_Budget`), and the input of filters (filters.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from itertools import islice
from types import GeneratorType
from typing import Any, Protocol

from jinja2 import StrictUndefined, TemplateError, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateAssertionError, UndefinedError
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from scimconf.errors import ScimconfError, UsageError
from scimconf.model import VaultValue
from scimconf.secret import Sealed, Secret
from scimconf.template.filters import FILTERS, TESTS
from scimconf.template.limits import MAX_LENGTH, LimitError

MAX_SOURCE = 4096
"""Characters of one template."""
MAX_RANGE = 1000
"""Numbers in one `range`."""
MAX_RESULT = 256 * 1024
"""Items and characters of a whole result."""


class Lookup(Protocol):
    """The variables of a host, which are expanded when they are read."""

    free: bool
    """Whether the template itself is encrypted, so that whoever wrote it has the vault password."""
    used: list[Sealed]
    """Receives the encrypted values that a free template has read."""

    def __contains__(self, name: str, /) -> bool: ...
    def __getitem__(self, name: str, /) -> object: ...
    def open(self, value: VaultValue | Secret) -> Sealed: ...
    def hostvars(self) -> object: ...


Template = Callable[[Lookup], object]

_HOST = " host"
"""The name of the host's variables in a context. No template can contain this name."""

_TOO_LONG = f"the result has more than {MAX_LENGTH} characters"

_SEQUENCES: tuple[type[Iterable[object]], ...] = (
    list,
    tuple,
    GeneratorType,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)
"""Types that become a list, in data and in text."""

_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Const,
    nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test,
    nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.List,
    nodes.Dict, nodes.Pair, nodes.Tuple, nodes.Call, nodes.Keyword, nodes.Add, nodes.Sub,
    nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat,
)  # fmt: skip
"""The allowed syntax. `set`, macros and `**` could grow without bounds."""

_STR_METHODS = """
capitalize count endswith find index isalpha isdigit islower isupper lower lstrip partition
removeprefix removesuffix rpartition rsplit rstrip split splitlines startswith strip title upper
"""
_LOOP_ATTRIBUTES = "first index index0 last length revindex revindex0"
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, frozenset(_STR_METHODS.split())),
    (dict, frozenset(("get", "items", "keys", "values"))),
    (LoopContext, frozenset(_LOOP_ATTRIBUTES.split())),
)

_FACTS = """
ansible_all_ipv4_addresses ansible_architecture ansible_default_ipv4 ansible_default_ipv6
ansible_distribution ansible_distribution_version ansible_domain ansible_env ansible_fqdn
ansible_hostname ansible_nodename ansible_os_family
"""
_IN_ROLES = "ansible_role_name role_name role_path"
_LOOKUPS = "lookup query q"
ONLY_ANSIBLE: Mapping[str, str] = {
    **dict.fromkeys(_LOOKUPS.split(), "lookups are not supported; write the value itself"),
    **{
        name: f"{name} is a fact that Ansible gathers from the server; scimconf gathers none"
        for name in _FACTS.split()
    },
    **{name: f"{name} exists only in a role of a playbook" for name in _IN_ROLES.split()},
}
"""Names that Ansible may know while a playbook runs, with the message for each."""

_OF_RUNS = """
ansible_check_mode ansible_config_file ansible_diff_mode ansible_facts ansible_forks
ansible_inventory_sources ansible_play_batch ansible_play_hosts ansible_play_hosts_all
ansible_play_name ansible_playbook_python ansible_run_tags ansible_skip_tags ansible_verbosity
ansible_version now play_hosts playbook_dir role_names undef vars
"""
ALWAYS_IN_ANSIBLE = frozenset(_OF_RUNS.split())
"""Names that Ansible itself sets. `default()` must not hide that scimconf does not have them."""


class _Omit:
    """The value of `omit`: a variable with this value counts as not set."""

    __slots__ = ()


OMIT = _Omit()


@lru_cache(maxsize=512)
def compiled(source: str) -> Template:
    """Return a function that expands `source` with the variables of a host.

    The result is cached, because many hosts share one text. Compiling and expanding raise
    UsageError.
    """
    return compiled_once(source)


def compiled_once(source: str) -> Template:
    """Return the same as `compiled`, but keep no copy of the text: it is secret."""
    try:
        template = _compile(source)
    except TemplateAssertionError as error:
        hint = "to see the supported filters and tests: scimconf help inventory"
        raise UsageError(f"the template is not valid: {error}", hint) from None
    except (TemplateError, LimitError) as error:
        raise UsageError(f"the template is not valid: {error}") from None
    except RecursionError:
        raise UsageError("the template is nested too deeply") from None
    except Exception as error:  # Python rejects some of the code that Jinja generates
        raise UsageError(f"the template is not valid: {type(error).__name__}") from None

    def render(variables: Lookup) -> object:
        try:
            return _Budget().data(template.render({_HOST: variables}))
        except ScimconfError:  # from a variable that the template uses
            raise
        except (TemplateError, LimitError) as error:
            raise UsageError(f"the template fails: {error}") from None
        except RecursionError:
            raise UsageError("the template is nested too deeply") from None
        except Exception as error:
            # A filter that fails is an error of the inventory. Its message may quote a value.
            raise UsageError(f"the template fails: {type(error).__name__}") from None

    return render


def _compile(source: str) -> Any:
    if len(source) > MAX_SOURCE:
        raise LimitError(f"it has more than {MAX_SOURCE} characters")
    sandbox = _sandbox()
    source = _keep_backslashes(sandbox, source)
    for node in sandbox.parse(source).find_all(nodes.Node):
        if not isinstance(node, _NODES):
            raise SecurityError(f"{type(node).__name__} is not supported in inventory variables")
        if isinstance(node, nodes.For) and (node.recursive or any(node.find_all(nodes.For))):
            raise SecurityError("a `for` in a `for` is not supported in inventory variables")
    return sandbox.from_string(source)


def _keep_backslashes(sandbox: _Sandbox, source: str) -> str:
    """Double the backslashes in string literals, as ansible's _escape_backslashes does.

    So YAML needs no doubled backslashes in regex_replace('^(.*)\\.com$', '\\1').
    """
    if "\\" not in source:
        return source
    return "".join(
        text.replace("\\", "\\\\") if kind == "string" else text
        for _, kind, text in sandbox.lex(source)
    )


class Described:
    """An object that templates read like a mapping. `_shown` is its name in messages."""

    __slots__ = ("_shown",)
    _shown: str


class _Missing(StrictUndefined):
    """An undefined name, with a better message for names that only Ansible has."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if isinstance(self._undefined_obj, Described):
            return f"{self._undefined_obj._shown} has no {self._undefined_name!r}"
        known = ONLY_ANSIBLE.get(str(self._undefined_name))
        return known or super()._undefined_message

    def __getattr__(self, name: str) -> _Missing:
        """Return the same undefined value, for `nosuch.x | default('y')`, as in Ansible."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, _: object) -> _Missing:  # type: ignore[override]
        if self._undefined_exception is not UndefinedError:
            self._fail_with_undefined_error()  # an attribute that is not safe
        return self


class _Context(Context):
    """Looks up names in the variables of the host, which are expanded at this point."""

    def resolve_or_missing(self, key: str) -> Any:
        variables: Lookup = self.parent[_HOST]
        if key == "hostvars":
            return variables.hostvars()
        if key in ALWAYS_IN_ANSIBLE:
            raise UsageError(
                f"{key} is not supported: Ansible itself sets it while it runs",
                "write the value itself",
            )
        if key not in variables:
            return super().resolve_or_missing(key)
        return held(variables[key], key, variables)


def held(value: object, name: str, variables: Lookup) -> object:
    """Replace encrypted values by `Held`. A free template gets those of encrypted files."""
    if isinstance(value, Sealed) and variables.free:
        variables.used.append(value)
        return value.reveal_data()
    if isinstance(value, (VaultValue, Secret)):
        return Held(value, name, variables)
    if isinstance(value, dict):
        return {key: held(item, f"{name}.{key}", variables) for key, item in value.items()}
    if isinstance(value, list) and any(not isinstance(item, str) for item in value):
        return [held(item, name, variables) for item in value]
    return value


class Held:
    """An encrypted value in a template, which can insert it and nothing else.

    The author of the template may be a stranger. The result of a condition or a filter could reveal
    something about the value to them. So every other use raises UsageError.
    """

    __slots__ = ("carrier", "name", "variables")

    def __init__(self, carrier: VaultValue | Secret, name: str, variables: Lookup) -> None:
        self.carrier = carrier
        self.name = name
        self.variables = variables

    def open(self) -> Sealed:
        """Decrypt the value, to insert it. Raises UsageError."""
        return self.variables.open(self.carrier)

    def _refuse(self, *_: object) -> Any:
        raise UsageError(
            f"{self.name} is encrypted, so a template can only insert it",
            f"use {{{{ {self.name} }}}} without a filter, operator or condition; or put the whole "
            "template into the encrypted file",
        )

    __str__ = __repr__ = __bool__ = __int__ = __float__ = __index__ = __len__ = _refuse
    __iter__ = __hash__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __getitem__ = _refuse
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __sub__ = __rsub__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __neg__ = __pos__ = _refuse
    __getattr__ = __call__ = __format__ = _refuse


class _Sandbox(ImmutableSandboxedEnvironment):
    code_generator_class = NativeCodeGenerator
    context_class = _Context
    intercepted_binops = frozenset(["*", "%", "+"])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, _Missing):
            return value is obj
        return any(isinstance(obj, kind) and attr in names for kind, names in _METHODS)

    def wrap_str_format(self, value: Any) -> None:
        """Reject str.format by is_safe_attribute, because a width can ask for any length."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            sides = (len(side) for side in (left, right) if isinstance(side, (str, list, tuple)))
            if sum(sides) > MAX_RESULT:
                raise LimitError("the result is too large")
            return super().call_binop(context, operator, left, right)
        if not all(isinstance(side, (int, float)) for side in (left, right)):
            raise SecurityError(f"{operator} is supported for numbers only")
        if max(abs(left), abs(right)) > 2**63:
            raise LimitError("the numbers are too large")
        return super().call_binop(context, operator, left, right)

    @staticmethod
    def concat(values: Iterable[object]) -> Any:
        """Join the output of a template: one value keeps its type, several become text.

        As in ansible, no output is null, and a null among other values is left out.
        """
        pieces: list[object] = []
        length = 0
        for value in values:
            pieces.append(value)
            length += len(value) if isinstance(value, str) else 1
            if length > MAX_LENGTH:
                raise LimitError(_TOO_LONG)
        if len(pieces) < 2:
            return pieces[0] if pieces else None
        found: list[Sealed] = []
        kept = [piece for piece in pieces if piece is not None]
        text = "".join(_text(_opened(piece, found)) for piece in kept)
        if not found:
            return text
        marks = "".join(_text(_opened(piece, [], marks=True)) for piece in kept)
        return found[0].joined(found[1:], text, owned=False, bound=marks)


def _text(piece: object) -> str:
    return str(piece if isinstance(piece, (str, Undefined)) else _Budget().data(piece))


def _opened(piece: object, found: list[Sealed], *, marks: bool = False) -> object:
    """Decrypt the encrypted values in a piece of text, and add them to `found`.

    With `marks`, insert the mark of each value in its place.
    """
    if isinstance(piece, Held):
        opened = piece.open()
        found.append(opened)
        return opened.mark if marks else opened.reveal_data()
    if isinstance(piece, dict):
        return {key: _opened(item, found, marks=marks) for key, item in piece.items()}
    if isinstance(piece, _SEQUENCES):
        return [_opened(item, found, marks=marks) for item in islice(piece, MAX_RESULT)]
    return piece


@pass_context
def _finalize(_: Context, value: object) -> object:
    # A function with a context stops Jinja from folding constants into text.
    if isinstance(value, Undefined):
        str(value)
    return value


def _short_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise LimitError(f"range() has more than {MAX_RANGE} numbers")
    return numbers


@cache
def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(
        undefined=_Missing, finalize=_finalize, trim_blocks=True, keep_trailing_newline=True
    )
    sandbox.globals = {"range": _short_range, "omit": OMIT}
    sandbox.filters = dict(FILTERS)
    sandbox.tests = dict(TESTS)
    return sandbox


class _Budget:
    """Copies a result into plain data, up to a limit."""

    def __init__(self) -> None:
        self.left = MAX_RESULT

    def data(self, value: object) -> object:
        self.left -= 1 + (len(value) if isinstance(value, str) else 0)
        if self.left < 0:
            raise LimitError("the result is too large")
        if isinstance(value, str) and len(value) > MAX_LENGTH:
            raise LimitError(_TOO_LONG)
        if value is None or isinstance(value, (str, int, float, date, Sealed, VaultValue, _Omit)):
            return value
        if isinstance(value, Held):
            return value.carrier
        if isinstance(value, dict):
            return {
                self.data(key): self.data(item) for key, item in value.items() if item is not OMIT
            }
        if isinstance(value, _SEQUENCES):
            return [self.data(item) for item in islice(value, MAX_RESULT) if item is not OMIT]
        if isinstance(value, Undefined):
            str(value)
        raise LimitError(f"the result is a {type(value).__name__}, which is not data")
