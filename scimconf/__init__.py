"""scimconf keeps the SCIM configuration of a fleet of Zulip servers as one inventory says."""

__version__ = "0.1.0"
