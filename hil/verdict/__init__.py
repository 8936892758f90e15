"""Requirements, criteria and metrics: what a recording proves, read from the tape and nothing else."""

from hil.verdict.judge import Judgement, judge
from hil.verdict.metrics import GUIDANCE_KEYS, TOUCHDOWN_KEYS
from hil.verdict.requirements import REQUIREMENTS, Requirement

__all__ = ["GUIDANCE_KEYS", "REQUIREMENTS", "TOUCHDOWN_KEYS", "Judgement", "Requirement", "judge"]
