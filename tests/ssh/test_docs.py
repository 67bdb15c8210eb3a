"""Each supported feature in docs/ssh.md has a test. The page itself names no test."""

from __future__ import annotations

import re

from scimconf.ssh import arguments
from tests.lab.lab import PROJECT
from tests.test_claims import list_tests

TEXT = (PROJECT / "docs/ssh.md").read_text()
SHOWN_BY = {
    "sections of ssh_config": (
        "test_ssh_config.py::test_sections",
        "test_ssh_config.py::test_a_match_of_the_user",
        "test_ssh_config.py::test_include",
    ),
    "HostName, Port, User, HostKeyAlias, UserKnownHostsFile, BindAddress, AddressFamily": (
        "test_ssh_config.py::test_sections",
        "test_ssh_config.py::test_host_key_alias",
        "test_ssh_config.py::test_several_known_hosts_files",
        "test_ssh_config.py::test_bind_address_and_family",
    ),
    "login names": (
        "test_login_name.py::test_names_that_ssh_accepts",
        "test_login_name.py::test_names_that_are_no_plain_word_are_refused",
    ),
    "tokens (`%h`, `%C`, `%k`, ...) and `${VARIABLE}`": (
        "test_tokens.py::test_each_token_of_a_file_name",
        "test_tokens.py::test_a_letter_that_the_option_does_not_have_is_an_error_as_in_ssh",
        "test_tokens.py::test_a_variable_of_the_environment",
    ),
    "quoted values": ("test_tokens.py::test_quoted_file_names_with_spaces",),
    "ConnectTimeout": ("test_ssh_config.py::test_a_longer_connect_timeout_is_used",),
    "ServerAliveInterval, ServerAliveCountMax": ("test_ssh_config.py::test_server_alive_interval",),
    "ProxyJump": (
        "test_jump.py::test_a_chain_of_ssh_config",
        "test_jump.py::test_a_chain_in_one_line",
        "test_jump.py::test_the_key_of_a_jump_host_is_checked",
        "test_jump.py::test_the_jump_host_looks_up_the_name",
        "test_jump.py::test_a_jump_host_sees_no_password",
        "test_login.py::TestQuestions::test_a_jump_host_asks_for_its_own_password",
        "test_jump.py::test_a_jump_host_of_the_inventory",
    ),
    "many servers behind one jump host": ("test_jump.py::test_many_share_one_connection",),
    "ProxyCommand": (
        "test_jump.py::TestProxyCommand::test_of_ssh_config",
        "test_jump.py::TestProxyCommand::test_a_failing_command_is_reported",
        "test_jump.py::TestProxyCommand::test_a_proxy_command_of_the_inventory_needs_permission",
        "test_jump.py::TestProxyCommand::test_an_ssh_config_of_the_inventory_needs_permission",
    ),
    "IPv6": ("test_sshd.py::test_ipv6",),
    "keys": (
        "test_login.py::test_login_with_every_type_of_key",
        "test_keys.py::test_every_kind_and_format",
    ),
    "a private key in a file with other text": (
        "test_keys.py::test_each_key_that_ssh_reads_is_read",
        "test_keys.py::test_an_encrypted_key_behind_other_text",
    ),
    "key and certificate files": (
        "test_keys.py::test_a_file_that_is_not_regular_is_not_read",
        "test_keys.py::test_a_large_file_is_not_read",
    ),
    "keys of a security key (sk-)": ("test_keys.py::test_a_security_key_needs_the_ssh_agent",),
    "the ssh agent, IdentityAgent, IdentitiesOnly": (
        "test_sshd.py::TestLogin::test_the_ssh_agent",
        "test_login.py::TestManyKeys::test_identities_only",
    ),
    "OpenSSH user certificates": (
        "test_certificate.py::TestUsers::test_beside_the_key",
        "test_certificate.py::TestUsers::test_of_ssh_config",
        "test_certificate.py::TestUsers::test_in_the_ssh_agent",
        "test_certificate.py::TestUsers::test_for_a_key_in_the_ssh_agent",
    ),
    "many keys": (
        "test_login.py::TestManyKeys::test_named_keys_of_the_agent_come_first",
        "test_login.py::TestManyKeys::test_the_last_key_is_accepted",
        "test_login.py::TestManyKeys::test_the_number_of_connections_is_limited",
    ),
    "a password (`ansible_password`, `-k`, `--connection-password-file`)": (
        "test_sshd.py::TestLogin::test_a_password",
        "test_login.py::TestQuestions::test_one_question_is_answered_with_the_password",
    ),
    "a second question (a code)": (
        "test_login.py::TestQuestions::test_a_second_question_is_asked_on_the_terminal",
        "test_login.py::TestQuestions::test_a_second_question_without_a_terminal_is_an_error",
    ),
    "key and password together": (
        "test_sshd.py::TestLogin::test_a_server_that_wants_key_and_password",
    ),
    "known_hosts": (
        "test_sshd.py::TestHostKeys::test_hashed_names_as_ssh_keygen_writes_them",
        "test_known_hosts.py::test_names",
        "test_ssh_config.py::test_a_key_that_is_known_without_its_port",
    ),
    "`@cert-authority`": (
        "test_certificate.py::TestHosts::test_a_certificate_of_a_known_authority_is_accepted",
        "test_certificate.py::TestHosts::test_an_invalid_certificate_is_refused",
        "test_certificate.py::test_every_changed_bit_is_detected",
    ),
    "`@revoked`": (
        "test_sshd.py::TestHostKeys::test_a_revoked_key_is_refused",
        "test_certificate.py::TestHosts::test_revoked_keys_and_authorities_are_refused",
    ),
    "RevokedHostKeys": (
        "test_revocation.py::test_a_key_in_the_list_is_refused",
        "test_revocation.py::test_a_krl",
        "test_revocation.py::test_no_key_is_accepted_if_the_list_cannot_be_read",
    ),
    "a line whose key cannot be read": (
        "test_known_hosts.py::test_a_line_whose_key_cannot_be_read_is_skipped_as_in_ssh",
    ),
    "a known_hosts file that is not a regular file, or larger than 16 MiB": (
        "test_sshd.py::TestHostKeys::test_a_known_hosts_that_is_not_a_regular_file",
    ),
    "an option that changes a connection of ssh and is not followed, such as BindInterface": (
        "test_keywords.py::test_a_warning_names_the_option_and_its_host",
        "test_keywords.py::test_options_that_change_the_connection_of_ssh_only_cause_a_warning",
    ),
    "an unsupported option that decides which servers ssh trusts": (
        "test_keywords.py::test_an_unsupported_option_is_refused_by_name_before_a_connection",
        "test_keywords.py::test_an_unsupported_option_affects_only_its_host",
        "test_keywords.py::test_each_option_that_ssh_prints_is_in_the_tables",
    ),
    "key exchange": (
        "test_algorithms.py::test_the_page_names_all_algorithms",
        "test_algorithms.py::test_a_small_group_is_refused",
    ),
    "ciphers": ("test_algorithms.py::test_a_server_with_weak_algorithms_only_is_refused",),
    "MACs": ("test_algorithms.py::test_a_server_with_weak_algorithms_only_is_refused",),
    "signatures of hosts, authorities and users": (
        "test_algorithms.py::TestShortRsaKeys::test_of_a_host",
        "test_algorithms.py::TestShortRsaKeys::test_of_an_authority",
        "test_algorithms.py::TestShortRsaKeys::test_of_a_user",
    ),
    "Ciphers, MACs, KexAlgorithms, HostKeyAlgorithms, CASignatureAlgorithms, RequiredRSASize of "
    "ssh_config": ("test_algorithms.py::test_ssh_config_can_remove_algorithms",),
    "a server with only old or only new algorithms": (
        "test_transport.py::test_no_common_algorithm",
    ),
    "a banner, or a shell profile that prints": (
        "test_sshd.py::test_a_banner_is_skipped",
        "test_sshd.py::test_the_output_of_a_profile_is_skipped",
    ),
    "a login shell that is not sh": (
        "test_command.py::test_every_login_shell_splits_the_line_into_the_same_words",
        "test_sshd.py::test_a_login_shell_that_is_not_sh",
    ),
    "an account without a shell (nologin, false)": (
        "test_sshd.py::test_an_account_without_a_shell",
        "test_sshd.py::test_a_login_shell_that_prints_nothing",
    ),
    "no python3, or a version before 3.8": (
        "test_sshd.py::test_a_server_without_python",
        "test_sshd.py::test_a_python_that_is_too_old",
    ),
    "the login user is zulip": ("test_sshd.py::test_without_become_as_zulip",),
    "the login user is root": (
        "test_sshd.py::test_the_agent_is_never_root",
        "test_sshd.py::test_root_runs_no_python_of_another_user",
    ),
    "sudo": (
        "test_sshd.py::test_sudo_without_a_password",
        "test_sshd.py::test_sudo_with_a_password",
        "test_sshd.py::test_a_wrong_sudo_password_is_sent_once",
    ),
    "su (`ansible_become_method: su`)": (
        "test_sshd.py::test_su_with_the_password_of_the_new_user",
        "test_sshd.py::test_su_to_root_drops_to_zulip",
        "test_sshd.py::test_a_wrong_su_password_is_sent_once",
    ),
    "sudo-rs (Ubuntu 25.10 and later)": (
        "test_become.py::TestSudoRs::test_the_password_is_sent_to_its_prompt",
        "test_become.py::TestSudoRs::test_no_rule",
        "test_opening.py::test_messages_of_sudo",
    ),
    "`ansible_become_exe`, `ansible_become_flags`": (
        "test_become.py::test_a_sudo_or_su_of_root_is_called",
        "test_become_words.py::test_known_words_are_followed_or_left_out",
    ),
    "`requiretty`, or a su that needs a terminal": (
        "test_sshd.py::test_refusals_of_sudo_have_a_remedy",
        "test_opening.py::test_messages_of_su",
    ),
    "`sudo`, `sudo.ws`, `sudo-rs`; with `ansible_become_method: su`: `su`, `su-rs`": (
        "test_become_words.py::test_known_words_are_followed_or_left_out",
        "test_become.py::test_a_sudo_that_is_not_installed_is_named",
    ),
    "the path of a program with one of these names": (
        "test_become.py::test_a_sudo_or_su_of_root_is_called",
        "test_become.py::test_a_program_that_others_than_root_can_replace_is_not_run",
    ),
    "anything else, such as `doas` or `sudo su -`": (
        "test_become.py::test_other_programs_and_options_need_permission",
    ),
}


def test_each_row_of_what_is_supported_has_a_test() -> None:
    supported = TEXT.partition("## What is not supported")[0]
    rows = re.findall(r"^\| (.+?) \|", supported, re.MULTILINE)
    assert [row for row in rows if not row.startswith("what")] == list(SHOWN_BY)


def test_each_test_exists() -> None:
    named = {f"tests/ssh/{name}" for names in SHOWN_BY.values() for name in names}
    files = {PROJECT / name.partition("::")[0] for name in named}
    assert named - {test for path in files for test in list_tests(path)} == set()


def test_the_options_that_are_followed_are_all_named() -> None:
    followed = TEXT.partition("- **Followed**")[2].partition("- **Without effect**")[0]
    words = {word.lower() for word in re.findall(r"\w+", followed)}
    assert set(arguments._FOLLOWED) - words == set()
