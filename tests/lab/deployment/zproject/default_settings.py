"""The defaults of settings that /etc/zulip/settings.py does not set."""

from .config import PROFILE

ALLOWED_HOSTS: list[str] = []
REALM_HOSTS: dict[str, str] = {}
ROOT_SUBDOMAIN_ALIASES = ["www"]
ROOT_DOMAIN_LANDING_PAGE = False
if PROFILE["scim_config_default"]:
    SCIM_CONFIG: dict[str, dict[str, object]] = {}
