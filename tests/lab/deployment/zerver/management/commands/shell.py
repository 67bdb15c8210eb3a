"""manage.py shell: Django's, which before 5.2 imported nothing by itself and said nothing of it."""

from django.core.management.commands import shell
from zproject.config import PROFILE


class Command(shell.Command):
    """Code comes with -c or on stdin."""

    def get_auto_imports(self):
        """None: neither imports nor the line on stdout that counts them."""
        return super().get_auto_imports() if PROFILE["shell_greets"] else None
