"""The identity provider's side: deliver a realm's token to it, test it there, pause and resume it.

`kinds.py` is the table of what the inventory's `deliver` can say. `base.py` says what a provider
must do. Each provider has one file. Only this package imports msal.
"""
