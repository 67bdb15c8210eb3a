"""The URL table: the SCIM API as Zulip has it, the login page, and what tells the version.

django-scim2's own table implements more than Zulip does; here everything but the users (and from
11.0 on the groups) is 501.
"""

from django.urls import include, path, re_path
from django_scim import views
from zerver.login import deactivated, login
from zerver.server_settings import server_settings

from zproject.config import PROFILE


def _absent(pattern, name):
    return re_path(pattern, views.SCIMView.as_view(implemented=False), name=name)


_groups = views.GroupsView.as_view(implemented=PROFILE["groups"])

scim = [
    _absent(r"^$", "root"),
    _absent(r"^\.search$", "search"),
    re_path(r"^Users/\.search$", views.UserSearchView.as_view(), name="users-search"),
    re_path(r"^Users(?:/(?P<uuid>[^/]+))?$", views.UsersView.as_view(), name="users"),
    _absent(r"^Groups/\.search$", "groups-search"),
    re_path(r"^Groups(?:/(?P<uuid>[^/]+))?$", _groups, name="groups"),
    _absent(r"^Me$", "me"),
    _absent(r"^ServiceProviderConfig$", "service-provider-config"),
    _absent(r"^ResourceTypes(?:/(?P<uuid>[^/]+))?$", "resource-types"),
    _absent(r"^Schemas(?:/(?P<uuid>[^/]+))?$", "schemas"),
    _absent(r"^Bulk$", "bulk"),
]

urlpatterns = [
    path("api/v1/server_settings", server_settings),
    path("login/", login),
    path("accounts/deactivated/", deactivated),
    path("scim/v2/", include((scim, "scim"), namespace="scim")),
]
