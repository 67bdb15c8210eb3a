"""Every option of ssh_config(5), and what scimconf makes of it.

This table is the one place: `ssh_config.parse` keeps what is not harmless, `check` refuses what is
not followed, docs/ssh.md is made of it, and a test compares it with the installed ssh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

HONOURED = {
    "AddressFamily": "as in ssh",
    "BindAddress": "as in ssh",
    "CanonicalDomains": "followed by `ssh -G`",
    "CanonicalizeFallbackLocal": "followed by `ssh -G`",
    "CanonicalizeHostname": "followed by `ssh -G`",
    "CanonicalizeMaxDots": "followed by `ssh -G`",
    "CanonicalizePermittedCNAMEs": "followed by `ssh -G`",
    "CASignatureAlgorithms": "those of the list that scimconf has",
    "CertificateFile": "as in ssh",
    "Ciphers": "those of the list that scimconf has",
    "ConnectTimeout": "where it is longer than `ansible_timeout`",
    "GlobalKnownHostsFile": "as in ssh; `--known-hosts` takes its place",
    "Host": "followed by `ssh -G`",
    "HostKeyAlgorithms": "those of the list that scimconf has",
    "HostKeyAlias": "as in ssh",
    "HostName": "as in ssh",
    "IdentitiesOnly": "as in ssh",
    "IdentityAgent": "as in ssh",
    "IdentityFile": "as in ssh; a key of a security key only by the ssh agent",
    "IgnoreUnknown": "followed by `ssh -G`",
    "Include": "followed by `ssh -G`",
    "KbdInteractiveAuthentication": "as in ssh",
    "KexAlgorithms": "those of the list that scimconf has",
    "MACs": "those of the list that scimconf has",
    "Match": "followed by `ssh -G`",
    "PasswordAuthentication": "as in ssh",
    "Port": "as in ssh",
    "PreferredAuthentications": "which methods may be used; the order is scimconf's",
    "ProxyCommand": "as in ssh",
    "ProxyJump": "as in ssh",
    "PubkeyAuthentication": "as in ssh",
    "RefuseConnection": "followed by `ssh -G`, which fails then",
    "RequiredRSASize": "where it is more than 2048",
    "RevokedHostKeys": "as in ssh: a file of public keys, or a KRL, which `ssh-keygen -Q` reads",
    "ServerAliveCountMax": "as in ssh",
    "ServerAliveInterval": "as in ssh",
    "Tag": "followed by `ssh -G`",
    "User": "as in ssh",
    "UserKnownHostsFile": "as in ssh; `--known-hosts` takes its place",
}

_NEVER = "never done here"
_OWN_LOGIN = "not used to log in here: without another way, the login fails and says so"
_ONE_COMMAND = "changes nothing for one command without a terminal"
_DISPLAY = "changes what ssh prints or logs"

HARMLESS = {
    "AddKeysToAgent": _NEVER,
    "BatchMode": "questions are asked only with `-k`",
    "ChannelTimeout": "the conversation has time limits of its own",
    "ClearAllForwardings": _NEVER,
    "Compression": _ONE_COMMAND,
    "ConnectionAttempts": "`--retries` says it here",
    "ControlMaster": "each connection is scimconf's own",
    "ControlPath": "each connection is scimconf's own",
    "ControlPersist": "each connection is scimconf's own",
    "DynamicForward": _NEVER,
    "EnableEscapeCommandline": _ONE_COMMAND,
    "EnableSSHKeysign": _OWN_LOGIN,
    "EscapeChar": _ONE_COMMAND,
    "ExitOnForwardFailure": _NEVER,
    "FingerprintHash": _DISPLAY,
    "ForkAfterAuthentication": _ONE_COMMAND,
    "ForwardAgent": _NEVER,
    "ForwardX11": _NEVER,
    "ForwardX11Timeout": _NEVER,
    "ForwardX11Trusted": _NEVER,
    "GatewayPorts": _NEVER,
    "GSSAPIAuthentication": _OWN_LOGIN,
    "GSSAPIClientIdentity": _OWN_LOGIN,
    "GSSAPIDelegateCredentials": _OWN_LOGIN,
    "GSSAPIKexAlgorithms": "stricter here: the host key is always checked",
    "GSSAPIKeyExchange": "stricter here: the host key is always checked",
    "GSSAPIRenewalForcesRekey": _OWN_LOGIN,
    "GSSAPIServerIdentity": _OWN_LOGIN,
    "GSSAPITrustDns": _OWN_LOGIN,
    "HashKnownHosts": "hashed names are read; a new name is written in clear",
    "HostbasedAcceptedAlgorithms": _OWN_LOGIN,
    "HostbasedAuthentication": _OWN_LOGIN,
    "IPQoS": "a hint for routers",
    "KbdInteractiveDevices": "the server chooses how it asks",
    "LocalCommand": _NEVER,
    "LocalForward": _NEVER,
    "LogLevel": _DISPLAY,
    "LogVerbose": _DISPLAY,
    "NoHostAuthenticationForLocalhost": "stricter here: the host key is always checked",
    "NumberOfPasswordPrompts": "stricter here: a password is sent once",
    "ObscureKeystrokeTiming": "nobody types here",
    "PermitLocalCommand": _NEVER,
    "PermitRemoteOpen": _NEVER,
    "PKCS11Provider": "load its keys into the ssh agent (`ssh-add -s`); " + _OWN_LOGIN,
    "PubkeyAcceptedAlgorithms": "about your own keys: RSA keys sign with SHA-2 only",
    "RekeyLimit": "paramiko renews the keys by itself",
    "RemoteCommand": "the command is scimconf's own",
    "RemoteForward": _NEVER,
    "RequestTTY": _NEVER,
    "SecurityKeyProvider": "keys of security keys come from the ssh agent only",
    "SendEnv": "the agent on the server takes no variable of a login",
    "SessionType": _ONE_COMMAND,
    "SetEnv": "the agent on the server takes no variable of a login",
    "StdinNull": _ONE_COMMAND,
    "StreamLocalBindMask": _NEVER,
    "StreamLocalBindUnlink": _NEVER,
    "StrictHostKeyChecking": "stricter here: an unknown key needs `--accept-new-host-keys`, a "
    "changed one is always refused",
    "SyslogFacility": _DISPLAY,
    "TCPKeepAlive": "always on",
    "Tunnel": _NEVER,
    "TunnelDevice": _NEVER,
    "UpdateHostKeys": "stricter here: known_hosts is not changed by a server",
    "VerifyHostKeyDNS": "stricter here: DNS makes no key known",
    "VersionAddendum": _DISPLAY,
    "VisualHostKey": _DISPLAY,
    "WarnWeakCrypto": _DISPLAY,
    "XAuthLocation": _NEVER,
}


class Refusal(NamedTuple):
    """Why an option is refused where it is not at its default, and the way out."""

    why: str
    way_out: str


REFUSED = {
    "BindInterface": Refusal(
        "a connection cannot be bound to an interface here",
        "use BindAddress",
    ),
    "CheckHostIP": Refusal(
        "known_hosts is searched for the name only",
        "set `CheckHostIP no`, OpenSSH's default",
    ),
    "KnownHostsCommand": Refusal(
        "no program is asked for host keys",
        "write the keys into a known_hosts file, and set `KnownHostsCommand none`",
    ),
    "ProxyUseFdpass": Refusal(
        "the connection cannot be taken over from a command",
        "use a ProxyCommand that passes the data through",
    ),
}
_SAME_ANYWAY = {"checkhostip": ("no",)}
"""Values that say what happens here in any case, where an old ssh has another default."""

_KEPT_OUT = frozenset(map(str.lower, HARMLESS))
_REFUSED = {name.lower(): (name, refusal) for name, refusal in REFUSED.items()}
_HONOURED = frozenset(map(str.lower, HONOURED))
_NEW = Refusal(
    "this version does not know the option", "set it back to ssh's default for this host"
)

Values = Mapping[str, Sequence[str]]


def matters(keyword: str) -> bool:
    """Return whether the option can change what scimconf does; `keyword` in lower case."""
    return keyword not in _KEPT_OUT


def not_followed(values: Values, defaults: Values) -> Iterator[tuple[str, Refusal]]:
    """Return the options that are not at their defaults, and that scimconf does not follow.

    Among them any option that a newer ssh has and this table has not: it may decide which host
    keys are believed.
    """
    for keyword, given in values.items():
        if keyword in _HONOURED or not matters(keyword):
            continue
        if list(given) != list(defaults.get(keyword, ())) and not _same(keyword, given):
            yield _REFUSED.get(keyword, (keyword, _NEW))


def _same(keyword: str, given: Sequence[str]) -> bool:
    return all(value.lower() in ("none", *_SAME_ANYWAY.get(keyword, ())) for value in given)
