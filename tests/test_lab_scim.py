"""Each row of "SCIM_CONFIG" and "The SCIM API" in docs/zulip.md, checked on the lab over TLS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab import Lab, Server

TOKEN = "right"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
VERSIONS = ("5.6", "8.4", "9.0", "11.0", "12.1")
REALMS = ("", "acme", "wiki", "nameless", "tokenless", "clientless", "unnamed", "empty", "Caps")
REALMS += ("caps", "absent", "gone", "moved")


def entry(formatted: bool | None, token: str | None = TOKEN, **more: object) -> dict[str, object]:
    """Return an entry of SCIM_CONFIG. A key with the value None is left out."""
    values = {
        "bearer_token": token,
        "scim_client_name": "idp",
        "name_formatted_included": formatted,
    }
    return {key: value for key, value in {**values, **more}.items() if value is not None}


CONFIG = {
    "": entry(True, token="root"),
    "acme": entry(True),
    "wiki": entry(False, token="other", unknown_key=1, create_guests_without_streams=True),
    "unnamed": entry(None),
    "tokenless": {**entry(True), "bearer_token": ""},
    "clientless": {"bearer_token": TOKEN, "name_formatted_included": True},
    "nameless": {**entry(True), "bearer_token": None},
    "empty": {},
    "Caps": entry(True),
    "gone": entry(True),
    "moved": entry(True),
}
CLIENTS = """
from zerver.models import Realm, SCIMClient
for realm in Realm.objects.exclude(string_id="wiki"):
    SCIMClient.objects.create(realm=realm, name="idp")
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[str, Server]]:
    """One server of each version with the same settings. On 5.6, wiki has no registered client."""

    def start(version: str) -> Server:
        config = {
            **CONFIG,
            "acme": {**CONFIG["acme"], "custom_profile_field_map": {"job": "title"}},
        }
        server = lab.server(
            f"chat{version.replace('.', '')}.test",
            version=version,
            realms=REALMS,
            deactivated=["gone"],
            realm_hosts={"moved": "moved.example.test"},
            custom_profile_fields=["title"],
            extra_settings=f"\nSCIM_CONFIG = {config!r}\n",
        )
        if version == "5.6":
            code = server.run([f"{server.paths.deployment}/manage.py", "shell"], input=CLIENTS)
            assert code.returncode == 0, code.stderr
        return server

    with Lab() as lab, ThreadPoolExecutor() as pool:
        yield dict(zip(VERSIONS, pool.map(start, VERSIONS), strict=True))


@pytest.fixture(params=VERSIONS)
def zulip(servers: Mapping[str, Server], request: pytest.FixtureRequest) -> Server:
    """Run the test once for each version."""
    return servers[request.param]


@pytest.fixture
def zulip9(servers: Mapping[str, Server]) -> Server:
    """The server for tests in which the version makes no difference."""
    return servers["9.0"]


def ask(
    server: Server,
    method: str,
    path: str,
    body: object = None,
    *,
    realm: str = "acme",
    token: str | None = TOKEN,
    **more: Any,
) -> tuple[int, Any]:
    """Return the status and the body, parsed if it is SCIM's JSON."""
    data = None if body is None else json.dumps(body)
    status, headers, answer = server.request(
        method, f"/scim/v2{path}", realm, token, body=data, **more
    )
    if answer and headers["Content-Type"].startswith("application/scim+json"):
        return status, json.loads(answer)
    return status, answer


def create(server: Server, address: str, realm: str = "acme", **more: object) -> tuple[int, Any]:
    """Create a user as Entra ID does; `more` changes the request."""
    user = {
        "schemas": [USER_SCHEMA],
        "userName": address,
        "name": {"formatted": "Ada Lovelace"},
        "active": True,
        **more,
    }
    token = "other" if realm == "wiki" else TOKEN
    return ask(server, "POST", "/Users", user, realm=realm, token=token)


def patch(server: Server, number: str, *operations: dict[str, object]) -> tuple[int, Any]:
    """Send a PATCH."""
    body = {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}
    return ask(server, "PATCH", f"/Users/{number}", body)


# --- The SCIM API ---------------------------------------------------------------------------------


