"""What a scorecard asks the clairvoyant oracle."""

from __future__ import annotations

from hil.faults.case import Case
from hil.files import FileError
from hil.rig.plan import Plan
from hil.search.scorecard import Ruling

__all__ = ["ask_oracle"]


def ask_oracle(case: Case, plan: Plan) -> Ruling:
    """Return what the oracle says; raise FileError where it is not installed."""
    try:
        from hil.search.oracle import judge
    except ImportError as error:
        raise FileError(f"the oracle is not there ({error.name}): use --no-oracle") from None
    said = judge(case, plan.vehicle)
    return Ruling(said.verdict, said.clearing)
