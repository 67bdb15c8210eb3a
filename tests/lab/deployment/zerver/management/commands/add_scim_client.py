"""manage.py add_scim_client NAME -r REALM: of 5.x only. Exits and outputs as Zulip 5.6's."""

import sys

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from zerver.models import Realm, SCIMClient


class Command(BaseCommand):
    """Registers a client; without one, SCIM on 5.x answers 500."""

    help = "Create a SCIM client entry in the database."

    def add_arguments(self, parser):
        """The realm is an id (digits) or a string_id."""
        parser.add_argument("name", help="name of the client")
        parser.add_argument("-r", "--realm", dest="realm_id", help="id or subdomain of the realm")

    def execute(self, *args, **options):
        """A CommandError is one line on stderr, whatever --traceback says."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            print(error, file=sys.stderr)
            sys.exit(1)

    def handle(self, *args, **options):
        """Create it, or raise as PostgreSQL would."""
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
            # Digits are an id, always: an organisation whose subdomain is all digits is not found.
            return Realm.objects.get(**({"id": text} if text.isdigit() else {"string_id": text}))
        except Realm.DoesNotExist:
            raise CommandError(f"There is no realm with id '{text}'. Aborting.") from None
