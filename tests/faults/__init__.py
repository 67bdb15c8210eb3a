"""Faults x steps of a transaction, power cuts, and what may lose a token: what is left of it, and
what the next run makes of that.

`make faults` runs all of it and prints the tables of docs/reliability.md; `make test` a sample.
"""
