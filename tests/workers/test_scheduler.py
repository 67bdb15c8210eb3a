from __future__ import annotations

from pathlib import Path

import pytest

from scimconf.errors import UsageError
from scimconf.workers.scheduler import scheduler

A = Path("a")
TLS = (A, A, A)
NONE = (None, None, None)


@pytest.mark.parametrize("address", ["tls://dask.example.com:8786", "tls://[2001:db8::1]:8786"])
def test_tls_needs_three_files(address: str) -> None:
    assert scheduler(address, A, *TLS).uses_tls
    with pytest.raises(UsageError, match="needs --scheduler-ca, --scheduler-cert, --scheduler-key"):
        scheduler(address, A, *NONE)
    with pytest.raises(UsageError, match="needs --scheduler-key too"):
        scheduler(address, A, A, A, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert not scheduler(f"tcp://{host}:8786", A, *NONE).uses_tls
    with pytest.raises(UsageError, match="--scheduler-ca is for tls://"):
        scheduler(f"tcp://{host}:8786", A, *TLS)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "dask.example.com", "localhost.example.com", "0.0.0.0"]
)
def test_nothing_else_may_be_unencrypted(host: str) -> None:
    with pytest.raises(UsageError, match="not encrypted") as error:
        scheduler(f"tcp://{host}:8786", A, *NONE)
    assert f"tls://{host}:8786" in error.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "",
        "dask",
        "tls://dask",
        "tls://dask:0",
        "tls://dask:65536",
        "ws://dask:1",
        "tls://a b:1",
        "tls://user@dask:1",
        "tls://dask:1/x",
    ],
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UsageError, match="not the address of a scheduler"):
        scheduler(address, A, *TLS)


def test_zone_keys_are_needed() -> None:
    with pytest.raises(UsageError, match="needs the public keys"):
        scheduler("tls://dask:1", None, *TLS)
