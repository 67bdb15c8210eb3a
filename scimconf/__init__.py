"""Keep the SCIM configuration of many Zulip servers in step with one inventory."""

__version__ = "0.1.0"
