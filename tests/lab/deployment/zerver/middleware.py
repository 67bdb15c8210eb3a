"""Find the realm of a request and check its bearer token."""

import hmac
import re

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.urls import reverse
from django_scim.middleware import SCIMAuthCheckMiddleware
from zproject.config import PROFILE

from zerver import models, postgresql


def subdomain_of(host):
    """Return the realm's string_id for a Host header; "" for allowed hosts of no realm."""
    host = host.lower()
    if match := re.search(rf"\.{re.escape(settings.EXTERNAL_HOST)}(:\d+)?$", host):
        subdomain = host[: match.start()]
        return "" if subdomain in settings.ROOT_SUBDOMAIN_ALIASES else subdomain
    for subdomain, realm_host in settings.REALM_HOSTS.items():
        if _is(host, realm_host):
            return subdomain
    return ""


def _is(host, realm_host):
    return re.fullmatch(rf"{re.escape(realm_host)}(:\d+)?", host.lower()) is not None


class HostDomainMiddleware:
    """Answer 400 for an unknown host and 404 for a host without a realm.

    From 7.0 on, redirect if REALM_HOSTS has another host for the realm.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        host = request.get_host()  # raises DisallowedHost: 400
        postgresql.check()
        if not request.path.startswith("/api/"):
            request.subdomain = subdomain_of(host)
            request.realm = models.Realm.objects.filter(string_id=request.subdomain).first()
            if request.realm is None:
                return HttpResponseNotFound("<html><body>No organization found</body></html>\n")
            own = settings.REALM_HOSTS.get(request.subdomain)
            if own and PROFILE["redirects_to_realm_host"] and not _is(host, own):
                return HttpResponseRedirect(f"https://{own}{request.get_full_path()}")
        return self.get_response(request)


class SCIMClient:
    """The SCIM client of a request. From 6.0 on it is not a row of a table."""

    is_authenticated = True


class SCIMTokenMiddleware(SCIMAuthCheckMiddleware):
    """Require `Bearer`, one space and the exact token. Otherwise answer 401 without a body."""

    def process_request(self, request):
        """Return a 401, or None to continue. An incomplete entry raises, which becomes a 500."""
        if not request.path.startswith(reverse("scim:root")) or hasattr(request, "scim_config"):
            return None
        self.log_request(request)
        config = settings.SCIM_CONFIG.get(request.subdomain)
        if not config or not self._authorized(request, config):
            return HttpResponse(status=401)
        client = config["scim_client_name"]
        request.scim_client = f"scim-client:{client}:realm:{request.realm.id}"
        if PROFILE["registers_clients"]:
            models.SCIMClient.objects.get(realm=request.realm, name=config["scim_client_name"])
        request.user = SCIMClient()
        request.scim_config = config
        return None

    def _authorized(self, request, config):
        token = config.get("bearer_token")
        assert token, "an empty token would let everybody in"
        assert config.get("scim_client_name")
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())
