"""Facts about Zulip and identity providers: versions, keys of SCIM_CONFIG, presets, answers."""
