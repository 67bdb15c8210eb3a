"""`scim_silence` hides warnings of one server, by their documented ids."""

from __future__ import annotations

from scimconf import inventory

from .conftest import Load, Refused, short

PLAIN = "{acme: {token: Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm}}"


def test_a_silenced_warning_of_the_inventory_is_counted_for_its_server(load: Load) -> None:
    loaded = load(f"""
        all:
          hosts:
            chat1: {{scim_realms: {PLAIN}, scim_silence: [plaintext-token]}}
            chat2: {{scim_realms: {PLAIN}}}
    """)
    (warning,) = loaded.warnings
    assert "chat2" in str(warning)
    assert str(warning).splitlines()[0].endswith("[plaintext-token]")
    assert loaded.servers["chat1"].silenced == ("plaintext-token",)
    assert loaded.servers["chat2"].silenced == ()


def test_a_group_variable_silences_its_hosts(load: Load) -> None:
    loaded = load("""
        all:
          children:
            old:
              vars: {scim_silence: [unused-client, CVE-2022-41914, unused-client]}
              hosts: {chat1: {scim_realms: {}}}
          hosts: {chat2: {scim_realms: {}}}
    """)
    assert loaded.servers["chat1"].silence == ("CVE-2022-41914", "unused-client")
    assert loaded.servers["chat2"].silence == ()
    listed = inventory.as_listing(loaded)["_meta"]["hostvars"]
    assert listed["chat1"]["scim_silence"] == ["CVE-2022-41914", "unused-client"]
    assert "scim_silence" not in listed["chat2"]


def test_a_warning_of_a_group_that_only_one_host_silences_stays(load: Load) -> None:
    loaded = load("""
        all:
          vars: {ansible_ssh_common_args: -o BindInterface=eth1}
          hosts:
            chat1: {scim_realms: {}, scim_silence: [ignored-ssh-option]}
            chat2: {scim_realms: {}}
    """)
    assert [short(each).partition(": ")[0] for each in loaded.warnings] == ["hosts.yaml:3:10"]
    assert loaded.servers["chat1"].silenced == ("ignored-ssh-option",)


def test_wrong_ids_are_errors_with_their_places(refused: Refused) -> None:
    problems = refused("""
        all:
          hosts:
            chat1:
              scim_realms: {}
              scim_silence: [weak-tokn, no-answer, 7]
            chat2: {scim_realms: {}, scim_silence: weak-token}
    """)
    assert [each.split(": ", 1)[1] for each in problems] == [
        "all.hosts.chat1.scim_silence.0: unknown warning (did you mean weak-token?)",
        "all.hosts.chat1.scim_silence.1: no-answer cannot be silenced: it reports a failed check "
        "or a change",
        "all.hosts.chat1.scim_silence.2: expected text, found a number (quote it)",
        "all.hosts.chat2.scim_silence: expected a list, found text (write a list, "
        "for example scim_silence: [A, B])",
    ]
