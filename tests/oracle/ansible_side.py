"""Run Ansible as a program that answers questions, one line of JSON each, on stdin and stdout.

It runs with the Python of `.cache/ansible`, not with that of scimconf, and loads Ansible once for
many inventories. `test_command.py` checks that it agrees with `ansible-inventory`.
"""

import datetime
import json
import os
import sys
from contextlib import suppress

from ansible import constants, context
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultHelper, VaultSecret, VaultSecretsContext
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.context_objects import CLIArgs
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

# What matches nothing is an error here as it is with us.
constants.HOST_PATTERN_MISMATCH = "error"
SECRETS = [("default", VaultSecret(sys.argv[1].encode()))]
VaultSecretsContext.initialize(VaultSecretsContext(SECRETS))


def encoded(value):
    """Return a value as JSON that keeps the types that plain JSON loses (see ours.py)."""
    ciphertext = VaultHelper.get_ciphertext(value, with_tags=False)
    if ciphertext is not None:
        return {"vault": ciphertext, "plain": str(value)}
    if isinstance(value, dict):
        return {"map": [[encoded(key), encoded(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encoded(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return {"date": value.isoformat()}
    if isinstance(value, bool) or value is None:
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value).__name__)


class Inventory:
    """An inventory that Ansible has loaded."""

    def __init__(self, sources, extra):
        context.CLIARGS = CLIArgs({"extra_vars": [trust_as_template(each) for each in extra]})
        load_extra_vars.__dict__.pop("extra_vars", None)  # it keeps those of the first inventory
        loader = DataLoader()
        loader.set_vault_secrets(SECRETS)
        self.loader = loader
        self.manager = InventoryManager(loader, list(sources))
        self.variables = VariableManager(loader, self.manager, version_info={})
        HostVars(self.manager, self.variables, loader)  # adds itself to the variables

    def all(self, names):
        """Return the groups, and for each host the variables in `names` and its connection."""
        groups = self.manager.groups
        return {
            "groups": {name: [h.name for h in group.get_hosts()] for name, group in groups.items()},
            "hosts": {name: self.host(host, names) for name, host in self.manager.hosts.items()},
        }

    def host(self, host, names):
        known = self.variables.get_vars(host=host, stage="all")
        templar = Templar(self.loader, variables=known)
        found = {}
        for name in names:
            if name in known:
                try:
                    found[name] = {"value": encoded(templar.template(known[name]))}
                except AnsibleValueOmittedError:
                    found[name] = {"omitted": True}
                except AnsibleError as error:
                    found[name] = {"error": str(error)}
        return {"variables": found, "connection": self.connection(known, templar)}

    def connection(self, known, templar):
        """Return the options of ssh and of sudo or su (task_executor.py)."""
        method = templar.template(known.get("ansible_become_method", "sudo"))
        plugins = {
            "connection": connection_loader.get("ssh", PlayContext(), None),
            "become": become_loader.get(method),
        }
        options = {}
        try:
            for kind, plugin in plugins.items():
                name = plugin._load_name
                given = constants.config.get_plugin_vars(kind, name)
                values = {}
                for variable in given:
                    if variable in known:
                        with suppress(AnsibleValueOmittedError):
                            values[variable] = templar.template(known[variable])
                plugin.set_options(var_options={**values, "_extras": {}})
                options[kind] = plugin
            ssh, sudo = options["connection"], options["become"]
            become = known.get("ansible_become")
            return {
                "host": encoded(ssh.get_option("host")),
                "port": encoded(ssh.get_option("port")),
                "user": encoded(ssh.get_option("remote_user")),
                "password": encoded(ssh.get_option("password")),
                "private_key": encoded(ssh.get_option("private_key_file")),
                "timeout": encoded(ssh.get_option("timeout")),
                "become": None if become is None else boolean(templar.template(become)),
                "become_user": encoded(sudo.get_option("become_user")),
                "become_password": encoded(sudo.get_option("become_pass")),
                "become_exe": encoded(sudo.get_option("become_exe")),
                "become_flags": encoded(sudo.get_option("become_flags")),
            }
        except (AnsibleError, TypeError, ValueError) as error:
            return {"error": str(error)}

    def hosts(self, patterns, limit):
        """Return the hosts that match the patterns and the limit."""
        try:
            self.manager.clear_pattern_cache()
            self.manager.subset(limit or None)
            return {"hosts": [host.name for host in self.manager.get_hosts(patterns)]}
        except AnsibleError as error:
            return {"error": str(error)}


def answer(question):
    inventory = Inventory(question["sources"], question.get("extra", ()))
    found = inventory.all(question["names"])
    chosen = [inventory.hosts(*each) for each in question.get("patterns", ())]
    return {**found, "patterns": chosen}


def expanded(question):
    """Expand texts as templates with the same variables."""

    loader = DataLoader()
    found = []
    for text in question["texts"]:
        templar = Templar(loader, variables=question["variables"])
        try:
            found.append({"value": encoded(templar.template(trust_as_template(text)))})
        except (AnsibleError, TypeError, ValueError, ArithmeticError) as error:
            found.append({"error": f"{type(error).__name__}: {error}"})
    return found


def main():
    init_plugin_loader([])
    said = []
    for word in ("warning", "deprecated", "error_as_warning", "error", "display"):
        setattr(Display(), word, lambda *words, **more: said.append([*map(str, words), str(more)]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        said.clear()
        try:
            kinds = {"inventory": answer, "expand": expanded}
            found = {"answer": kinds[question["kind"]](question), "said": said}
        except Exception as error:
            found = {"failed": f"{type(error).__name__}: {error}", "said": said}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
