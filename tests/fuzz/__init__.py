"""The editors against files that nobody would write: generators, what must hold, and drivers.

Standard library only but for the tests, and Python 3.8 and later, as the editors themselves: so
`make fuzz` can also run with the Python of a server.
"""
