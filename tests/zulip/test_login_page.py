"""The meaning of a login page's redirects."""

from __future__ import annotations

import pytest

from scimconf.zulip.login_page import deactivated, moved_to, same_host, url_of

URL = "https://acme.chat.example.com"


@pytest.mark.parametrize(
    ("status", "location", "url"),
    [
        (302, "https://chat.acme.example/login/", "https://chat.acme.example"),
        (301, "https://chat.acme.example:8443/login/?next=/", "https://chat.acme.example:8443"),
        (302, "//chat.acme.example/login", "https://chat.acme.example"),
        (302, "https://ACME.chat.example.com:8443/login/", ""),
        (302, "/accounts/login/sso/", ""),
        (302, "https://idp.example.net/sso", ""),
        (302, "https://evil\x1b[2J/login/", ""),
        (302, "https://x y/login/", ""),
        (302, "https://[x/login/", ""),
        (302, "", ""),
        (200, "https://chat.acme.example/login/", ""),
        (None, "", ""),
    ],
)
def test_a_redirect_to_another_host_of_the_realm(
    status: int | None, location: str, url: str
) -> None:
    assert moved_to(status, location, URL) == url


@pytest.mark.parametrize(
    ("status", "location", "is_deactivated"),
    [
        (302, "/accounts/deactivated/", True),
        (302, "https://acme.chat.example.com/accounts/deactivated/", True),
        (302, "/accounts/go/", False),
        (200, "/accounts/deactivated/", False),
        (None, "", False),
    ],
)
def test_a_redirect_of_a_deactivated_realm(
    status: int | None, location: str, is_deactivated: bool
) -> None:
    assert deactivated(status, location) is is_deactivated


def test_hosts_are_compared_without_ports() -> None:
    assert same_host("Chat.example.com.:8443", "chat.example.com")
    assert not same_host("chat.example.com", "chat.example.org")
    assert url_of("chat.example.com:8443") == "https://chat.example.com:8443"
    assert url_of("chat.example.com/x") == ""
