"""Django's settings: what the administrator configured, then what follows from it."""

from .configured_settings import *  # noqa: F403

from .computed_settings import *  # noqa: F403  # isort: skip