def test_the_right_token_gets_a_list(zulip: Server) -> None:
    status, headers, body = zulip.request("GET", "/scim/v2/Users?count=1", "acme", TOKEN)
    assert (status, headers["Content-Type"]) == (200, "application/scim+json")
    assert json.loads(body)["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]


def test_a_filter_that_matches_nobody_gives_an_empty_list(zulip: Server) -> None:
    path = "/Users?filter=userName%20eq%20%22nobody@example.com%22"
    status, body = ask(zulip, "GET", path)
    assert (status, body["totalResults"], body["Resources"]) == (200, 0, [])


def test_a_filter_finds_only_users_of_the_same_realm(servers: Mapping[str, Server]) -> None:
    server = servers["12.1"]
    assert create(server, "found@example.com")[0] == 201
    path = "/Users?filter=userName%20eq%20%22found@example.com%22"
    assert ask(server, "GET", path)[1]["totalResults"] == 1
    assert ask(server, "GET", path, realm="wiki", token="other")[1]["totalResults"] == 0


@pytest.mark.parametrize(
    "path", ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Me", "/Bulk"]
)
def test_other_endpoints_are_501_for_the_right_token(zulip: Server, path: str) -> None:
    assert ask(zulip, "GET", path) == (501, b"")
    assert ask(zulip, "GET", path, token="wrong") == (401, b"")


@pytest.mark.parametrize(
    ("version", "status"), [("5.6", 501), ("8.4", 501), ("9.0", 501), ("11.0", 200), ("12.1", 200)]
)
def test_groups_can_be_listed_from_11_on(
    servers: Mapping[str, Server], version: str, status: int
) -> None:
    assert ask(servers[version], "GET", "/Groups")[0] == status
    assert ask(servers[version], "GET", "/Groups", token="wrong") == (401, b"")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name.givenName", "Ada"),
        ("displayName", "Ada"),
        ("title", "Countess"),
        ('emails[type eq "work"].value', "ada@example.com"),
        (f"{USER_SCHEMA}:role", "guest"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Engines"),
    ],
)
def test_patch_of_unsupported_paths_is_501(zulip9: Server, path: str, value: str) -> None:
    number = user_of(zulip9)
    assert patch(zulip9, number, {"op": "replace", "path": path, "value": value})[0] == 501


def user_of(server: Server) -> str:
    """Return the id of a user, for tests that can use any user."""
    address = "anybody@example.com"
    _, found = ask(server, "GET", f"/Users?filter=userName%20eq%20%22{address}%22")
    if found["totalResults"]:
        return str(found["Resources"][0]["id"])
    return str(create(server, address)[1]["id"])


def test_patch_of_supported_paths(zulip: Server) -> None:
    status, user = create(zulip, "patched@example.com")
    assert status == 201
    status, user = patch(
        zulip,
        user["id"],
        {"op": "Replace", "path": "userName", "value": "new@example.com"},
        {"op": "replace", "path": "name.formatted", "value": "Countess Lovelace"},
        {"op": "replace", "value": {"active": False}},  # the form of Okta
    )
    assert status == 200
    assert (user["userName"], user["displayName"]) == ("new@example.com", "Countess Lovelace")
    assert user["active"] is False
    _, user = patch(zulip, user["id"], {"op": "replace", "path": "active", "value": True})
    assert ask(zulip, "GET", f"/Users/{user['id']}")[1]["active"] is True


@pytest.mark.parametrize("version", VERSIONS)
def test_roles_are_supported_from_8_on(servers: Mapping[str, Server], version: str) -> None:
    server = servers[version]
    change = {"op": "replace", "path": "role", "value": "moderator"}
    status, user = patch(server, user_of(server), change)
    if version == "5.6":
        assert status == 501
        assert "role" not in create(server, "roleless@example.com", role="owner")[1]
    else:
        assert (status, user["role"]) == (200, "moderator")
        assert patch(server, user_of(server), {**change, "value": "king"})[0] == 400


@pytest.mark.parametrize("version", VERSIONS)
def test_mapped_fields_are_supported_from_12_on(
    servers: Mapping[str, Server], version: str
) -> None:
    server = servers[version]
    change = {"op": "replace", "path": "job", "value": "Analyst"}
    status, user = patch(server, user_of(server), change)
    if version == "12.1":
        assert (status, user["job"]) == (200, "Analyst")
    else:
        assert status == 501


