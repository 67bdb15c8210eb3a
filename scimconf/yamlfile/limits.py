"""The limits of one file."""

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 500_000
"""Keys and values of one file; an alias counts as often as it is used."""
MAX_DEPTH = 64
