"""The folders in which programs are looked up before the agent runs. The login user owns none.

The login user's own PATH is not used: anybody who can write that user's shell profile could choose
which programs run, and which program reads the sudo password.
"""

SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Only root can write there."""

USUAL = f"/usr/local/sbin:/usr/local/bin:{SYSTEM}"
