"""The program that runs on the server: standard library only, Python >= 3.8.

It imports nothing else of scimconf. docs/agent.md describes its protocol. The controller uses the
editors and `masking` too, so a plan shows exactly the edit that the server will make.
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
    "names",
    "entry",
    "get_secret",
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
    "other_runs",
    "own_clients",
    "request",
    "observe",
    "outage",
    "revise",
    "settings_edit",
    "restart_failure",
    "steps",
    "prepare",
    "prepare_undo",
    "progress",
    "rollback",
    "transaction",
    "main",
)
"""The modules that are sent to a server. Each one comes after the modules that it imports."""
