"""What runs on the server: standard library only, Python >= 3.8, no other room of scimconf.

docs/agent.md is the contract. `settings_file`, `secrets_file` and `masking` also run on the
controller, so that what a plan shows comes from the editor that does it.
"""

MODULES = (
    "trouble",
    "source",
    "names",
    "get_secret",
    "layout",
    "entry",
    "revise",
    "settings_file",
    "masking",
    "secrets_file",
    "fingerprint",
    "child",
    "cause",
    "files",
    "applied",
    "zulip",
    "clients",
    "registered",
    "probe",
    "gate",
    "outage",
    "candidate",
    "lock",
    "progress",
    "undo",
    "journal",
    "steps",
    "way_back",
    "docker",
    "request",
    "prepare",
    "difference",
    "reversal",
    "observe",
    "transaction",
    "main",
)
"""What is sent to a server, in the order in which the modules import each other."""
