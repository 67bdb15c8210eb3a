"""Search files and text for canaries: secrets that a test has planted."""

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
    """The canaries by name, in every encoding in which somebody could still use them."""

    canaries: Mapping[str, str] = field(repr=False)
    shapes: Mapping[bytes, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Compute the encoded forms once."""
        shapes = {
            shape: f"{name} ({kind})"
            for name, text in self.canaries.items()
            for kind, shape in _shapes(text)
        }
        object.__setattr__(self, "shapes", shapes)

    def in_bytes(self, data: bytes) -> set[str]:
        """Return the names of the canaries in the data."""
        return {name for shape, name in self.shapes.items() if shape in data}

    def in_text(self, text: str) -> set[str]:
        """Return the names of the canaries in the text."""
        return self.in_bytes(text.encode("utf-8", "surrogateescape"))

    def in_files(self, folder: Path, allowed: Iterable[Path] = ()) -> Iterator[str]:
        """Yield each file below a folder that has a canary in its content or its name.

        Skip the `allowed` files and folders. Do not follow links.
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
    # If two forms are the same bytes, the last name counts, so the plainest comes last.
    yield "reversed", data[::-1]
    yield "UTF-16", text.encode("utf-16-le")
    yield "hex", data.hex().encode()
    yield "quoted for a URL", quote(text, safe="").encode()
    yield "as JSON", json.dumps(text)[1:-1].encode()
    for shift in range(3):  # base64 depends on the position in a group of three bytes
        encoded = base64.b64encode(b"\0" * shift + data)
        inner = encoded[(0, 2, 3)[shift] : -4]
        yield "base64 for a URL", inner.translate(bytes.maketrans(b"+/", b"-_"))
        yield "base64", inner
    yield "clear", data
