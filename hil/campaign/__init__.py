"""Many flights: tallies and what they prove."""

from hil.campaign.tally import Tally, success_bounds

__all__ = ["Tally", "success_bounds"]
