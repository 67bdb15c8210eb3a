from __future__ import annotations

import pytest

from scimconf.errors import ScimconfError
from scimconf.zulip.versions import Feature, Version, advice, available, parse


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("9.0", Version(9, 0)),
        ("12.1", Version(12, 1)),
        ("6.0-beta1", Version(6, 0, released=False)),
        ("6.0-rc2", Version(6, 0, released=False)),
        ("10.0-dev+git", Version(10, 0, released=False)),
        ("10.0-dev-2441-gdeadbeef", Version(10, 0, released=False)),
        ("9.0-123-gabc1234", Version(9, 0)),
        ("11.5+git", Version(11, 5)),
        (" 8.4\n", Version(8, 4)),
        ("2.1.8", Version(2, 1, 8)),
    ],
)
def test_the_version_texts_of_zulip_are_parsed(text: str, version: Version) -> None:
    assert parse(text) == version


@pytest.mark.parametrize(
    "text", ["", "main", "9", "9.0garbage", "v9.0", "٩.٠", "\x1b[31m9.0", "9." * 99]
)
def test_an_invalid_version_is_refused(text: str) -> None:
    with pytest.raises(ScimconfError, match="not a Zulip version") as error:
        parse(text)
    assert error.value.message.isprintable()
    assert len(error.value.message) < 120


def test_versions_are_sorted_by_release() -> None:
    texts = [
        "5.7",
        "6.0-beta1",
        "6.0",
        "6.0-12-gabc",
        "6.2",
        "9.10",
        "10.0-dev+git",
        "10.0",
        "11.0",
    ]
    assert sorted(texts, key=parse) == texts


@pytest.mark.parametrize(
    ("version", "has"),
    [("4.11", False), ("5.0", True), ("5.7", True), ("6.0", False), ("12.1", False)],
)
def test_only_zulip_5_has_the_client_command(version: str, has: bool) -> None:
    assert available(Feature.ADD_SCIM_CLIENT, version) is has


def test_a_beta_does_not_count_as_its_release() -> None:
    assert not available(Feature.SKIP_CLIENT_RELOADS, "9.0-beta1")
    assert available(Feature.SKIP_CLIENT_RELOADS, "9.0")


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_starts_with_a_release(feature: Feature) -> None:
    """A release candidate does not have it; the release has it."""
    releases = [f"{major}.{minor}" for major in range(5, 13) for minor in range(8)]
    first = next(release for release in releases if available(feature, release))
    assert not available(feature, f"{first}-rc1")


def test_old_versions_come_with_advice() -> None:
    assert [each.id for each in advice("5.1")] == [
        *("no-deactivation", "CVE-2022-41914", "case-sensitive-username")
    ]
    assert [each.id for each in advice("5.6")] == ["CVE-2022-41914", "case-sensitive-username"]
    assert list(advice("9.0")) == []
