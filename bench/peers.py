"""The other tools. Each one makes the same edit and runs the same restart command.

`make bench` installs them in their own environment. They get the SCIM block that scimconf wrote,
with tokens in plain text, so they decrypt nothing. They put it between two marker lines, and run
`true` if that changed the file.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Failed, Program
from bench.operator import Operator

_ANSIBLE_CFG = """\
[defaults]
inventory = inventory.json
forks = {forks}
gather_facts = false
host_key_checking = true
retry_files_enabled = false
{mitogen}
[ssh_connection]
pipelining = true
control_path_dir = {folder}/cp
ssh_args = -o ControlMaster=auto -o ControlPersist={persist} -o IdentitiesOnly=yes \
-o UserKnownHostsFile={known_hosts}
"""
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: the SCIM block
      ansible.builtin.blockinfile:
        path: "{{ settings }}"
        marker: "# {mark} SCIM"
        block: "{{ blocks[state | int] }}"
      notify: restart
  handlers:
    - name: restart
      ansible.builtin.command: "true"
"""
_PYINFRA_INVENTORY = """\
import json
from pathlib import Path

known = json.loads(Path("hosts.json").read_text())
hosts = [(name, values) for name, values in known.items()]
"""
_PYINFRA_DEPLOY = """\
from pyinfra import host
from pyinfra.operations import files, server

block = files.block(
    name="the SCIM block",
    path=host.data.settings,
    content=host.data.blocks[int(host.data.state)],
    marker="# {mark} SCIM",
)
server.shell(name="restart", commands=["true"], _if=block.did_change)
"""


class Peers:
    """Write the files of each tool. `environments` is the folder of their environment."""

    def __init__(self, operator: Operator, environments: Path, forks: int) -> None:
        """`forks`: how many servers each tool works on at the same time."""
        self._operator = operator
        self._bin = environments / "bin"
        if not self._bin.exists():
            raise Failed("the peers are not there: make .cache/bench/.stamp installs them")
        self._forks = forks
        self.blocks: list[list[str]] = []
        """The SCIM blocks, by state and target."""

    def mark(self) -> None:
        """Put the marker lines around every server's SCIM block."""
        for target in self._operator.fleet:
            text = target.zulip.settings.read_text()
            block = _block(text)
            target.zulip.settings.write_text(
                text.replace(block, f"# BEGIN SCIM\n{block}\n# END SCIM")
            )

    def learn(self) -> None:
        """Save the current SCIM blocks of the servers as those of the next state."""
        found = [_block(target.zulip.settings.read_text()) for target in self._operator.fleet]
        self.blocks.append(found)

    def stand_at(self, state: int) -> bool:
        """Return whether the block of every server equals that of `state`."""
        fleet = self._operator.fleet
        found = [_block(target.zulip.settings.read_text()) for target in fleet]
        return found == self.blocks[state]

    def ansible(self, *, mitogen: bool) -> _Ansible:
        """Return Ansible, with SSH connections that stay open, or with mitogen."""
        name = "mitogen" if mitogen else "ansible"
        folder = self._folder(name)
        strategy = ""
        if mitogen:
            where = "import ansible_mitogen; print(ansible_mitogen.__path__[0])"
            package = subprocess.check_output([self._bin / "python", "-c", where], text=True)
            plugins = f"{package.strip()}/plugins/strategy"
            strategy = f"strategy = mitogen_linear\nstrategy_plugins = {plugins}\n"
        targets = self._operator.targets
        settings = {
            "forks": self._forks,
            "mitogen": strategy,
            "folder": targets.controller,
            "persist": "no" if mitogen else "900s",
            "known_hosts": targets.known_hosts,
        }
        (folder / "ansible.cfg").write_text(_ANSIBLE_CFG.format(**settings))
        (folder / "playbook.yaml").write_text(_PLAYBOOK)
        hosts = {
            target.name: {
                "ansible_host": target.address,
                "ansible_python_interpreter": target.python,
                **self._data(number),
            }
            for number, target in enumerate(self._operator.fleet)
        }
        common = {
            "ansible_port": self._operator.port,
            "ansible_user": targets.user,
            "ansible_ssh_private_key_file": str(targets.client_key),
        }
        (folder / "inventory.json").write_text(
            json.dumps({"all": {"vars": common, "hosts": hosts}})
        )
        return _Ansible(self._bin, folder, self._environment(), self._operator)

    def pyinfra(self) -> _Pyinfra:
        """Return pyinfra."""
        folder = self._folder("pyinfra")
        targets = self._operator.targets
        hosts = {
            target.name: {
                "ssh_hostname": target.address,
                "ssh_port": self._operator.port,
                "ssh_user": targets.user,
                "ssh_key": str(targets.client_key),
                "ssh_known_hosts_file": str(targets.known_hosts),
                **self._data(number),
            }
            for number, target in enumerate(self._operator.fleet)
        }
        (folder / "hosts.json").write_text(json.dumps(hosts))
        (folder / "inventory.py").write_text(_PYINFRA_INVENTORY)
        (folder / "deploy.py").write_text(_PYINFRA_DEPLOY)
        return _Pyinfra(self._bin, folder, self._environment(), self._forks)

    def wide(self, operator: Operator, forks: int) -> Peers:
        """Return the same tools for another operator of the same servers, with another width."""
        made = Peers(operator, self._bin.parent, forks)
        made.blocks = self.blocks
        return made

    def _folder(self, name: str) -> Path:
        folder = self._operator.folder / f"{name}-{self._forks}"
        folder.mkdir(exist_ok=True)
        return folder

    def _data(self, number: int) -> dict[str, object]:
        settings = self._operator.fleet[number].zulip.settings
        return {"settings": str(settings), "blocks": [blocks[number] for blocks in self.blocks]}

    def _environment(self) -> dict[str, str]:
        inherited = self._operator.environment
        del inherited["PYTHONPATH"]
        path = f"{self._bin}:{inherited['PATH']}"
        return {**inherited, "PATH": path, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}


class _Ansible:
    def __init__(
        self, programs: Path, folder: Path, environment: dict[str, str], operator: Operator
    ) -> None:
        self._programs = programs
        self._folder = folder
        self._environment = environment
        self._operator = operator

    def play(self, state: int) -> Program:
        """Return the command that runs the playbook."""
        argv = [str(self._programs / "ansible-playbook"), "playbook.yaml", "-e", f"state={state}"]
        return Program(argv, self._folder, self._environment)

    def hang_up(self) -> None:
        """Close the connections that stay open."""
        for path in (self._operator.targets.controller / "cp").glob("*"):
            argv = ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "-q", "any"]
            subprocess.run(argv, capture_output=True, check=False)


class _Pyinfra:
    def __init__(
        self, programs: Path, folder: Path, environment: dict[str, str], forks: int
    ) -> None:
        self._programs = programs
        self._folder = folder
        self._environment = environment
        self._forks = forks

    def play(self, state: int, *arguments: str) -> Program:
        """Return the command that runs the deploy."""
        argv: Sequence[str] = [
            *(str(self._programs / "pyinfra"), "-y", "--parallel", str(self._forks)),
            *("--data", f"state={state}", *arguments, "inventory.py", "deploy.py"),
        ]
        return Program(argv, self._folder, self._environment)


def _block(text: str) -> str:
    """Return the source code of the assignment to SCIM_CONFIG."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SCIM_CONFIG":
            return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
    raise ValueError("no SCIM_CONFIG")
