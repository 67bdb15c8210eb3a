"""The first process behind a test server: `python -I inside.py CONFIG LISTENER`.

As root, it runs in its own namespaces and mounts its own files over those of the host's /etc. It
answers SSH with `sshd -i`, and it ends when its stdin is closed.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path


def main(config_path: str, listener: int) -> None:
    config = json.loads(Path(config_path).read_text())
    if config["root"]:
        cover(config["root"])
    threading.Thread(
        target=serve, args=(socket.socket(fileno=listener), config["sshd"]), daemon=True
    ).start()
    print("ready", flush=True)
    sys.stdin.buffer.read()


def cover(config: dict) -> None:
    for folder in "/run", "/home":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder], check=True)
    Path("/run/sshd").mkdir(mode=0o755)
    for name, (text, mode) in config["etc"].items():
        source = Path("/run", name.replace("/", "-"))
        source.touch(mode)
        source.write_text(text)
        if Path("/etc", name).exists():
            subprocess.run(["mount", "--bind", source, f"/etc/{name}"], check=True)
    for name, (uid, files) in config["homes"].items():
        home = Path("/home", name)
        home.mkdir(mode=0o755)
        for file, text in files.items():
            (home / file).write_text(text)
            (home / file).chmod(0o755 if text.startswith("#!") else 0o644)
        os.chown(home, uid, uid)
    for path, (text, mode, uid) in config["programs"].items():
        Path(path).parent.mkdir(mode=0o755, exist_ok=True)
        Path(path).write_text(text)
        Path(path).chmod(mode)
        os.chown(path, uid, uid)
    for path, target in config["links"].items():
        Path(path).symlink_to(target)
    socket.sethostname("server.test")


def serve(listener: socket.socket, sshd: dict) -> None:
    while True:
        connection, _ = listener.accept()
        with connection, open(sshd["log"], "ab") as log:
            subprocess.Popen(
                sshd["argv"],
                stdin=connection,
                stdout=connection,
                stderr=log,
                env={**os.environ, **sshd["environment"]},
                start_new_session=True,
            )


main(sys.argv[1], int(sys.argv[2]))
