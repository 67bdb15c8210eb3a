"""GET /login/: open to everybody, tells whether an organisation is there, and in force."""

from django.http import HttpResponse, HttpResponseRedirect


def login(request):
    """Show the page; an organisation that is deactivated has a page of its own for that."""
    if request.realm.deactivated:
        return HttpResponseRedirect("/accounts/deactivated/")
    return HttpResponse("<html><body>Log in</body></html>\n")


def deactivated(request):
    """Say so."""
    return HttpResponse("<html><body>This organization has been deactivated.</body></html>\n")
