from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from scimconf import tokens
from scimconf.errors import UsageError


def _installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(tokens, "version", version)


@pytest.mark.parametrize("version", ["1.9.4", "1.10.0", "2.0"])
def test_libpass_is_what_we_want(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    _installed(monkeypatch, libpass=version)
    tokens._need_libpass()


@pytest.mark.parametrize(
    "versions",
    [{}, {"passlib": "1.7.4"}, {"libpass": "1.9.3"}, {"libpass": "1.9.4", "passlib": "1.7.4"}],
)
def test_the_old_passlib_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]
) -> None:
    _installed(monkeypatch, **versions)
    with pytest.raises(UsageError, match="libpass") as error:
        tokens._need_libpass()
    assert "pip install 'libpass>=1.9.4'" in error.value.hint
