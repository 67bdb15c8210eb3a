"""Where programs are looked for on the way to the agent: nothing there belongs to the login.

The login's own PATH is not used: whoever can write its profile would choose what is run, and what
the sudo password is typed into.
"""

SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Only root puts anything there."""

USUAL = f"/usr/local/sbin:/usr/local/bin:{SYSTEM}"
