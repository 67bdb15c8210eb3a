"""Read what Zulip has logged about SCIM requests. Only `status` loads this module.

server.log has a line for each request (docs/zulip.md, "Logs"):

    2026-11-28 17:02:36.648 INFO [zr] 127.0.0.1 GET 200 2ms (db: 0ms/1q) PATH (WHO via PROGRAM)

Whoever sends a request chooses PATH and PROGRAM, so both may contain text that looks like the end
of another line. Zulip writes everything before PATH, and WHO. A line is believed only if exactly
one place in it can be the start of `(WHO via PROGRAM)`.

Zulip does not escape a line break in PATH. Lines that show such a break are not believed. A path
that imitates whole lines, before and after the break, cannot be told from real lines.
"""

from __future__ import annotations

import calendar
import gzip
import hashlib
import os
import re
import stat
import time
import zlib
from collections import deque
from typing import BinaryIO, Callable, Deque, Iterator, List, NamedTuple, Optional

from scimconf.agent import files
from scimconf.agent.errors import AgentError

BYTES = 256 << 20
"""The most bytes that are read, of all files together, unpacked."""
SECONDS = 10.0
"""The most time for reading."""
_BLOCK = 1 << 20
_LONGEST = 64 << 10
"""The longest line, in bytes. nginx accepts paths and headers of 8 KB."""
_MOST_PACKED = 32 << 20
"""The most bytes of lines of one packed file that are kept: the newest ones."""

_SCIM = b" /scim/v2"
_ROTATED = re.compile(r"\.[0-9]{1,3}(\.gz)?")
_TIMESTAMP = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} ")
_PARTS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
_STAMP = 24
"""Bytes of a timestamp."""
_FIRST_TIMESTAMP = re.compile(rb"^" + _TIMESTAMP.pattern, re.MULTILINE)
_LINE = re.compile(
    rb"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\.(?P<ms>[0-9]{3}) "
    rb"INFO +(?:pid:[0-9]+ +)?\[zr(?::[0-9]+)?\] [0-9A-Fa-f:.]{2,45} +"
    rb"(?P<method>[A-Z]{1,20}) +(?P<status>[1-5][0-9]{2}) +"
    rb"-?[0-9.]+m?s(?: \((?:lp|mem|md|db|\+start): [^()]{1,60}\))*"
    rb" (?P<path>/scim/v2(?:/[^ ]*)?) .*\)",
    re.DOTALL,
)
_WHO = re.compile(rb" \(([^()]{1,300}?) via(?= )")
_CLIENT = re.compile(rb"scim-client:.+:realm:([0-9]{1,12})", re.DOTALL)
_NOBODY = re.compile(rb"unauth@([^ ]{1,255})")
_RESOURCE = re.compile(
    rb"/scim/v2/(Users|Groups|Me|Bulk|Schemas|ResourceTypes|ServiceProviderConfig)"
)


class Request(NamedTuple):
    """One SCIM request in the log."""

    at: float
    """Seconds since 1970."""
    status: int
    method: str
    resource: str
    """Such as "Users"; "" for any other path. The rest of the path may name a person."""
    realm_id: Optional[int]
    """The realm's id, if Zulip accepted the token."""
    realm: Optional[str]
    """The realm's subdomain, if it did not."""
    program: bytes
    """The hash of the name that the program gave itself: the name may have 8 KB."""


def parse(line: bytes) -> Optional[Request]:
    """Return the SCIM request of a line without its line break; None for any other line."""
    found = _LINE.fullmatch(line)
    if not found:
        return None
    who = list(_WHO.finditer(line, found.start("path")))
    if len(who) != 1:
        return None
    client, nobody = _CLIENT.fullmatch(who[0].group(1)), _NOBODY.fullmatch(who[0].group(1))
    at = _moment(found.group("time"))
    if at is None or not (client or nobody):
        return None
    resource = _RESOURCE.match(found.group("path"))
    realm = nobody.group(1).decode("ascii", "replace") if nobody else None
    return Request(
        at + int(found.group("ms")) / 1000,
        int(found.group("status")),
        found.group("method").decode("ascii"),
        resource.group(1).decode("ascii") if resource else "",
        int(client.group(1)) if client else None,
        "" if realm == "root" else realm,
        hashed(line[who[0].end() + 1 : -1]),
    )


def hashed(program: bytes) -> bytes:
    """Return what a Request has in place of the name of a program."""
    return hashlib.sha256(program).digest()[:16]


def _moment(text: bytes) -> Optional[float]:
    """Return the seconds since 1970 of a time in the log, which is in UTC.

    Return None for a time that is invalid, or before 1970: only a forged line can have it.
    """
    parts = [int(text[start:end]) for start, end in _PARTS]
    try:
        at = float(calendar.timegm(tuple(parts)))
    except ValueError:  # there is no such month
        return None
    return at if at >= 0 else None


