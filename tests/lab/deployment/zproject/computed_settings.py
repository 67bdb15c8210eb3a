"""Settings that are computed from the configured ones."""

from . import configured_settings
from .config import LAB, get_secret

SECRET_KEY = get_secret("secret_key")
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
AUTH_USER_MODEL = "zerver.UserProfile"
INSTALLED_APPS = ["zerver"]
ROOT_URLCONF = "zproject.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": LAB["database"],
        "OPTIONS": {"timeout": 20},
    }
}

EXTERNAL_HOST_WITHOUT_PORT = configured_settings.EXTERNAL_HOST.split(":")[0]
ALLOWED_HOSTS = [
    "127.0.0.1",
    "localhost",
    *configured_settings.ALLOWED_HOSTS,
    EXTERNAL_HOST_WITHOUT_PORT,
    f".{EXTERNAL_HOST_WITHOUT_PORT}",
    *configured_settings.REALM_HOSTS.values(),
]

SERVER_LOG_PATH = f"{LAB['log']}/server.log"

MIDDLEWARE = [
    "zerver.request_log.LogRequests",
    "django.middleware.common.CommonMiddleware",
    "zerver.middleware.HostDomainMiddleware",
    "zerver.middleware.SCIMTokenMiddleware",
]

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]

SCIM_SERVICE_PROVIDER = {
    "NETLOC": configured_settings.EXTERNAL_HOST,
    "AUTHENTICATION_SCHEMES": [{"type": "bearer", "name": "Bearer"}],
    "AUTH_CHECK_MIDDLEWARE": "zerver.middleware.SCIMTokenMiddleware",
    "USER_ADAPTER": "zerver.scim.ZulipSCIMUser",
    "USER_FILTER_PARSER": "zerver.scim_filter.UserFilter",
    "GROUP_MODEL": "zerver.models.UserGroup",
    "GROUP_ADAPTER": "zerver.scim.ZulipSCIMGroup",
    "GROUP_FILTER_PARSER": "zerver.scim_filter.GroupFilter",
    "BASE_LOCATION_GETTER": "zerver.scim.base_location",
    "GET_EXTRA_MODEL_FILTER_KWARGS_GETTER": "zerver.scim.only_this_realm",
}

# server.log has a line for each request; logrotate may move it away (WatchedFileHandler).
# scim.log holds the path, method and body of every SCIM request, and no headers.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "timed": {"format": "%(asctime)s %(levelname)s [%(name)s] %(message)s"},
        "request": {
            "format": "%(asctime)s.%(msecs)03d %(levelname)s [zr] %(message)s",
            "datefmt": "%Y-%m-%d %H:%M:%S",
        },
    },
    "handlers": {
        name: {
            "class": "logging.FileHandler",
            "filename": f"{LAB['log']}/{name}.log",
            "formatter": "timed",
            "delay": True,
        }
        for name in ("scim", "errors")
    }
    | {
        "server": {
            "class": "logging.handlers.WatchedFileHandler",
            "filename": SERVER_LOG_PATH,
            "formatter": "request",
            "delay": True,
        }
    },
    "loggers": {
        "zulip.requests": {"level": "INFO", "handlers": ["server"], "propagate": False},
        "django_scim": {"level": "DEBUG", "handlers": ["scim"]},
        "django.request": {"level": "ERROR", "handlers": ["errors"], "propagate": False},
        "django.security": {"level": "ERROR", "handlers": ["errors"], "propagate": False},
    },
}
