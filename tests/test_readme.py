"""README.md: the tour shows what scimconf prints."""

from __future__ import annotations

import pytest

from tests.lab import Lab
from tests.lab.tour import settled, shown, take


@pytest.mark.needs_sshd
def test_the_tour_is_what_scimconf_prints() -> None:
    """`python -m tests.lab.tour` writes the current output into the README."""
    with Lab() as lab:
        assert settled(shown()) == settled(take(lab, lab.folder / "tour"))
