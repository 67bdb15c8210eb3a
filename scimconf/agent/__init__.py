"""What runs on the server: standard library only, Python >= 3.8, no other room of scimconf.

docs/agent.md is the contract. `settings_file`, `secrets_file` and `masking` also run on the
controller, so that what a plan shows comes from the editor that does it.
"""

MODULES = (
    "errors",
    "files",
    "fingerprint",
    "applied_tokens",
    "child",
    "zulip",
    "candidate",
    "clients",
    "source",
    "layout",
    "entry",
    "names",
    "get_secret",
    "revise",
    "settings_file",
    "masking",
    "secrets_file",
    "difference",
    "docker",
    "probe",
    "gate",
    "undo",
    "journal",
    "lock",
    "own_clients",
    "request",
    "observe",
    "progress",
    "outage",
    "restart_failure",
    "steps",
    "prepare",
    "prepare_undo",
    "rollback",
    "transaction",
    "main",
)
"""What is sent to a server, in the order in which the modules import each other."""