def test_deleting_a_user_is_400(zulip: Server) -> None:
    assert ask(zulip, "DELETE", f"/Users/{user_of(zulip)}")[0] == 400


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong", "bearer right", "Bearer  right", "Basic cmlnaHQ=", "", None],
)
def test_any_other_authorization_header_is_401(zulip: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert ask(zulip, "GET", "/Users", token=None, headers=headers) == (401, b"")


def test_the_header_that_zulips_documentation_names_is_401(zulip: Server) -> None:
    headers = {"WWW-Authenticate": "Bearer right"}
    assert ask(zulip, "GET", "/Users", token=None, headers=headers) == (401, b"")


def test_the_host_of_another_realm_or_of_a_realm_without_entry_is_401(zulip: Server) -> None:
    assert ask(zulip, "GET", "/Users", realm="", token=TOKEN) == (401, b"")
    assert ask(zulip, "GET", "/Users", realm="absent") == (401, b"")


def test_unknown_hosts_are_404_or_400(zulip: Server) -> None:
    status, headers, _ = zulip.request("GET", "/scim/v2/Users", "nowhere", TOKEN)
    assert (status, headers["Content-Type"].split(";")[0]) == (404, "text/html")
    assert ask(zulip, "GET", "/Users", host="elsewhere.example.org")[0] == 400
    assert ask(zulip, "GET", "/Users", host="127.0.0.1", token="root")[0] == 200


def test_without_the_flag_a_post_with_only_a_formatted_name_is_400(zulip9: Server) -> None:
    status, body = create(zulip9, "formatted@example.com", "wiki")
    assert status == 400
    assert body["detail"] == (
        "Must specify name.formatted, name.givenName or name.familyName when creating a new user"
    )
    name = {"givenName": "Ada", "familyName": "Lovelace"}
    status, body = create(zulip9, "parts@example.com", "wiki", name=name)
    assert (status, body["name"], body["displayName"]) == (201, name, "Ada Lovelace")


def test_a_duplicate_user_is_409(zulip: Server) -> None:
    assert create(zulip, "twice@example.com")[0] == 201
    assert create(zulip, "Twice@example.com")[0] == 409


def test_a_deactivated_realm_still_answers(zulip: Server) -> None:
    assert ask(zulip, "GET", "/Users", realm="gone")[0] == 200


def test_a_missing_slash_is_301_and_an_extra_slash_is_404(zulip: Server) -> None:
    assert ask(zulip, "GET", "")[0] == 301
    assert ask(zulip, "GET", "/Users/")[0] == 404


# --- SCIM_CONFIG ----------------------------------------------------------------------------------


@pytest.mark.parametrize("realm", ["tokenless", "nameless", "clientless"])
@pytest.mark.parametrize("token", [TOKEN, "wrong"])
def test_an_entry_without_token_or_client_name_is_500(
    zulip: Server, realm: str, token: str
) -> None:
    assert ask(zulip, "GET", "/Users", realm=realm, token=token)[0] == 500


def test_an_unregistered_client_is_500_on_5_with_the_right_token(
    servers: Mapping[str, Server],
) -> None:
    old, new = servers["5.6"], servers["9.0"]
    assert ask(old, "GET", "/Users", realm="wiki", token="other")[0] == 500
    assert ask(old, "GET", "/Users", realm="wiki", token="wrong")[0] == 401
    assert ask(new, "GET", "/Users", realm="wiki", token="other")[0] == 200


def test_without_the_flag_every_answer_with_a_user_is_500(zulip: Server) -> None:
    assert ask(zulip, "GET", "/Users", realm="unnamed")[0] == 200
    assert create(zulip, "serialised@example.com", "unnamed")[0] == 500


def test_unknown_keys_are_ignored_and_an_empty_entry_is_401(zulip9: Server) -> None:
    assert ask(zulip9, "GET", "/Users", realm="wiki", token="other")[0] == 200
    assert ask(zulip9, "GET", "/Users", realm="empty") == (401, b"")


def test_an_entry_with_capital_letters_never_matches(zulip9: Server) -> None:
    assert ask(zulip9, "GET", "/Users", realm="Caps") == (401, b"")
    assert ask(zulip9, "GET", "/Users", realm="ACME")[0] == 200


def test_www_and_hosts_of_other_realms(zulip9: Server) -> None:
    assert ask(zulip9, "GET", "/Users", realm="www", token="root")[0] == 200
    host = f"moved.example.test:{zulip9.web_port}"
    assert ask(zulip9, "GET", "/Users", host=host)[0] == 200
    assert ask(zulip9, "GET", "/Users", host=host, token="root")[0] == 401


@pytest.mark.parametrize("version", ["8.4", "9.0"])
def test_an_old_zulip_ignores_the_key_for_guests(
    servers: Mapping[str, Server], version: str
) -> None:
    assert ask(servers[version], "GET", "/Users", realm="wiki", token="other")[0] == 200


def test_a_mapped_field_that_the_realm_lacks_is_400(
    lab_server: Callable[..., Server],
) -> None:
    config = {"acme": entry(True, custom_profile_field_map={"job": "no_such_field"})}
    server = lab_server(
        version="12.1", realms=["acme"], extra_settings=f"\nSCIM_CONFIG = {config!r}\n"
    )
    assert create(server, "ada@example.com", job="Analyst")[0] == 400
    assert ask(server, "GET", "/Users")[1]["totalResults"] == 0


@pytest.mark.parametrize("version", ["5.6", "6.2", "8.4", "9.0"])
def test_a_realm_with_its_own_host_is_redirected_from_7_on(
    lab_server: Callable[..., Server], version: str
) -> None:
    """From 7.0 on, Zulip redirects before it reads the token. Earlier versions answer."""
    config = f"\nSCIM_CONFIG = {{'acme': {entry(True)!r}}}\n"
    hosts = {"acme": "chat.acme.test"}
    server = lab_server(version=version, realms=["acme"], realm_hosts=hosts, extra_settings=config)
    for path in ("/scim/v2/Users?count=1", "/login/"):
        for token in (TOKEN, "wrong", None):
            status, headers, _ = server.request("GET", path, "acme", token)
            if version in ("5.6", "6.2"):
                assert status != 302
            else:
                assert status == 302
                assert headers["Location"] == f"https://chat.acme.test{path}"
    own = ask(server, "GET", "/Users", host="chat.acme.test")[0]
    assert own == (500 if version == "5.6" else 200)  # on 5.6, no client is registered


def test_the_login_page_shows_whether_a_realm_exists(zulip: Server) -> None:
    before = zulip.mailed()
    assert zulip.request("GET", "/login/", "acme")[0] == 200
    assert zulip.request("GET", "/login/", "nowhere")[0] == 404
    status, headers, _ = zulip.request("GET", "/login/", "gone")
    assert (status, headers["Location"]) == (302, "/accounts/deactivated/")
    assert zulip.mailed() == before


@pytest.mark.parametrize(("version", "status"), [("5.6", 500), ("9.0", 500), ("11.0", 401)])
def test_without_scim_config_a_request_is_500_before_11(
    lab_server: Callable[..., Server], version: str, status: int
) -> None:
    server = lab_server(version=version, realms=["acme"])
    assert server.request("GET", "/login/", "acme")[0] == 200
    assert server.mailed() == 0
    answer, headers, body = server.request("GET", "/scim/v2/Users", "acme", TOKEN)
    assert answer == status
    assert server.mailed() == (1 if status == 500 else 0), "each is mailed to the administrators"
    if status == 500:
        assert headers["Content-Type"].startswith("text/html")
        assert b"500" in body


def test_the_connection_tests_of_okta_and_entra(zulip9: Server) -> None:
    assert ask(zulip9, "GET", "/Users?startIndex=1&count=2")[0] == 200
    guid = "8b0a7e52-3c5b-4c0e-a9f2-57d7f2f2a111"
    path = f"/Users?filter=userName%20eq%20%22{guid}%22&aadOptscim062020="
    status, body = ask(zulip9, "GET", path)
    assert (status, body["totalResults"]) == (200, 0)
