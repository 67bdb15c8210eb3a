"""What is true of Zulip alone: versions, identity providers, the SCIM_CONFIG block, restarts."""
