"""Where Zulip's own settings find secrets: `from .config import get_secret`."""

import configparser
import json
from pathlib import Path

DEPLOY_ROOT = Path(__file__).resolve().parents[1]
LAB = json.loads((DEPLOY_ROOT / "lab.json").read_text())
PROFILE = LAB["profile"]

_secrets = configparser.RawConfigParser()
_secrets.read(LAB["secrets"])


def get_secret(key, default=None):
    """Give a value of [secrets] in zulip-secrets.conf; no interpolation, None where it lacks."""
    return _secrets.get("secrets", key, fallback=default)
