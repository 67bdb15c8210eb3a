"""Read secrets for Zulip's settings: `from .config import get_secret`."""

import configparser
import json
from pathlib import Path

DEPLOY_ROOT = Path(__file__).resolve().parents[1]
LAB = json.loads((DEPLOY_ROOT / "lab.json").read_text())
PROFILE = LAB["profile"]

_secrets = configparser.RawConfigParser()
_secrets.read(LAB["secrets"])


def get_secret(key, default=None):
    """Return a value of [secrets] in zulip-secrets.conf, or None. There is no interpolation."""
    return _secrets.get("secrets", key, fallback=default)
