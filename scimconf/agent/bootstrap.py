# The first thing that runs on a server: it says that it is there and which Python it is, takes
# the program from stdin (docs/agent.md) and hands over to it. Not a module to import: the
# controller sends this text in the command line, so it is short, and has none of the characters
# that one login shell or the other would change (scimconf/ssh/command.py holds the rules).
# It parses on Python 2.7 too; a Python that is too old is turned away by the controller.
# ruff: noqa: E401, E402, I001, S102
import sys

sys.stdout.write(sys.argv[1] + " ready %d.%d.%d" % sys.version_info[:3] + chr(10))
sys.stdout.flush()
stdin = getattr(sys.stdin, "buffer", sys.stdin)
size = int(stdin.readline() or 0)
data = stdin.read(size)
if not data or len(data) < size:
    sys.exit(1)
import json, types, zlib


def module(name):
    parent, _, child = name.rpartition(".")
    made = sys.modules[name] = types.ModuleType(name)
    made.__package__ = parent
    if parent:
        setattr(sys.modules[parent], child, made)
    return made


for name in "scimconf", "scimconf.agent":
    module(name).__path__ = []
for name, source in json.loads(zlib.decompress(data).decode("utf-8")):
    made = module("scimconf.agent." + name)
    exec(compile(source, name + ".py", "exec", 0, True), made.__dict__)
sys.exit(sys.modules["scimconf.agent.main"].main(sys.argv[2]))
