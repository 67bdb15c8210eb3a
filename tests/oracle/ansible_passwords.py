"""Run by Ansible's Python: print how Ansible reads each password, as JSON of hexadecimal bytes.

The arguments are a folder with N.txt and N.sh, and the number of them.
"""

import json
import sys
from pathlib import Path

from ansible.cli import CLI
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import PromptVaultSecret, get_file_vault_secret
from ansible.utils.display import Display


def main(folder, count):
    """Read every password from a file, from a program and from a prompt."""
    loader = DataLoader()
    found = []
    for number in range(count):
        file, program = folder / f"{number}.txt", folder / f"{number}.sh"
        typed = file.read_bytes().decode("utf-8", "surrogateescape")
        Display.prompt = lambda *_, typed=typed, **__: typed
        found.append(
            {
                "file": _vault(file, loader),
                "program": _vault(program, loader),
                "typed": _read(lambda: _prompt().hex()),
                "login file": _login(file),
                "login program": _login(program),
            }
        )
    print(json.dumps(found))


def _vault(path, loader):
    secret = get_file_vault_secret(str(path), loader=loader)
    return _read(lambda: (secret.load(), secret.bytes)[1].hex())


def _login(path):
    return _read(
        lambda: CLI.get_password_from_file(str(path)).encode("utf-8", "surrogateescape").hex()
    )


def _prompt():
    secret = PromptVaultSecret(vault_id="x", prompt_formats=["%(vault_id)s"])
    secret.load()
    return secret.bytes


def _read(read):
    """Return what `read` returns; None if Ansible refuses the password."""
    try:
        return read()
    except (AnsibleError, UnicodeEncodeError):  # a prompt takes only UTF-8
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
