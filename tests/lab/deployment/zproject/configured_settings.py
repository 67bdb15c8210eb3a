"""The defaults, overridden by the administrator's /etc/zulip/settings.py."""

from .default_settings import *  # noqa: F403

from .prod_settings import *  # noqa: F403  # isort: skip
