"""Try a test user in a realm, as its identity provider would: create, change, deactivate.

Only an account that an earlier trial has made is used again: a person with this address must not be
renamed or deactivated. The account is deactivated at the end, also after an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from scimconf.fleet.verify import Answer, Asker
from scimconf.model import Check, Realm
from scimconf.sanitize import one_line
from scimconf.secret import Secret, redact
from scimconf.zulip import scim_user
from scimconf.zulip.answers import explain
from scimconf.zulip.keys import FIELD_MAP
from scimconf.zulip.scim_user import Request, User

NAME, CHANGED = "SCIM Test", "SCIM Test Changed"
"""The full names of the account. They show that a trial has made it."""
_VALUES = {
    **dict.fromkeys((1, 2, 7, 8), "scim-test"),  # short and long text, external account, pronouns
    4: "2000-01-31",  # date
    5: "https://example.com/",  # URL
}
"""Type of a custom profile field (zerver/models/custom_profile_fields.py) -> a value for it."""
_GOOD = (200, 201, 204)


class _FailedError(Exception):
    """A request did not get the answer that it needs."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.message)
        self.check = check


class Trial:
    """The test user of one realm."""

    def __init__(
        self,
        asker: Asker,
        token: Secret,
        email: str,
        fields: Mapping[str, int],
        interrupted: Callable[[], bool],
    ) -> None:
        """`fields`: variable name -> type of the realm's custom profile fields."""
        self.asker = asker
        self.realm: Realm = asker.realm
        self.token = token
        self.email = email
        self._fields = fields
        self._interrupted = interrupted
        self._user: User | None = None
        """The account, as soon as it is known to be ours."""
        self._may_exist = False
        """Whether Zulip may have created the account, although there was no good answer."""

    def run(self) -> Iterator[Check]:
        """Yield a check for each step. After a failed one, only the deactivation follows.

        After Ctrl-C, too.
        """
        try:
            for check in self._steps():
                yield check
                if self._interrupted():
                    break
        except _FailedError as failure:
            yield failure.check
        yield from self._off()

    def _steps(self) -> Iterator[Check]:
        """Create or reactivate the account, then rename it and fill its fields.

        Raises _FailedError.
        """
        user, made = self._made()
        yield made
        answer = self._send("change", scim_user.rename(self.realm, user, CHANGED))
        after = self._user = self._shown("change", user)
        if after.name != CHANGED:
            raise _FailedError(
                self._check(
                    "change",
                    "failed",
                    f"Zulip accepted the new name, but the user has the name {_quoted(after.name)}",
                    answer.status,
                    self._hint_about_names(),
                )
            )
        yield self._check("change", "ok", "the name was changed", answer.status)
        mapped = FIELD_MAP.value(self.realm)
        for attribute, variable in mapped.items() if isinstance(mapped, Mapping) else ():
            yield self._field(after, attribute, _VALUES.get(self._fields.get(variable, 1)))

    def _made(self) -> tuple[User, Check]:
        """Return the active account, and how it came about. Raises _FailedError."""
        answer = self._send("find", scim_user.find(self.email))
        users = scim_user.parse_list(answer.body)
        if users is None:
            raise self._nonsense("find", answer)
        if users:
            return self._taken(users[0], answer)
        self._may_exist = True
        answer = self._send("create", scim_user.create(self.realm, self.email, NAME))
        user = self._user = scim_user.parse(answer.body)
        if user is None:
            raise self._nonsense("create", answer)
        if user.name != NAME or not user.active:
            state = "" if user.active else ", deactivated"
            message = f"the new account has the name {_quoted(user.name)}{state}"
            check = self._check("create", "failed", message, answer.status)
            raise _FailedError(replace(check, hint=self._hint_about_names()))
        return user, self._check("create", "ok", "the account was created", answer.status)

    def _taken(self, user: User, answer: Answer) -> tuple[User, Check]:
        """Return the account of an earlier trial, activated again. Raises _FailedError."""
        if user.name not in (NAME, CHANGED) or user.email.lower() != self.email.lower():
            check = self._check(
                "find",
                "failed",
                "an account with this address exists, and no earlier run made it; it is unchanged",
                answer.status,
                "choose an address that nobody has",
            )
            raise _FailedError(check)
        self._user = user
        answer = self._send("create", scim_user.activate(self.realm, user))
        after = self._shown("create", user)
        if not after.active:
            message = "Zulip accepted the activation, but the account is still deactivated"
            raise _FailedError(self._check("create", "failed", message, None))
        if after.name == CHANGED:  # so that the change is a change
            self._send("create", scim_user.rename(self.realm, after, NAME))
            after = self._shown("create", user)
        message = "the account of an earlier trial was activated again"
        return after, self._check("create", "ok", message, answer.status)

    def _field(self, user: User, attribute: str, value: str | None) -> Check:
        """Write a mapped attribute, and look whether Zulip has it.

        `value`: None if the field takes only values that its administrator has chosen.
        """
        name = f"field {attribute}"
        if value is None:
            message = f"the attribute {attribute} was not tried: its field takes only chosen values"
            return self._check(name, "ok", message, None)
        try:
            answer = self._send(name, scim_user.set_attribute(self.realm, user, attribute, value))
            after = self._shown(name, user)
        except _FailedError as failure:
            return failure.check
        if after.values.get(attribute) != value:
            return self._check(name, "failed", "Zulip did not store the value", answer.status)
        return self._check(name, "ok", f"the attribute {attribute} was stored", answer.status)

    def _off(self) -> Iterator[Check]:
        """Deactivate the account, if there is one, and look whether it is deactivated."""
        try:
            user = self._user or self._left()
            if user is None:
                return
            answer = self._send("deactivate", scim_user.deactivate(self.realm, user))
            after = self._shown("deactivate", user)
        except _FailedError as failure:
            yield replace(
                failure.check,
                message=f"{failure.check.message}; the account {self.email} may still be active",
                hint=f"deactivate it in Zulip; {failure.check.hint}".rstrip("; "),
            )
            return
        if after.active:
            message = f"Zulip accepted the request, but the account {self.email} is still active"
            yield self._check("deactivate", "failed", message, answer.status)
        else:
            yield self._check("deactivate", "ok", "the account was deactivated", answer.status)

    def _left(self) -> User | None:
        """Return the account that Zulip created although its answer was bad; None if there is none.

        Raises _FailedError.
        """
        if not self._may_exist:
            return None
        answer = self._send("deactivate", scim_user.find(self.email))
        # A proxy that drops the query lists other users, too.
        users = scim_user.parse_list(answer.body) or ()
        return next((each for each in users if each.email.lower() == self.email.lower()), None)

    # --- one request ----------------------------------------------------------------------------

    def _asked(self, request: Request) -> Answer:
        return self.asker.send(self.token, request.method, request.path, request.body)

    def _send(self, step: str, request: Request) -> Answer:
        answer = self._asked(request)
        if answer.status not in _GOOD:
            raise _FailedError(self._trouble(step, answer))
        return answer

    def _shown(self, step: str, user: User) -> User:
        answer = self._send(step, scim_user.show(user.id))
        found = scim_user.parse(answer.body)
        if found is None or found.id != user.id:
            raise self._nonsense(step, answer)
        return found

    def _nonsense(self, step: str, answer: Answer) -> _FailedError:
        message = "the answer is not one of Zulip's SCIM API"
        hint = "check which program answers at this host name"
        return _FailedError(self._check(step, "failed", message, answer.status, hint))

    def _trouble(self, step: str, answer: Answer) -> Check:
        if answer.status is None:
            message = f"no answer: {answer.trouble}"
            return self._check(step, "failed", message, None, answer.hint)
        meaning, hint = {
            400: ("Zulip refused the request", self._hint_about_names()),
            409: (
                "Zulip has an account with this address, but does not find it",
                "before Zulip 6.0, upper and lower case must be the same; choose another address",
            ),
            501: (
                "Zulip does not implement this request of the identity provider",
                "see the warnings of plan for this realm (scimconf help warnings)",
            ),
        }.get(answer.status) or explain(answer.status)
        return self._check(step, "failed", f"{meaning}{_detail(answer)}", answer.status, hint)

    def _hint_about_names(self) -> str:
        now = str(self.realm.name_formatted_included).lower()
        return (
            f"{self.asker.preset.title} sends {self.asker.preset.names.value}; "
            f"name_formatted_included is {now} for this realm: check it"
        )

    def _check(
        self, step: str, result: str, message: str, status: int | None, hint: str = ""
    ) -> Check:
        return Check(
            self.realm.string_id,
            f"test user, {step}",
            result,  # type: ignore[arg-type]
            message,
            status,
            hint,
        )


def _detail(answer: Answer) -> str:
    """Return Zulip's explanation, in a form that can be shown."""
    text = one_line(redact(scim_user.detail(answer.body)), 200)
    return f": {text}" if text else ""


def _quoted(name: str) -> str:
    return repr(one_line(redact(name), 60))
