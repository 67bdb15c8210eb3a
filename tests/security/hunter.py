"""Looks for canaries (secrets that were let in on purpose) in whatever may have been written."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Hunter:
    """Knows the canaries, by name, in every shape in which one would still be of use."""

    canaries: Mapping[str, str] = field(repr=False)
    shapes: Mapping[bytes, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Work the shapes out, once."""
        shapes = {
            shape: f"{name} ({kind})"
            for name, text in self.canaries.items()
            for kind, shape in _shapes(text)
        }
        object.__setattr__(self, "shapes", shapes)

    def in_bytes(self, data: bytes) -> set[str]:
        """Name the canaries that are in it."""
        return {name for shape, name in self.shapes.items() if shape in data}

    def in_text(self, text: str) -> set[str]:
        """Name the canaries that are in it."""
        return self.in_bytes(text.encode("utf-8", "surrogateescape"))

    def in_files(self, folder: Path, allowed: Iterable[Path] = ()) -> Iterator[str]:
        """Name each file under a folder that holds one, or has one in its own name.

        What is `allowed` to, or stands in a folder that is, is left out. Links are not followed.
        """
        spared = {*allowed}
        for place, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if Path(place, name) not in spared]
            for name in names:
                path = Path(place, name)
                if path in spared or path.is_symlink() or not path.is_file():
                    continue
                for found in self.in_bytes(path.read_bytes()) | self.in_text(name):
                    yield f"{path.relative_to(folder)}: {found}"


def _shapes(text: str) -> Iterator[tuple[str, bytes]]:
    data = text.encode()
    # The last name of one shape stays: the plainest.
    yield "reversed", data[::-1]
    yield "UTF-16", text.encode("utf-16-le")
    yield "hex", data.hex().encode()
    yield "quoted for a URL", quote(text, safe="").encode()
    yield "as JSON", json.dumps(text)[1:-1].encode()
    for shift in range(3):  # base64 looks different by where in a group of three it begins
        encoded = base64.b64encode(b"\0" * shift + data)
        inner = encoded[(0, 2, 3)[shift] : -4]
        yield "base64 for a URL", inner.translate(bytes.maketrans(b"+/", b"-_"))
        yield "base64", inner
    yield "clear", data
