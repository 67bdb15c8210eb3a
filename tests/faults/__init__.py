"""Faults x steps of a transaction, and power cuts: what is left, and what the next run makes of it.

`make faults` runs all of it and prints the tables of docs/reliability.md; `make test` a sample.
"""
