"""Create the database at the first start: the tables and the realms of the lab."""

from django.apps import apps
from django.db import connection
from zproject.config import LAB

from zerver.models import CustomProfileField, Realm


def ensure():
    """Create tables and realms if they do not exist. Zulip's own realm has the first id."""
    if Realm._meta.db_table in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            editor.create_model(model)
    Realm.objects.create(string_id="zulipinternal", name="System use only")
    for each in LAB["realms"]:
        values = {**each}
        fields = values.pop("custom_profile_fields")
        realm = Realm.objects.create(name=each["string_id"] or LAB["name"], **values)
        for name in fields:
            CustomProfileField.objects.create(realm=realm, name=name)
