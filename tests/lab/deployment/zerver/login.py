"""GET /login/: needs no login, and shows whether a realm exists and is active."""

from django.http import HttpResponse, HttpResponseRedirect


def login(request):
    """Return the login page, or a redirect if the realm is deactivated."""
    if request.realm.deactivated:
        return HttpResponseRedirect("/accounts/deactivated/")
    return HttpResponse("<html><body>Log in</body></html>\n")


def deactivated(request):
    """Return the page of a deactivated realm."""
    return HttpResponse("<html><body>This organization has been deactivated.</body></html>\n")
