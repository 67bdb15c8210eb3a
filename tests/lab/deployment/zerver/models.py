"""The tables of Zulip that SCIM uses."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from zproject.config import PROFILE


class Realm(models.Model):
    """A realm."""

    string_id = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    deactivated = models.BooleanField(default=False)

    @property
    def custom_profile_fields(self):
        """The variable names of the fields, as custom_profile_field_map uses them."""
        names = self.customprofilefield_set.values_list("name", flat=True)
        return ["_".join(name.lower().split(" ")) for name in names]


class CustomProfileField(models.Model):
    """A custom profile field. Its variable name is not stored."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
    name = models.CharField(max_length=40)
    field_type = models.PositiveSmallIntegerField(default=1)


class UserProfile(models.Model):
    """A user of one realm. The numbers of the roles are Zulip's."""

    ROLES = {"owner": 100, "administrator": 200, "moderator": 300, "member": 400, "guest": 600}  # noqa: RUF012

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
    delivery_email = models.EmailField()
    full_name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True)
    role = models.PositiveSmallIntegerField(default=ROLES["member"])
    profile_data = models.JSONField(default=dict)
    date_joined = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                models.F("realm"),
                Upper("delivery_email"),
                name="zerver_userprofile_realm_id_delivery_email_uniq",
            ),
        )


class UserGroup(models.Model):
    """A group of users, for SCIM from 11.0 on."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    members = models.ManyToManyField(UserProfile)

    class Meta:
        unique_together = ("realm", "name")


if PROFILE["registers_clients"]:

    class SCIMClient(models.Model):
        """A client registered by `manage.py add_scim_client`. SCIM on 5.x needs one."""

        realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
        name = models.TextField()

        class Meta:
            unique_together = ("realm", "name")
