"""Fuzz tests of the two file editors: generators of unusual files, invariants, and programs.

Except for the tests, this uses only the standard library and Python 3.8 or later, like the editors.
So `make fuzz` can also run with the Python of a server.
"""
