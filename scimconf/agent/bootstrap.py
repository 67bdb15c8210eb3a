# This runs first on a server. It prints a ready line with the version of Python, reads the program
# from stdin (docs/agent.md) and starts it. It is not a module to import: the controller sends this
# text in the command line. So it is short, and has no character that a login shell would change
# (scimconf/ssh/command.py has the rules). It must parse on Python 2.7 too, so that the controller
# can report a Python that is too old.
# ruff: noqa: E401, E402, I001, S102
import sys

sys.stdout.write(sys.argv[1] + " ready %d.%d.%d" % sys.version_info[:3] + chr(10))
sys.stdout.flush()
stdin = getattr(sys.stdin, "buffer", sys.stdin)
size = int(stdin.readline() or 0)
data = stdin.read(size)
if not data or len(data) < size:
    sys.exit(1)
import gc, json, os, zlib

# Without importlib.machinery, which would take 1 ms.
ModuleSpec = type(sys.__spec__)

# Collecting garbage would take 2 ms. A run is short, and its data is small.
gc.disable()

text = {"scimconf": "", "scimconf.agent": ""}
for name, source in json.loads(zlib.decompress(data).decode("utf-8")):
    text["scimconf.agent." + name] = source


class Program:
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self, is_package=not text[name]) if name in text else None

    def create_module(self, spec):
        pass

    def exec_module(self, made):
        name = made.__name__
        exec(compile(text[name], name[15:] + ".py", "exec", 0, True), made.__dict__)


sys.meta_path.insert(0, Program())
from scimconf.agent import main

# Output is not buffered (python -u). A normal exit would take a tenth of the whole run.
os._exit(main.main(sys.argv[2]))
