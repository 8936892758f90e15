"""`hil check`: look at a rig before anything flies."""

from __future__ import annotations

from pathlib import Path

from hil.rig.model import load_rig

__all__ = ["check_command"]


def check_command(path: Path, case: str | None = None) -> int:
    """Say what is real and what virtual, open everything, ask every board; RigError names what is wrong.

    With a case FileError says what of it the rig cannot fly.
    """
    rig = load_rig(path)
    if case is not None:
        from hil.rig.abilities import check_supported
        from hil.rig.plan import load_plan

        plan = load_plan(path, case)
        check_supported(rig, plan.case, "wall" if rig.live else "lockstep")
    from hil.rig.check import check_rig
    from hil.rig.lock import held

    print(f"rig {rig.name}{': live, can reach hardware' if rig.live else ''}")
    for name, board in rig.board.items():
        reality = "real" if board.backend == "hardware" else "virtual"
        engine = "" if board.node is None else f", engine {board.node}"
        print(f"  {name:<18} {reality:<8} {rig.rungs[name]}{engine}")
    with held(rig):
        for line in check_rig(rig):
            print(f"  {line}")
    if case is not None:
        print(f"  case {case}: every fault of it can be flown here")
    print("everything is there")
    return 0
