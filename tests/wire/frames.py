"""CAN frames for tests: drawn ones, and ones built to be long."""

from __future__ import annotations

from hypothesis import strategies as st

from hil.wire.canframe import EXTENDED, FD_LENGTHS, make_fd_frame, make_frame, make_remote_frame

__all__ = ["classical", "classical_data", "fd", "frames", "ids"]

_STUFFY = st.sampled_from([0x00, 0xFF, 0x0F, 0xF0, 0x1E, 0xE1, 0x3C, 0xC3, 0x78, 0x87, 0x1F, 0x83, 0x7C])
_BYTE = st.one_of(_STUFFY, st.integers(0, 255))
ids = st.one_of(
    st.sampled_from([0, 0x7FF, 0x078, 0x41, EXTENDED, EXTENDED | 0x1FFF_FFFF]),
    st.integers(0, 0x7FF),
    st.integers(0, 0x1FFF_FFFF).map(lambda number: number | EXTENDED),
)


def _data(length: int) -> st.SearchStrategy[bytes]:
    return st.lists(_BYTE, min_size=length, max_size=length).map(bytes)


classical_data = st.builds(make_frame, ids, st.integers(0, 8).flatmap(_data))
classical = st.one_of(classical_data, st.builds(make_remote_frame, ids, st.integers(0, 8)))
fd = st.builds(
    lambda can_id, data, switch, passive: make_fd_frame(
        can_id, data, bit_rate_switch=switch, error_state=passive
    ),
    ids,
    st.sampled_from(FD_LENGTHS).flatmap(_data),
    st.booleans(),
    st.booleans(),
)
frames = st.one_of(classical, fd)