class Log:
    """server.log and its rotated files, read from the newest line to the oldest."""

    def __init__(
        self,
        path: str,
        most: int = BYTES,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most`: bytes to read; `seconds`: time for reading."""
        self._path = path
        self._left = most
        self._clock = clock
        self._until = clock() + seconds
        self.oldest: Optional[float] = None
        """The time of the oldest line that was read; None: there is no line."""
        self.complete = True
        """False if a limit ended the reading, or if a rotated file could not be read."""

    def requests(self, enough: Callable[[float], bool]) -> Iterator[Request]:
        """Yield the SCIM requests from the newest to the oldest one.

        End if `enough(oldest)` is true; it is called after each block with the time of the oldest
        line so far. Raises AgentError if server.log itself cannot be read.
        """
        for path in self._files():
            read = self._packed if path.endswith(".gz") else self._plain
            try:
                for line in read(path):
                    if line is None:
                        if self.oldest is not None and enough(self.oldest):
                            return
                        continue
                    found = parse(line)
                    if found:
                        yield found
            except (OSError, EOFError, zlib.error) as error:
                self.complete = False
                if path == self._path:
                    raise _unreadable(path, error) from None
            if self._is_exhausted():
                self.complete = False
                return

    def skew(self) -> float:
        """Return the newest line's time minus the time when the file was written, in seconds.

        If it is not about 0, the times in the log are not UTC, or the clock was changed.
        """
        try:
            with _opened(self._path) as file:
                size, written = file.seek(0, os.SEEK_END), os.fstat(file.fileno()).st_mtime
                file.seek(max(0, size - _LONGEST))
                times = _FIRST_TIMESTAMP.findall(file.read(_LONGEST))
        except OSError as error:
            raise _unreadable(self._path, error) from None
        at = _moment(times[-1]) if times else None
        return 0.0 if at is None else at - written

    def _files(self) -> List[str]:
        """Return server.log and its rotated files, the newest first."""
        folder, name = os.path.split(self._path)
        try:
            rotated = [
                each
                for each in os.listdir(folder)
                if each.startswith(name) and _ROTATED.fullmatch(each[len(name) :])
            ]
        except OSError as error:
            raise _unreadable(folder, error) from None
        rotated.sort(key=lambda each: int(each[len(name) + 1 :].partition(".")[0]))
        return [self._path, *(os.path.join(folder, each) for each in rotated)]

    def _is_exhausted(self) -> bool:
        return self._left <= 0 or self._clock() >= self._until

    def _plain(self, path: str) -> Iterator[Optional[bytes]]:
        """Yield the lines with a SCIM path, the last one first, and None after each block."""
        with _opened(path) as file:
            end = file.seek(0, os.SEEK_END)
            head, after, is_last = b"", b"", True
            while end > 0 and not self._is_exhausted():
                start = max(0, end - _BLOCK)
                file.seek(start)
                data = file.read(end - start) + head
                self._left -= end - start
                end = start
                if is_last:  # a line that Zulip is still writing has no line break
                    data = data[: data.rfind(b"\n") + 1]
                    is_last = not data
                # The first line of the block may begin in the block before it.
                cut = data.find(b"\n") + 1 if start else 0
                whole, head = (data[cut:], data[:cut]) if cut or not start else (b"", data)
                yield from _lines(whole, after)
                self._note(whole)
                head, after = _bounded(head), whole[:_STAMP] or after
                yield None

    def _packed(self, path: str) -> Iterator[Optional[bytes]]:
        """Yield the same of a packed file. It can only be read from its beginning."""
        kept: Deque[bytes] = deque()
        size, begin, is_whole = 0, b"", True
        with _opened(path) as file, gzip.GzipFile(fileobj=file) as unpacked:
            rest = b""
            while not self._is_exhausted():
                block = unpacked.read(_BLOCK)
                if not block:
                    break
                self._left -= len(block)
                data = rest + block
                # The last complete line waits for the next block, which shows how it goes on.
                cut = data.rfind(b"\n", 0, max(0, data.rfind(b"\n"))) + 1
                whole, rest = data[:cut], _bounded(data[cut:])
                found = list(_lines(whole, rest[:_STAMP]))
                kept.extend(reversed(found))
                size += sum(map(len, found))
                while size > _MOST_PACKED:
                    size -= len(kept.popleft())
                    is_whole = False
                begin = begin or whole
            kept.extend(reversed(list(_lines(rest[: rest.rfind(b"\n") + 1], b""))))
        if not is_whole:
            self._left = 0  # older files would leave a gap
        self._note((begin or rest) if is_whole else kept[0])
        yield from reversed(kept)
        yield None

    def _note(self, data: bytes) -> None:
        first = _FIRST_TIMESTAMP.search(data)
        at = _moment(first.group()) if first else None
        if at is not None and (self.oldest is None or at < self.oldest):
            self.oldest = at


def _lines(data: bytes, after: bytes) -> Iterator[bytes]:
    """Yield the lines of `data` that have a SCIM path, without line breaks, the last one first.

    `after`: how the text after `data` begins. A line that is followed by anything but a new line of
    the log is a part of a path with a line break, so it is left out.
    """
    position = len(data)
    while True:
        position = data.rfind(_SCIM, 0, position)
        if position < 0:
            return
        start = data.rfind(b"\n", 0, position) + 1
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        following = data[end + 1 : end + 1 + _STAMP] or after
        if not following or _TIMESTAMP.match(following):
            yield data[start:end]
        position = start


def _bounded(part: bytes) -> bytes:
    """Return the part of a line, or something that is no line if it is too long."""
    return part if len(part) <= _LONGEST else b"\0"


def _opened(path: str) -> BinaryIO:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # reading a pipe would wait for its writer
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return open(descriptor, "rb")


def _unreadable(path: str, error: Exception) -> AgentError:
    if isinstance(error, FileNotFoundError):
        return AgentError(f"there is no {path}", "is this the server that answers the requests?")
    if isinstance(error, PermissionError):
        return AgentError(f"{files.user()} may not read {path}", "log in as zulip, or become it")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
    return AgentError(f"{path} cannot be read: {reason}")
