"""The way to a server, and the conversation with the agent there. The only room that uses paramiko.

This file imports none of its modules: `scimconf.ssh.session` opens a conversation.
"""

from __future__ import annotations

from scimconf import startup

startup.skip_invoke()
