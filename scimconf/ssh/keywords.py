"""Every option of ssh_config(5), and whether scimconf supports it.

`ssh_config.parse` drops the options without effect. `ssh_config.check_followed` refuses those of
REFUSED, and `ssh_config.warnings` warns about those of WARNED. docs/ssh.md is generated from these
tables. A test compares them with the installed ssh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

SUPPORTED = {
    "AddressFamily": "as in ssh",
    "BindAddress": "as in ssh",
    "CanonicalDomains": "read by `ssh -G`",
    "CanonicalizeFallbackLocal": "read by `ssh -G`",
    "CanonicalizeHostname": "read by `ssh -G`",
    "CanonicalizeMaxDots": "read by `ssh -G`",
    "CanonicalizePermittedCNAMEs": "read by `ssh -G`",
    "CASignatureAlgorithms": "only algorithms that scimconf has",
    "CertificateFile": "as in ssh",
    "Ciphers": "only algorithms that scimconf has",
    "ConnectTimeout": "if it is longer than `ansible_timeout`",
    "GlobalKnownHostsFile": "as in ssh; `--known-hosts` replaces it",
    "Host": "read by `ssh -G`",
    "HostKeyAlgorithms": "only algorithms that scimconf has",
    "HostKeyAlias": "as in ssh",
    "HostName": "as in ssh",
    "IdentitiesOnly": "as in ssh",
    "IdentityAgent": "as in ssh",
    "IdentityFile": "as in ssh; keys of a security key only through the ssh agent",
    "IgnoreUnknown": "read by `ssh -G`",
    "Include": "read by `ssh -G`",
    "KbdInteractiveAuthentication": "as in ssh",
    "KexAlgorithms": "only algorithms that scimconf has",
    "MACs": "only algorithms that scimconf has",
    "Match": "read by `ssh -G`",
    "PasswordAuthentication": "as in ssh",
    "Port": "as in ssh",
    "PreferredAuthentications": "selects the methods; scimconf decides the order",
    "ProxyCommand": "as in ssh",
    "ProxyJump": "as in ssh",
    "PubkeyAuthentication": "as in ssh",
    "RefuseConnection": "read by `ssh -G`, which then fails",
    "RequiredRSASize": "if it is more than 2048",
    "RevokedHostKeys": "as in ssh: a file of public keys, or a KRL, which `ssh-keygen -Q` reads",
    "ServerAliveCountMax": "as in ssh",
    "ServerAliveInterval": "as in ssh",
    "Tag": "read by `ssh -G`",
    "User": "as in ssh",
    "UserKnownHostsFile": "as in ssh; `--known-hosts` replaces it",
}

_NEVER = "scimconf never does this"
_OWN_LOGIN = "scimconf does not log in this way; without another method the login fails"
_ONE_COMMAND = "changes nothing for one command without a terminal"
_DISPLAY = "changes only what ssh prints or logs"

WITHOUT_EFFECT = {
    "AddKeysToAgent": _NEVER,
    "BatchMode": "scimconf asks questions only with `-k`",
    "ChannelTimeout": "scimconf has its own time limits",
    "ClearAllForwardings": _NEVER,
    "Compression": _ONE_COMMAND,
    "ControlMaster": "scimconf opens its own connections",
    "ControlPath": "scimconf opens its own connections",
    "ControlPersist": "scimconf opens its own connections",
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
    "GSSAPIKexAlgorithms": "scimconf is stricter: it always checks the host key",
    "GSSAPIKeyExchange": "scimconf is stricter: it always checks the host key",
    "GSSAPIRenewalForcesRekey": _OWN_LOGIN,
    "GSSAPIServerIdentity": _OWN_LOGIN,
    "GSSAPITrustDns": _OWN_LOGIN,
    "HashKnownHosts": "hashed names are read; new names are written in clear text",
    "HostbasedAcceptedAlgorithms": _OWN_LOGIN,
    "IPQoS": "changes only a hint for routers",
    "LocalCommand": _NEVER,
    "LocalForward": _NEVER,
    "LogLevel": _DISPLAY,
    "LogVerbose": _DISPLAY,
    "NumberOfPasswordPrompts": "scimconf is stricter: it sends a password once",
    "ObscureKeystrokeTiming": "there are no keystrokes",
    "PermitLocalCommand": _NEVER,
    "PermitRemoteOpen": _NEVER,
    "PubkeyAcceptedAlgorithms": "RSA keys always sign with SHA-2",
    "RekeyLimit": "paramiko renews the session keys by itself",
    "RemoteCommand": "scimconf runs its own command",
    "RemoteForward": _NEVER,
    "RequestTTY": _NEVER,
    "SendEnv": "the agent ignores the environment of the login",
    "SessionType": _ONE_COMMAND,
    "SetEnv": "the agent ignores the environment of the login",
    "StdinNull": _ONE_COMMAND,
    "StreamLocalBindMask": _NEVER,
    "StreamLocalBindUnlink": _NEVER,
    "StrictHostKeyChecking": "scimconf is stricter: an unknown key needs "
    "`--accept-new-host-keys`, and a changed key is always refused",
    "SyslogFacility": _DISPLAY,
    "TCPKeepAlive": "scimconf always uses it",
    "TunnelDevice": _NEVER,
    "UpdateHostKeys": "scimconf is stricter: a server cannot change known_hosts",
    "VersionAddendum": _DISPLAY,
    "VisualHostKey": _DISPLAY,
    "WarnWeakCrypto": _DISPLAY,
    "XAuthLocation": _NEVER,
}


class Refusal(NamedTuple):
    """Why an option is not followed if it differs from its default, and what to do."""

    why: str
    way_out: str


WARNED = {
    "BindInterface": Refusal(
        "scimconf cannot bind a connection to an interface", "use BindAddress"
    ),
    "ConnectionAttempts": Refusal("scimconf tries once", "use `--retries`"),
    "HostbasedAuthentication": Refusal("scimconf does not log in this way", "use a key"),
    "KbdInteractiveDevices": Refusal("the server chooses the device", "answer its question (`-k`)"),
    "NoHostAuthenticationForLocalhost": Refusal(
        "scimconf always checks the host key", "add it with `--accept-new-host-keys`"
    ),
    "PKCS11Provider": Refusal(
        "scimconf reads no smart card", "load its keys into the ssh agent (`ssh-add -s`)"
    ),
    "SecurityKeyProvider": Refusal(
        "keys of a security key come from the ssh agent only", "load them there (`ssh-add`)"
    ),
    "Tunnel": Refusal("scimconf makes no tunnel", "start it beforehand: ssh -w"),
    "VerifyHostKeyDNS": Refusal(
        "scimconf does not trust keys in DNS", "add the key with `--accept-new-host-keys`"
    ),
}
"""Options that change a connection of ssh, but not ours. They make it no less safe."""

REFUSED = {
    "CheckHostIP": Refusal(
        "scimconf searches known_hosts for the name only",
        "set `CheckHostIP no`, OpenSSH's default",
    ),
    "KnownHostsCommand": Refusal(
        "scimconf asks no program for host keys",
        "write the keys to a known_hosts file and set `KnownHostsCommand none`",
    ),
    "ProxyUseFdpass": Refusal(
        "scimconf cannot take over a connection from a command",
        "use a ProxyCommand that passes the data on",
    ),
}
_SAME_ANYWAY = {
    "checkhostip": ("no",),
    "connectionattempts": ("1",),
    "hostbasedauthentication": ("no", "false"),
    "nohostauthenticationforlocalhost": ("no", "false"),
    "securitykeyprovider": ("internal",),
    "tunnel": ("no", "false"),
    "verifyhostkeydns": ("no", "false"),
}
"""Values that scimconf follows anyway, although an old ssh has another default."""

_DROPPED = frozenset(map(str.lower, WITHOUT_EFFECT))
_REFUSED = {name.lower(): (name, refusal) for name, refusal in REFUSED.items()}
_WARNED = {name.lower(): (name, refusal) for name, refusal in WARNED.items()}
_SUPPORTED = frozenset(map(str.lower, SUPPORTED))
_NEW = Refusal(
    "this version of scimconf does not know the option",
    "change it back to ssh's default for this host",
)

Values = Mapping[str, Sequence[str]]


def matters(keyword: str) -> bool:
    """Return True if the option can change what scimconf does; `keyword` in lower case."""
    return keyword not in _DROPPED


def not_followed(values: Values, defaults: Values) -> Iterator[tuple[str, Refusal]]:
    """Return the options that differ from their defaults and that scimconf does not support.

    They include every option of a newer ssh that is not in these tables, since it may decide which
    host keys are accepted.
    """
    for keyword, given in values.items():
        if keyword in _SUPPORTED or keyword in _WARNED or not matters(keyword):
            continue
        if _differs(keyword, given, defaults):
            yield _REFUSED.get(keyword, (keyword, _NEW))


def warned(values: Values, defaults: Values) -> Iterator[tuple[str, Refusal]]:
    """Return the options of WARNED that differ from their defaults."""
    for keyword, given in values.items():
        if keyword in _WARNED and _differs(keyword, given, defaults):
            yield _WARNED[keyword]


def _differs(keyword: str, given: Sequence[str], defaults: Values) -> bool:
    return list(given) != list(defaults.get(keyword, ())) and not _same(keyword, given)


def _same(keyword: str, given: Sequence[str]) -> bool:
    return all(value.lower() in ("none", *_SAME_ANYWAY.get(keyword, ())) for value in given)
