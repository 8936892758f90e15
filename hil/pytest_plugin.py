"""The pytest plugin: fly cases from a test, on the rig that the command line names.

`pytest --hil-rig rigs/kernel.toml` (or the environment variable HIL_RIG) names the rig; tests never do.
A test takes the fixture `fly` and calls `fly("nominal")`; what comes back is a `hil.rig.run.Run`.  The
fixture `rig` is the rig itself (`hil.rig.model.Rig`).  Without a rig such tests are skipped with a reason;
a rig that breaks ends the session with its first cause and exit status 3.

Markers: `hil_rung("virtual", ...)` and `hil_hardware` skip a test, with a reason, on a rig that is not of
that kind; `requirement("TD-MISS", ...)` puts the ids into the JUnit properties.  Hypothesis profiles `ci`,
`nightly` and `bench` (hil.search.profiles) are picked with `--hypothesis-profile`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from hil.faults.case import Case
    from hil.rig.arming import Arming
    from hil.rig.model import Rig
    from hil.rig.plan import Plan
    from hil.rig.run import Run

__all__ = [
    "fly", "hil_rig", "pytest_addoption", "pytest_configure", "pytest_runtest_setup", "pytest_sessionfinish",
    "pytest_testnodedown", "rig",
]  # fmt: skip

Fly = Callable[..., "Run"]

_BROKEN: Final = 3
_CAUSE: Final = "hil_broken"
_ENDED: Final = pytest.StashKey[str]()
_NO_RIG: Final = "no rig: name one with --hil-rig RIG or HIL_RIG"
_RUNGS: Final = {"virtual": "process", "bench": "hardware"}
"""Names by which rungs are known besides those of hil.rig.model.Rig.rungs."""
_KNOWN: Final = ("kernel", "in_process", "virtual", "process", "emulated", "bench", "hardware")
_MARKERS: Final = (
    f"hil_rung(*names): fly only on a rig with a board on one of these rungs ({', '.join(_KNOWN)})",
    "hil_hardware: fly only on a rig that can reach hardware",
    "requirement(*ids): what the test verifies; goes into the JUnit properties as `requirement`",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name the rig and how a live one is flown."""
    group = parser.getgroup("hil", "landing testbench")
    group.addoption(
        "--hil-rig", metavar="RIG", default=os.environ.get("HIL_RIG"), help="rig file to fly on (or HIL_RIG)"
    )
    group.addoption(
        "--hil-cold",
        action="store_true",
        help="fly a live rig with every drive inhibited; no test ever moves one (more than one flight needs "
        "interlock.many in the rig's file)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make markers known, and the profiles before Hypothesis' own plugin looks for one."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("--hypothesis-profile", None):
        from hil.search.profiles import register_profiles

        register_profiles()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the requirements of a test; skip it where the rig is not of the kind that it needs."""
    for mark in item.iter_markers("requirement"):
        item.user_properties += [("requirement", str(name)) for name in mark.args]
    wanted = [_rungs_of(mark, item) for mark in item.iter_markers("hil_rung")]
    hardware = item.get_closest_marker("hil_hardware") is not None
    if not wanted and not hardware:
        return
    path = item.config.getoption("--hil-rig")
    if path is None:
        pytest.skip(_NO_RIG)
    loaded = _load(Path(path), item.session)
    has = set(loaded.rungs.values())
    for names in wanted:
        if not has & {_RUNGS.get(name, name) for name in names}:
            pytest.skip(
                f"needs a board on {' or '.join(names)}; rig {loaded.name} has {', '.join(sorted(has))}"
            )
    if hardware and not loaded.live:
        pytest.skip(f"needs hardware; nothing in rig {loaded.name} can reach any")


def _rungs_of(mark: pytest.Mark, item: pytest.Item) -> tuple[str, ...]:
    unknown = [name for name in mark.args if name not in _KNOWN]
    if unknown or not mark.args:
        told = f"{', '.join(map(repr, unknown))}: no such rung" if unknown else "names no rung"
        raise pytest.UsageError(f"{item.nodeid}: hil_rung: {told} (there are: {', '.join(_KNOWN)})")
    return mark.args


def _end(session: pytest.Session, cause: str) -> NoReturn:
    """End the session because of its rig: exit status 3, and the cause told.

    A worker of pytest-xdist cannot end the session itself: it fails its test and hands the cause on.
    """
    told: dict[str, str] | None = getattr(session.config, "workeroutput", None)
    if told is None:
        pytest.exit(f"hil: {cause}", returncode=_BROKEN)
    told[_CAUSE] = cause
    session.shouldstop = f"hil: {cause}"
    pytest.fail(f"hil: {cause}", pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note the cause for which a worker ended."""
    cause = getattr(node, "workeroutput", {}).get(_CAUSE)
    if cause is not None:
        node.config.stash[_ENDED] = cause


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Exit with status 3 where a worker's rig broke."""
    if _ENDED in session.config.stash:
        session.exitstatus = _BROKEN


def _load(path: Path, session: pytest.Session) -> Rig:
    """Load the rig; a file that is no rig ends the session."""
    from hil.files import FileError
    from hil.rig.model import load_rig

    try:
        return load_rig(path)
    except FileError as error:
        _end(session, str(error))


@pytest.fixture(scope="session")
def hil_rig(request: pytest.FixtureRequest) -> Path:
    """The rig file; skips the test when none is named."""
    rig = request.config.getoption("--hil-rig")
    if rig is None:
        pytest.skip(_NO_RIG)
    return Path(rig)


@pytest.fixture(scope="session")
def rig(hil_rig: Path, request: pytest.FixtureRequest) -> Rig:
    """The rig that the command line names, as hil.rig.model.Rig."""
    return _load(hil_rig, request.session)


@pytest.fixture(scope="session")
def fly(rig: Rig, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fly:
    """Fly `fly(case, seed=None)` on the rig: a case by its name or path, or a hil.faults.case.Case.

    In lockstep; a live rig on the wall clock and only with --hil-cold.  A `Case` is one that was loaded and
    changed (`case.model_copy(update=...)`).  A case whose faults the rig does not support skips the test.
    """
    from hil.rig.run import run_flight
    from hil.signals import RigError

    cold = bool(request.config.getoption("--hil-cold"))
    flights = 0

    def fly_case(case: str | Path | Case = "nominal", *, seed: int | None = None) -> Run:
        nonlocal flights
        flights += 1
        plan = _plan(rig, case)
        try:
            run = run_flight(
                plan,
                seed=plan.case.seed if seed is None else seed,
                pace="wall" if rig.live else "lockstep",
                run_dir=tmp_path_factory.mktemp(plan.case_name),
                arming=_arming(rig, flights, cold=cold),
                cold=cold and rig.demands_enable,
            )
        except RigError as error:
            _end(request.session, str(error))
        if run.result["verdict"] == "ERROR":
            _end(request.session, f"the rig broke: {run.cause}")
        return run

    return fly_case


def _plan(rig: Rig, case: str | Path | Case) -> Plan:
    """Return what is to be flown; a bad case fails the test, one that the rig does not support skips it."""
    from hil.faults.case import vehicle_path
    from hil.faults.wrappers import check_faults
    from hil.files import FileError, NotSupported
    from hil.plant.vehicle import load_vehicle
    from hil.rig.abilities import check_supported
    from hil.rig.plan import load_plan

    try:
        if isinstance(case, str | Path):
            return load_plan(rig.path, str(case))
        plan = load_plan(rig.path, str(case.path))
        vehicle = load_vehicle(vehicle_path(case, rig.path))
        check_faults(case, list(rig.board), vehicle.landing_engines)
        check_supported(rig, case, "wall" if rig.live else "lockstep")
        return dataclasses.replace(plan, case=case, vehicle=vehicle)
    except NotSupported as error:
        pytest.skip(f"not supported: {error}")
    except FileError as error:
        pytest.fail(f"hil: {error}", pytrace=False)


def _arming(rig: Rig, flights: int, *, cold: bool) -> Arming | None:
    """Return the leave of a live rig: to run cold, or none; raise RigError where it has none."""
    from hil.rig.arming import Wish, arm

    return arm(rig, Wish(cold=cold and rig.live, flights=flights), lambda _: None)
