"""manage.py shell: before Django 5.2 it imports nothing by itself and prints no line about it."""

from django.core.management.commands import shell
from zproject.config import PROFILE


class Command(shell.Command):
    """Run code from -c or stdin."""

    def get_auto_imports(self):
        """Return None: no imports, and no line on stdout that counts them."""
        return super().get_auto_imports() if PROFILE["shell_greets"] else None
