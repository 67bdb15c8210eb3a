"""A small version of Zulip's manage.py: check the user, write the log, then call Django."""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))


def main(argv):
    """Run one management command."""
    if os.geteuid() == 0:
        print(
            "manage.py should not be run as root. Use `su zulip` to become the 'zulip'\n"
            "user before rerunning this, or use \n"
            "  su zulip -c '/home/zulip/deployments/current/manage.py ...'\n"
            "to switch users and run this as a single command."
        )
        return 1
    from zproject.config import LAB

    if not os.access(LAB["secrets"], os.R_OK):
        print(
            "Error accessing Zulip secrets; manage.py in production must be run as the zulip user."
        )
        return 1
    # A failing command then shows a traceback. As in Zulip, this breaks `--` and `--no-traceback`.
    if "--traceback" not in argv:
        argv = [*argv, "--traceback"]
    with open(Path(LAB["log"], "manage.log"), "a") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}: Ran {' '.join(argv)!r}\n")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zproject.settings")
    os.chdir(ROOT)
    from django.core.management import execute_from_command_line
    from zerver import postgresql

    postgresql.check()

    execute_from_command_line(argv)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
