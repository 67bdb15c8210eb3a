"""manage.py checkconfig: check that the required settings exist."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Print nothing if all is well. Ignore SCIM_CONFIG."""

    def handle(self, *args, **options):
        """Check that the names exist."""
        for name in ("EXTERNAL_HOST", "ZULIP_ADMINISTRATOR", "SECRET_KEY"):
            if not getattr(settings, name, None):
                raise CommandError(f"Error: You must set {name} in /etc/zulip/settings.py.")
