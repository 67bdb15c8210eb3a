"""How much one file may hold."""

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 500_000
"""Keys and values of one file, what its aliases stand for counted each time."""
MAX_DEPTH = 64
