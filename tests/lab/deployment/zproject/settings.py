"""Django's settings: the configured ones, then the computed ones."""

from .configured_settings import *  # noqa: F403

from .computed_settings import *  # noqa: F403  # isort: skip
