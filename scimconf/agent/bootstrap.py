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
import importlib.machinery, json, os, zlib

text = {"scimconf": "", "scimconf.agent": ""}
for name, source in json.loads(zlib.decompress(data).decode("utf-8")):
    text["scimconf.agent." + name] = source


class Program:
    def find_spec(self, name, path, target=None):
        made = importlib.machinery.ModuleSpec
        return made(name, self, is_package=not text[name]) if name in text else None

    def create_module(self, spec):
        pass

    def exec_module(self, made):
        name = made.__name__
        exec(compile(text[name], name[15:] + ".py", "exec", 0, True), made.__dict__)


sys.meta_path.insert(0, Program())
from scimconf.agent import main

# Nothing is buffered (python -u), and taking the program down takes as long as a tenth of it.
os._exit(main.main(sys.argv[2]))
