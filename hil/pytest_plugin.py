"""The pytest plugin: fly cases from a test, on the rig that the command line names.

`pytest --hil-rig rigs/kernel.toml` (or the environment variable HIL_RIG) names the rig; tests never do.
A test takes the fixture `fly` and calls `fly("nominal")`; what comes back is a `hil.rig.run.Run`.
Without a rig such tests are skipped with a reason; a rig that breaks ends the session with its cause.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hil.rig.run import Run

__all__ = ["fly", "hil_rig", "pytest_addoption"]

Fly = Callable[..., "Run"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the rig."""
    parser.getgroup("hil", "landing testbench").addoption(
        "--hil-rig", metavar="RIG", default=os.environ.get("HIL_RIG"), help="rig file to fly on (or HIL_RIG)"
    )


@pytest.fixture(scope="session")
def hil_rig(request: pytest.FixtureRequest) -> Path:
    """The rig file; skips the test when none is named."""
    rig = request.config.getoption("--hil-rig")
    if rig is None:
        pytest.skip("no rig: name one with --hil-rig RIG or HIL_RIG")
    return Path(rig)


@pytest.fixture
def fly(hil_rig: Path, tmp_path_factory: pytest.TempPathFactory) -> Fly:
    """Fly `fly(case, seed=None)` in lockstep on the rig; refuses a live rig."""
    from hil.files import FileError
    from hil.rig.arming import refuse_unarmed
    from hil.rig.plan import load_plan
    from hil.rig.run import run_flight
    from hil.signals import RigError

    def fly_case(case: str = "nominal", *, seed: int | None = None) -> Run:
        try:
            plan = load_plan(hil_rig, case)
            if plan.rig.live:
                raise refuse_unarmed(plan.rig)
            run = run_flight(
                plan,
                seed=plan.case.seed if seed is None else seed,
                pace="lockstep",
                run_dir=tmp_path_factory.mktemp(plan.case_name),
            )
        except (FileError, RigError) as error:
            pytest.exit(f"hil: {error}", returncode=3)
        if run.result["verdict"] == "ERROR":
            pytest.exit(f"hil: the rig broke: {run.cause}", returncode=3)
        return run

    return fly_case
