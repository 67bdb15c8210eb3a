"""manage.py checkconfig: whether the settings that every server needs are there."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Says nothing where all is well, and never looks inside SCIM_CONFIG."""

    def handle(self, *args, **options):
        """Look for the names."""
        for name in ("EXTERNAL_HOST", "ZULIP_ADMINISTRATOR", "SECRET_KEY"):
            if not getattr(settings, name, None):
                raise CommandError(f"Error: You must set {name} in /etc/zulip/settings.py.")
