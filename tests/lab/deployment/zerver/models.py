"""As much of Zulip's tables as SCIM touches."""

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from zproject.config import PROFILE


class Realm(models.Model):
    """An organisation."""

    string_id = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    deactivated = models.BooleanField(default=False)
    custom_profile_fields = models.JSONField(default=list)


class UserProfile(models.Model):
    """A user of one organisation; its roles are Zulip's numbers."""

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
    """A group of users, as SCIM sees it from 11.0 on."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    members = models.ManyToManyField(UserProfile)

    class Meta:
        unique_together = ("realm", "name")


if PROFILE["registers_clients"]:

    class SCIMClient(models.Model):
        """A client that `manage.py add_scim_client` registered: without it, no SCIM on 5.x."""

        realm = models.ForeignKey(Realm, on_delete=models.CASCADE)
        name = models.TextField()

        class Meta:
            unique_together = ("realm", "name")
