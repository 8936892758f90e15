"""What a scorecard asks the clairvoyant oracle."""

from __future__ import annotations

from typing import Final

from hil.faults.case import Case
from hil.files import FileError
from hil.rig.plan import Plan
from hil.search.scorecard import Clearing, Ruling

__all__ = ["ask_oracle", "check_oracle"]

_CLEARING: Final[dict[str, Clearing]] = {"clear": "possible", "not clear": "not", "undecided": "undecided"}


def check_oracle() -> None:
    """Raise FileError where the oracle cannot be asked: better before thousands of flights than after."""
    try:
        import clarabel  # noqa: F401 - the oracle imports them where it needs them
        import scipy.sparse  # noqa: F401
    except ImportError as error:
        raise FileError(
            f"the oracle needs {error.name}: pip install 'lastbrake[test]', or score with --no-oracle"
        ) from None


def ask_oracle(case: Case, plan: Plan) -> Ruling:
    """Return what the oracle says of the very flight that a rig flies of `case`."""
    from hil.search.oracle import judge

    run_id = case.run_id or plan.case_name
    said = judge(case, plan.vehicle, seed=case.seed, run_id=run_id)
    if said.verdict != "unlandable":
        return Ruling(said.verdict, "undecided")
    clearing = said.clearing(case, plan.vehicle, seed=case.seed, run_id=run_id)
    return Ruling("unlandable", _CLEARING[clearing])
