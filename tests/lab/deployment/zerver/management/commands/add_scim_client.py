"""manage.py add_scim_client NAME -r REALM (5.x only), with the exit codes and output of 5.6."""

import sys

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from zerver.models import Realm, SCIMClient


class Command(BaseCommand):
    """Register a client. Without one, SCIM on 5.x answers 500."""

    help = "Create a SCIM client entry in the database."

    def add_arguments(self, parser):
        """The realm is an id (digits) or a string_id."""
        parser.add_argument("name", help="name of the client")
        parser.add_argument("-r", "--realm", dest="realm_id", help="id or subdomain of the realm")

    def execute(self, *args, **options):
        """Print a CommandError as one line on stderr, even with --traceback."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            print(error, file=sys.stderr)
            sys.exit(1)

    def handle(self, *args, **options):
        """Create the client, or raise the error of PostgreSQL."""
        realm = self._realm(options["realm_id"])
        assert realm
        name = options["name"]
        try:
            with transaction.atomic():
                SCIMClient.objects.create(realm=realm, name=name)
        except IntegrityError:
            raise IntegrityError(
                "duplicate key value violates unique constraint "
                '"zerver_scimclient_realm_id_name_ba73e5ca_uniq"\n'
                f"DETAIL:  Key (realm_id, name)=({realm.id}, {name}) already exists.\n"
            ) from None

    def _realm(self, text):
        if text is None:
            return None
        try:
            # Digits are always an id: a realm whose subdomain is all digits is not found.
            return Realm.objects.get(**({"id": text} if text.isdigit() else {"string_id": text}))
        except Realm.DoesNotExist:
            raise CommandError(f"There is no realm with id '{text}'. Aborting.") from None
