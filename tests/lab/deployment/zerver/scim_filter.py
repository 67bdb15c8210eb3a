"""The `filter` of a list request. django-scim2 imports it before the adapters."""

from django_scim.filters import GroupFilterQuery, UserFilterQuery


class UserFilter(UserFilterQuery):
    """Find users by userName, which is their e-mail address."""

    attr_map = {("userName", None, None): "zerver_userprofile.delivery_email"}  # noqa: RUF012


class GroupFilter(GroupFilterQuery):
    """Find groups by their name."""

    attr_map = {("displayName", None, None): "zerver_usergroup.name"}  # noqa: RUF012
