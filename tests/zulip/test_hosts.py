from __future__ import annotations

import pytest

from scimconf.zulip.hosts import refusal

EXTERNAL = "chat.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "https://chat.example.com",
        "https://acme.chat.example.com",
        "https://a.b.chat.example.com",
        "https://ACME.Chat.Example.COM",
        "https://acme.chat.example.com.",
        "https://acme.chat.example.com:8443",
        "https://acme.org",
        "https://münchen.example",
        "https://xn--mnchen-3ya.example",
    ],
)
def test_a_token_may_be_sent_to_the_names_of_its_server(url: str) -> None:
    hosts = {"acme": "acme.org", "m": "xn--mnchen-3ya.example:443"}
    assert refusal(url, f"{EXTERNAL}:443", hosts) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evilchat.example.com",
        "https://chat.example.com.evil.org",
        "https://example.com",
        "https://chat-example.com",
        "https://chat.example.com@evil.org",
        "https://chat.example.com:x@evil.org",
        "https://evil.org#chat.example.com",
        "https://evil.org/chat.example.com",
        "https://evil.org?chat.example.com",
        "https://evil.org\\.chat.example.com",
        "https://chаt.example.com",  # a Cyrillic a
        "https://сhat.example.com",  # a Cyrillic s
        "https://chat.example.com%2eevil.org",
        "https://chat.example.com%00.evil.org",
        "https://chat.example.com:443@evil.org",
        "https://chat.example.com\u2044.evil.org",  # a fraction slash
        "https://chat.example.com／.evil.org",
        "https://chat.example.com＠evil.org",
        "https://chat.example.com\u200b.evil.org",
        "https://evil.org;.chat.example.com",
        "https://evil.org,chat.example.com",
        "https:/chat.example.com",
        "https:chat.example.com",
        "//chat.example.com",
        "HTTPS://evil.org",
        "javascript://chat.example.com",
        "https://sub.acme.org",
        "https://user@chat.example.com",
        "https://chat.example.com/path",
        "https://chat.example.com:notaport",
        "https://chat.example.com:99999",
        "https://[::1",
        "https://",
        "https://.chat.example.com..",
        "https://chat.exam\nple.com",
        "https://evil.org \t.chat.example.com",
        "ftp://chat.example.com",
        "chat.example.com",
        "",
    ],
)
def test_a_token_is_sent_to_no_other_name(url: str) -> None:
    reason = refusal(url, EXTERNAL, {"acme": "acme.org"})
    assert reason
    assert reason.isprintable()


@pytest.mark.parametrize(
    "host", ["acme。chat.example.com", "ACME．Chat．Example．com", "faß.chat.example.com"]
)
def test_an_international_name_is_compared_in_its_dns_form(host: str) -> None:
    """The connection uses the same IDNA form, so the token goes to the host that was allowed."""
    assert refusal(f"https://{host}", EXTERNAL, {}) is None
    asked = host.encode("idna").decode().lower()
    assert asked.endswith(f".{EXTERNAL}")


def test_the_refusal_names_both_hosts() -> None:
    reason = refusal("https://evil.org", EXTERNAL, {})
    assert "evil.org" in reason
    assert "chat.example.com" in reason


@pytest.mark.parametrize("external", ["", ":8443", "[::"])
def test_a_server_without_a_valid_external_host_gets_no_token(external: str) -> None:
    assert refusal("https://evil.org", external, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "acme.localhost", "[::1]"])
def test_http_is_allowed_for_loopback(host: str) -> None:
    assert refusal(f"http://{host}:8080", host, {}) is None


@pytest.mark.parametrize("host", ["chat.example.com", "10.0.0.1", "notlocalhost"])
def test_http_is_refused_for_other_hosts(host: str) -> None:
    assert "unencrypted" in (refusal(f"http://{host}", host, {}) or "")
