"""One contract for every way that serial bytes can go: memory, pseudo-terminal, socket."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from hil.signals import RigError
from hil.wire.transport import LinkLost, MemoryTransport, PtyTransport, Transport, open_transport

ALL_BYTES = bytes(range(256))
PATIENCE_S = 5.0
"""Only a link that is broken needs so long."""


@dataclass
class Link:
    """A near end under test, and its far end in plain calls."""

    near: Transport
    far_read: Callable[[], bytes]
    far_write: Callable[[bytes], object]
    far_close: Callable[[], object]


def memory() -> Link:
    near, far = MemoryTransport.pair("imu")
    return Link(near, far.read, far.write, far.close)


def pty() -> Link:
    near = PtyTransport(115_200, "imu")

    def far_read() -> bytes:
        return os.read(near.master, 4096) if select.select([near.master], [], [], 0)[0] else b""

    return Link(near, far_read, lambda data: os.write(near.master, data), near.hand_over)


def over_socket() -> Link:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = open_transport(f"socket://127.0.0.1:{server.getsockname()[1]}", 115_200, "imu")
        far, _ = server.accept()

    def far_read() -> bytes:
        return far.recv(4096) if select.select([far], [], [], 0)[0] else b""

    return Link(near, far_read, far.sendall, far.close)


@pytest.fixture(params=[memory, pty, over_socket])
def link(request: pytest.FixtureRequest) -> Iterator[Link]:
    made: Link = request.param()
    yield made
    made.near.close()
    made.far_close()


def collected(read: Callable[[], bytes], size: int) -> bytes:
    got, end = b"", time.monotonic() + PATIENCE_S
    while len(got) < size and time.monotonic() < end:
        got += read()
    return got


def test_every_byte_goes_there_and_back(link: Link) -> None:
    link.near.write(ALL_BYTES)
    assert collected(link.far_read, 256) == ALL_BYTES
    link.far_write(ALL_BYTES[::-1])
    assert collected(link.near.read, 256) == ALL_BYTES[::-1]


def test_order_is_kept_over_many_small_writes(link: Link) -> None:
    for byte in ALL_BYTES:
        link.near.write(bytes([byte]))
    assert collected(link.far_read, 256) == ALL_BYTES


def test_reading_does_not_wait(link: Link) -> None:
    assert link.near.read() == b""
    link.near.write(b"")
    assert link.far_read() == b""


def test_a_link_whose_other_end_is_gone_says_so_in_one_line(link: Link) -> None:
    link.far_close()
    end = time.monotonic() + PATIENCE_S

    def use_it() -> None:
        while time.monotonic() < end:
            link.near.read()
            link.near.write(b"x")

    with pytest.raises(LinkLost, match=r"^serial\.imu: ") as lost:
        use_it()
    assert "\n" not in str(lost.value)
    assert isinstance(lost.value, RigError), "exit status 3"
    assert lost.value.link == "imu"


def test_a_break_may_be_asked_of_any_link(link: Link) -> None:
    link.near.set_break(True)
    link.near.set_break(False)
    link.near.write(b"after")
    assert collected(link.far_read, 5)[-5:] == b"after"


def test_the_other_end_sees_a_break() -> None:
    near, far = MemoryTransport.pair("imu")
    near.set_break(True)
    assert far.broken
    near.set_break(False)
    assert not far.broken


def test_closing_twice_is_no_error(link: Link) -> None:
    link.near.close()
    link.near.close()


def test_a_pty_that_nobody_reads_takes_what_fits_and_does_not_wait() -> None:
    link = PtyTransport(115_200, "imu")
    try:
        taken = [link.offer(bytes(4096)) for _ in range(64)]
        assert taken[0] > 0
        assert taken[-1] == 0, "it is full, and says so at once"
    finally:
        link.close()


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-path/none", "socket://127.0.0.1:1", "spy-not://x", "socket://"]
)
def test_a_port_that_does_not_open_is_named(port: str) -> None:
    with pytest.raises(RigError, match=r"^serial\.gnss: cannot open ") as refused:
        open_transport(port, 9_600, "gnss")
    assert port in str(refused.value)
    assert "\n" not in str(refused.value)
