"""The way to a server, and the conversation with the agent there. The only room that uses paramiko.

This file imports none of its modules: `scimconf.ssh.session` opens a conversation.
"""

from __future__ import annotations

import sys

# paramiko needs `invoke` only for its own ssh_config reader, which we do not use. Importing it
# takes as long as the rest of paramiko.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
