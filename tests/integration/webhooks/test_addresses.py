"""No word of a caller makes Shoal connect to where only it can reach: a listener on loopback counts who comes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.adapters.webhook_sending.posting import CheckedPoster
from shoald.application.ports.messengers import Post
from shoald.domain.failures import AddressRefused
from shoald.domain.network_addresses import networks_of
from support.webhook_receiver import Receiver, Reply

pytestmark = pytest.mark.integration

_INSIDE = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "0",
    "00.0.0.0",
    "\uff11\uff12\uff17.0.0.1",
    "127.0.0.\uff11",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[100::1]",
    "[3fff::1]",
    "[2001:10::1]",
    "[5f00::1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "printer.local",
    "db.internal",
    "kubernetes",
]

_CRAFTED = [
    "http://user@127.0.0.1/",
    "http://user:word@example.org/",
    "https://example.org@127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http://example.org /",
    "http://exam\tple.org/",
    "http://exam\nple.org/",
    "http://example.org\r\nHost: inside/",
    "http:///nowhere",
    "//example.org/",
    "example.org",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "http://example.org:99999/",
    "http://example.org:22/",
    "https://example.org:6379/",
    "http://[::1/",
    "http://[fe80::1%25lo]/",
    "https://" + "a" * 2000,
]


@dataclass
class Trap:
    """A listener that only counts."""

    port: int
    visits: list[str] = field(default_factory=list)


@pytest.fixture
def trap() -> Iterator[Trap]:
    with contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.create_server(("127.0.0.1", 0)))
        trap = Trap(listener.getsockname()[1])
        with contextlib.suppress(OSError):
            inner = open_ones.enter_context(socket.create_server(("::1", trap.port), family=socket.AF_INET6))
            threading.Thread(target=_count, args=[inner, trap], daemon=True).start()
        threading.Thread(target=_count, args=[listener, trap], daemon=True).start()
        yield trap


def _count(listener: socket.socket, trap: Trap) -> None:
    with contextlib.suppress(OSError):
        while True:
            visitor, (address, *_) = listener.accept()
            trap.visits.append(str(address))
            visitor.close()


def _post(url: str, seconds: float = 2.0) -> Post:
    return Post(url=url, headers={}, body=b"{}", timeout_seconds=seconds)


def test_no_spelling_of_an_inner_address_is_connected_to(trap: Trap) -> None:
    addresses = CheckedAddresses(ports=(80, 443, trap.port))
    poster = CheckedPoster(addresses)
    for host in _INSIDE:
        url = f"http://{host}:{trap.port}/"
        with pytest.raises(AddressRefused):
            addresses.check(url)
        assert not poster.send(_post(url)).was_taken, url
    assert len(_INSIDE) >= 60
    assert trap.visits == []


@pytest.mark.parametrize("url", _CRAFTED)
def test_urls_that_parsers_read_differently_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        CheckedAddresses().check(url)


def test_what_a_refusal_shows_of_a_url_has_no_password_in_it() -> None:
    with pytest.raises(AddressRefused) as refused:
        CheckedAddresses().check("http://ada:sesame@example.org/?token=sesame")
    assert "sesame" not in str(refused.value.detail) + refused.value.message


def test_a_name_that_means_something_else_a_moment_later_is_connected_to_where_it_was_checked(trap: Trap) -> None:
    answers = iter([["127.0.0.1"], ["192.0.2.1"]])
    asked = list[str]()

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    poster = CheckedPoster(CheckedAddresses(ports=(trap.port,), look_up=rebinding))
    reception = poster.send(_post(f"http://rebind.example.org:{trap.port}/"))
    assert reception.error is not None
    assert "not an address on the public internet" in reception.error
    assert trap.visits == []
    assert asked == ["rebind.example.org"]


def test_one_inner_address_among_several_is_enough_to_refuse_a_name(trap: Trap) -> None:
    poster = CheckedPoster(CheckedAddresses(ports=(trap.port,), look_up=lambda *_: ["93.184.215.14", "127.0.0.1"]))
    assert not poster.send(_post(f"http://two.example.org:{trap.port}/")).was_taken
    assert trap.visits == []


def test_networks_that_are_allowed_are_reached_by_the_address_that_was_checked(receiver: Receiver) -> None:
    addresses = CheckedAddresses(private=networks_of(["127.0.0.0/8"]), look_up=lambda *_: ["127.0.0.1"])
    port = receiver.url.rpartition(":")[2]
    reception = CheckedPoster(addresses).send(_post(f"http://inner.example.org:{port}/x"))
    assert (reception.status_code, reception.error) == (200, None)
    assert receiver.received[0].headers["host"] == f"inner.example.org:{port}"
    assert not _poster().send(_post(f"http://10.0.0.1:{port}/")).was_taken


def test_a_path_of_other_letters_is_written_as_a_browser_writes_it(receiver: Receiver) -> None:
    assert _poster().send(_post(f"{receiver.url}/é%20?q=ü&a=b")).was_taken
    assert receiver.received[0].path == "/%C3%A9%20?q=%C3%BC&a=b"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(307, {"Location": f"{receiver.url}/inside"})
    reception = _poster().send(_post(receiver.url))
    assert (reception.status_code, reception.was_taken) == (307, False)
    assert len(receiver.received) == 1


def test_an_answer_without_end_costs_no_more_than_the_time_out(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(200, {"Content-Length": "1000000"}, b"x" * 1000, drip_seconds=0.02)
    began = time.monotonic()
    reception = _poster().send(_post(receiver.url, 0.3))
    assert reception.status_code == 200  # what was read of it is enough to know that it was taken
    assert time.monotonic() - began < 5


def test_a_receiver_that_says_nothing_is_left(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(hold_seconds=30)
    assert _poster().send(_post(receiver.url, 0.2)).error == "no answer within 0.2 seconds"


def test_a_huge_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answer = lambda _: Reply(body=b"x" * (64 << 20))
    reception = _poster().send(_post(receiver.url, 10))
    assert reception.was_taken


def test_a_message_of_more_than_a_mebibyte_is_not_sent(receiver: Receiver) -> None:
    reception = _poster().send(Post(url=receiver.url, headers={}, body=b"x" * (1 << 21), timeout_seconds=1))
    assert not reception.was_taken
    assert receiver.received == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("9" * 5000, None),
        ("Wed, 21 Oct 2015 07:28:00 +" + "9" * 30, None),
    ],
)
def test_dates_and_seconds_say_when_to_come_again(receiver: Receiver, text: str, seconds: float | None) -> None:
    receiver.answer = lambda _: Reply(503, {"Retry-After": text})
    wait = _poster().send(_post(receiver.url)).retry_after
    assert (None if wait is None else wait.total_seconds()) == seconds


def _poster() -> CheckedPoster:
    return CheckedPoster(CheckedAddresses(private=networks_of(["127.0.0.0/8"])))


def test_a_message_that_is_too_long_is_not_tried_again(receiver: Receiver) -> None:
    long = Post(url=receiver.url, headers={}, body=b"x" * (2**20 + 1), timeout_seconds=2.0)
    reception = _poster().send(long)
    assert (reception.is_final, reception.status_code) == (True, None)
    assert receiver.received == []
