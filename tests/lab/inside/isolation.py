"""Show a Zulip server its files at their real places, in a mount namespace. Needs root.

File systems in memory cover the host's /etc, /home, /run and /var/log. Files of the host's /etc
that the server needs are linked, and its own files are written. The host is not changed.
"""

import ctypes
import os
import socket
from pathlib import Path

MS_BIND, MS_REC, MS_NOSUID, MS_NODEV = 4096, 16384, 2, 4
COVERED = ("/run", "/etc", "/home", "/var/log")
HOST_ETC = "/run/host-etc"

_libc = ctypes.CDLL(None, use_errno=True)


def isolate(plan):
    """Mount everything that `plan` lists.

    `hostname`; `bind`: place on the server -> folder of the host; `etc`: name -> [text, mode];
    `keep`: folders of the host that must stay readable at their place.
    """
    sources = {place: _open(folder) for place, folder in plan["bind"].items()}
    sources.update((folder, _open(folder)) for folder in plan["keep"])
    host_etc = _open("/etc")
    covered = sorted({*COVERED, *filter(None, map(_obstacle, plan["keep"]))}, key=len)
    for folder in covered:
        if not any(folder.startswith(f"{other}/") for other in covered):
            _mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    os.makedirs("/run/sshd", 0o755)
    _bind(host_etc, HOST_ETC)
    _fill_etc(plan["etc"])
    for place, source in sources.items():
        if place in plan["bind"] or not _reachable(place):
            _bind(source, place)
        os.close(source)
    os.close(host_etc)
    socket.sethostname(plan["hostname"])


def _open(folder):
    return os.open(folder, os.O_PATH | os.O_DIRECTORY)


def _obstacle(folder):
    """Return the first folder of the path that other users may not enter, or None."""
    for parent in [*reversed(Path(folder).parents), Path(folder)]:
        if not parent.stat().st_mode & 0o001:
            return str(parent)
    return None


def _reachable(folder):
    return os.path.isdir(folder)


def _bind(source, place):
    os.makedirs(place, 0o755, exist_ok=True)
    _mount(f"/proc/self/fd/{source}", place, None, MS_BIND | MS_REC, None)


def _mount(source, target, kind, flags, data):
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    if _libc.mount(words[0], words[1], words[2], flags, words[3]) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def _fill_etc(own):
    for entry in os.scandir(HOST_ETC):
        if entry.name in own:
            continue
        target = os.readlink(entry.path) if entry.is_symlink() else entry.path
        os.symlink(target, f"/etc/{entry.name}")
    for name, (text, mode) in own.items():
        path = Path("/etc", name)
        if path.parent.is_symlink():
            path.parent.unlink()
        path.parent.mkdir(exist_ok=True)
        path.touch(mode)
        path.write_text(text)
        path.chmod(mode)
