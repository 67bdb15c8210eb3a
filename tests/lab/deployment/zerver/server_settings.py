"""GET /api/v1/server_settings: needs no login, and shows the Zulip version."""

from django.conf import settings
from django.http import JsonResponse
from version import ZULIP_VERSION
from zproject.config import PROFILE


def server_settings(request):
    """Answer with the version and the feature level."""
    return JsonResponse(
        {
            "result": "success",
            "msg": "",
            "zulip_version": ZULIP_VERSION,
            "zulip_feature_level": PROFILE["feature_level"],
            "push_notifications_enabled": False,
            "realm_uri": f"https://{settings.EXTERNAL_HOST}",
        }
    )
