# SPDX-License-Identifier: GPL-3.0-or-later
"""Each of the zoo's web servers is wrong in the way that it says, and a good one is good."""

from __future__ import annotations

import email.utils
import gzip
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import lab_name
from labkit import client, names, netns, webzoo
from labkit.certificates import Authority, Validity
from labkit.lab import Lab
from labkit.webzoo import Zoo

NAME = "www.zoo.example"
HOUR = 3600.0


@pytest.fixture(scope="module")
def place() -> Iterator[Lab]:
    laboratory = Lab(lab_name("-zoo"))
    laboratory.up(tor=False)
    yield laboratory
    laboratory.down()


@pytest.fixture
def zoo(place: Lab, tmp_path: Path) -> Iterator[Zoo]:
    with Zoo(place, tmp_path / "authority") as made:
        yield made


def _flow(place: Lab, port: int) -> socket.socket:
    return netns.run_in(place.ns(names.GUEST), socket.create_connection,
                        (names.WEB_ADDRESS, port), client.SECONDS)  # fmt: skip


def _secret(place: Lab, zoo: Zoo, name: str = NAME) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(zoo.authority.root))
    return context.wrap_socket(_flow(place, 443), server_hostname=name)


def _get(flow: socket.socket, name: str = NAME, path: str = "/") -> http.client.HTTPResponse:
    flow.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(flow)
    answer.begin()
    return answer


def _offset(answer: http.client.HTTPResponse) -> float:
    said = email.utils.parsedate_to_datetime(answer.headers["Date"])
    return said.timestamp() - time.time()


@pytest.mark.parametrize("offset", [0.0, -HOUR, 24 * HOUR, -20 * 365 * 24 * HOUR])
@pytest.mark.parametrize("secret", [False, True])
def test_a_date_that_is_off(place: Lab, zoo: Zoo, offset: float, secret: bool) -> None:
    zoo[NAME] = webzoo.says_date(offset)
    answer = _get(_secret(place, zoo) if secret else _flow(place, 80))
    assert answer.status == 200 and abs(_offset(answer) - offset) < 60
    assert answer.read() == webzoo.BODY
    (visit,) = zoo.visits_of(NAME)
    assert visit.secret == secret and visit.source[0] == names.ROUTER_PUBLIC


def test_no_date_two_dates_garbage(place: Lab, zoo: Zoo) -> None:
    zoo[NAME] = webzoo.says()
    assert _get(_flow(place, 80)).headers["Date"] is None
    zoo[NAME] = webzoo.says("Date: the day before yesterday")
    assert _get(_flow(place, 80)).headers["Date"] == "the day before yesterday"
    zoo[NAME] = webzoo.says_dates(0, HOUR)
    assert len(_get(_flow(place, 80)).headers.get_all("Date") or []) == 2


@pytest.mark.parametrize(("validity", "code"), [
    (Validity.EXPIRED, 10), (Validity.NOT_YET, 9), (Validity.NOW, 0), (Validity.LONG, 0),
])  # fmt: skip
def test_certificates(place: Lab, zoo: Zoo, validity: Validity, code: int) -> None:
    """@code: as OpenSSL numbers what is wrong with a certificate."""
    zoo[NAME] = webzoo.says_date(), validity
    if code == 0:
        assert _get(_secret(place, zoo)).status == 200
        return
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        _secret(place, zoo)
    assert refused.value.verify_code == code
    assert zoo.visits == []


def test_certificates_of_others(place: Lab, zoo: Zoo, tmp_path: Path) -> None:
    zoo[NAME] = webzoo.says_date()
    zoo.show(NAME, zoo.authority, certified="other.zoo.example")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _secret(place, zoo)
    zoo.show(NAME, Authority(tmp_path / "stranger", "Stranger"))
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        _secret(place, zoo)
    with pytest.raises(OSError):  # a name that is not here
        _secret(place, zoo, "nobody.zoo.example")


def test_redirects_without_end(place: Lab, zoo: Zoo) -> None:
    zoo[NAME] = webzoo.redirects_for_ever()
    seen = set()
    path = "/"
    for _ in range(20):
        answer = _get(_flow(place, 80), path=path)
        assert answer.status == 302
        path = answer.headers["Location"].removeprefix(f"http://{NAME}")
        seen.add(path)
    assert len(seen) == 20
    zoo[NAME] = webzoo.redirects_to("http://192.168.1.1/")
    assert _get(_flow(place, 80)).headers["Location"] == "http://192.168.1.1/"


def test_floods(place: Lab, zoo: Zoo) -> None:
    for handler in (webzoo.floods_body, webzoo.floods_head):
        zoo[NAME] = handler
        with _flow(place, 80) as flow:
            flow.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
            count = 0
            while count < 16 << 20:
                count += len(flow.recv(1 << 20))


def test_slow_and_silent(place: Lab, zoo: Zoo) -> None:
    zoo[NAME] = webzoo.drips
    with _flow(place, 80) as flow:
        flow.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        pieces = [flow.recv(4096) for _ in range(10)]
    assert all(pieces) and len(b"".join(pieces)) < 100  # it is there, and has little to say
    zoo[NAME] = webzoo.says_nothing
    with _flow(place, 80) as flow:
        flow.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode())
        flow.settimeout(1.0)
        with pytest.raises(TimeoutError):
            flow.recv(1)


def test_a_gzip_bomb(place: Lab, zoo: Zoo) -> None:
    zoo[NAME] = webzoo.gzip_bomb(32)
    body = _get(_flow(place, 80)).read()
    assert len(body) < 1 << 20 and len(gzip.decompress(body)) == 32 << 20


def test_raw_bytes_and_unknown_names(place: Lab, zoo: Zoo) -> None:
    zoo[NAME] = webzoo.sends_raw(b"\x16\x03\x01nonsense")
    with pytest.raises(http.client.BadStatusLine):
        _get(_flow(place, 80))
    assert _get(_flow(place, 80), "nobody.zoo.example").status == 404


def test_without_the_zoo_the_web_server_is_as_always(place: Lab, tmp_path: Path) -> None:
    get = (client.http_get, names.WEB_ADDRESS)
    guest = place.ns(names.GUEST)
    with Zoo(place, tmp_path / "authority"), pytest.raises(ConnectionError):  # 404
        netns.run_in(guest, *get)
    assert netns.run_in(guest, *get).startswith(names.WEB_BODY_START)
