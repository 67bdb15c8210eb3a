"""`make lowest`: the lowest version of each package that scimconf imports, as pip's constraints."""

from __future__ import annotations

import re
from importlib.metadata import requires


def lowest(requirements: list[str]) -> list[str]:
    """Return `name==version` for each `name>=version`. Raises ValueError for any other form."""
    found = [re.fullmatch(r"([\w.-]+)>=([\w.]+)", each) for each in requirements]
    if not all(found):
        raise ValueError(f"not all of these have a lowest version and no more: {requirements}")
    return [f"{each[1]}=={each[2]}" for each in found if each]


if __name__ == "__main__":
    print("\n".join(lowest([each for each in requires("scimconf") or () if "extra" not in each])))
