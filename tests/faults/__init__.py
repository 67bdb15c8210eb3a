"""Faults at every step of a transaction, power cuts, and faults that may lose a token.

Each test also checks that the next run repairs the state.
`make faults` runs all of it and prints the tables of docs/reliability.md; `make test` a sample.
"""
