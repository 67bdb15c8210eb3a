"""Users and groups over SCIM: what Zulip accepts, refuses and ignores."""

from django.conf import settings
from django_scim import adapters, constants, exceptions
from zproject.config import PROFILE

from zerver.models import UserProfile


def base_location(request=None, *args, **kwargs):
    """Return the URL of the realm, for `meta.location`."""
    return f"https://{request.get_host() if request else settings.EXTERNAL_HOST}"


def only_this_realm(model):
    """Return the filter of django-scim2 that limits each request to its realm."""

    def filters(request, *args, **kwargs):
        return {"realm_id": request.realm.id}

    return filters


class ZulipSCIMUser(adapters.SCIMUser):
    """A user, serialised as the realm's entry in SCIM_CONFIG says."""

    id_field = "id"

    @property
    def config(self):
        """The realm's entry in SCIM_CONFIG."""
        return self.request.scim_config

    @property
    def display_name(self):
        """The full name, the only name that Zulip knows."""
        return self.obj.full_name

    @property
    def is_new(self):
        """Return whether this is a POST."""
        return self.obj.pk is None

    def to_dict(self):
        """Serialise. Raise KeyError (500) if name_formatted_included is missing."""
        first, _, last = self.obj.full_name.partition(" ")
        if self.config["name_formatted_included"]:
            name = {"formatted": self.obj.full_name}
        else:
            name = {"givenName": first, "familyName": last}
        user = {
            "schemas": [constants.SchemaURI.USER],
            "id": self.id,
            "userName": self.obj.delivery_email,
            "name": name,
            "displayName": self.display_name,
            "active": self.obj.is_active,
            "meta": self.meta,
        }
        if PROFILE["roles"]:
            names = {number: name for name, number in UserProfile.ROLES.items()}
            user["role"] = names[self.obj.role]
        for attribute, field in self._mapped_fields().items():
            if field in self.obj.profile_data:
                user[attribute] = self.obj.profile_data[field]
        return user

    def from_dict(self, d):
        """Apply a POST or a PUT. Raise BadRequestError with Zulip's message."""
        name = self._full_name(d.get("name", {}))
        if self.is_new:
            self.obj.realm = self.request.realm
            if not name:
                raise exceptions.BadRequestError(
                    "Must specify name.formatted, name.givenName or name.familyName "
                    "when creating a new user"
                )
            if not d.get("active"):
                raise exceptions.BadRequestError("New user must have active=True")
        self._change_email(d.get("userName"))
        self.obj.full_name = name or self.obj.full_name
        self.obj.is_active = d.get("active", self.obj.is_active)
        if PROFILE["roles"] and d.get("role"):
            self._change_role(d["role"])
        for attribute, field in self._mapped_fields().items():
            self._change_profile_field(field, d.get(attribute))

    def _full_name(self, name):
        if self.config["name_formatted_included"]:
            return name.get("formatted", "")
        return f"{name.get('givenName', '')} {name.get('familyName', '')}".strip()

    def handle_replace(self, path, value, operation):
        """Apply one PATCH operation. Raise NotImplementedError (501) for other paths."""
        target = path.first_path if not path.is_complex else None
        if target == ("userName", None, None):
            self._change_email(value)
        elif target == ("name", "formatted", None):
            self.obj.full_name = value
        elif target == ("active", None, None):
            self.obj.is_active = value
        elif target == ("role", None, None) and PROFILE["roles"]:
            self._change_role(value)
        elif target and target[1:] == (None, None) and target[0] in self._mapped_fields():
            self._change_profile_field(self._mapped_fields()[target[0]], value)
        else:
            raise exceptions.NotImplementedError("Not Implemented")
        self.save()

    def save(self):
        """Raise IntegrityError (409) if another user of the realm has that address."""
        same = UserProfile.objects.filter(
            realm=self.obj.realm, delivery_email__iexact=self.obj.delivery_email
        )
        if same.exclude(pk=self.obj.pk).exists():
            raise exceptions.IntegrityError("Email address already in use")
        self.obj.save()

    def delete(self):
        """Refuse: Zulip does not delete users over SCIM."""
        raise exceptions.BadRequestError(
            'DELETE operation is not supported. Use PUT or PATCH to modify the "active" attribute.'
        )

    def _change_email(self, email):
        self.validate_email(email)
        self.obj.delivery_email = email

    def _change_role(self, name):
        if name not in UserProfile.ROLES:
            valid = list(UserProfile.ROLES)
            raise exceptions.BadRequestError(f"Invalid role: {name}. Valid values are: {valid}")
        self.obj.role = UserProfile.ROLES[name]

    def _mapped_fields(self):
        if not PROFILE["custom_profile_fields"]:
            return {}
        return self.config.get("custom_profile_field_map", {})

    def _change_profile_field(self, field, value):
        if field not in self.obj.realm.custom_profile_fields:
            raise exceptions.BadRequestError(f"Custom profile field {field} does not exist")
        if value is not None:
            self.obj.profile_data[field] = value


class ZulipSCIMGroup(adapters.SCIMGroup):
    """A user group. The lab can only list groups."""

    id_field = "id"

    def to_dict(self):
        """Serialise with the members' ids."""
        return {
            "schemas": [constants.SchemaURI.GROUP],
            "id": self.id,
            "displayName": self.obj.name,
            "members": [{"value": str(user.id)} for user in self.obj.members.order_by("id")],
            "meta": {"resourceType": "Group", "location": self.location},
        }

    def from_dict(self, d):
        """Apply a POST or a PUT."""
        self.obj.realm = self.request.realm
        self.obj.name = d["displayName"]
