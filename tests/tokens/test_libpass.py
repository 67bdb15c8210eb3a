"""passlib and libpass have the same import name. scimconf needs libpass, which is maintained."""

from __future__ import annotations

import passlib  # type: ignore[import-untyped]
import pytest

from scimconf import tokens
from scimconf.errors import UsageError


@pytest.mark.parametrize("version", ["1.9.4", "1.10.0", "2.0", "1.9.10.dev1"])
def test_a_current_libpass_is_accepted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(passlib, "__version__", version)
    tokens._need_libpass()


@pytest.mark.parametrize("version", ["1.7.4", "1.9.3", "1.9", "unknown", ""])
def test_passlib_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(passlib, "__version__", version)
    _is_refused(f"passlib {version}" if version else "none")


def test_a_missing_passlib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "passlib", None)
    _is_refused("none is installed")


def _is_refused(reason: str) -> None:
    with pytest.raises(UsageError, match=r"needs libpass 1\.9\.4 or later") as error:
        tokens._need_libpass()
    assert reason in error.value.message
    assert "pip install 'libpass>=1.9.4'" in error.value.hint
