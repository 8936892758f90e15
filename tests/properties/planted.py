"""Defects to plant in the kernel: one change of its text each, and the kernel that comes of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hil.kernel import Kernel
from hil.kernel.binding import load_sources
from hil.rig.model import KernelSpec

__all__ = ["BY_MODES", "DEFECTS", "Defect", "planted_kernel", "planted_sources", "planted_spec"]

CSRC: Final = Path(__file__).parents[2] / "csrc"


@dataclass(frozen=True, slots=True)
class Defect:
    """A slip that somebody could have made: `before` is in `file` once, and becomes `after`."""

    file: str
    before: str
    after: str


DEFECTS: Final = {
    "sign of the trim of a lost engine": Defect(
        "fk_alloc.c", "s.moment_y -= t * p[0];", "s.moment_y += t * p[0];"
    ),
    "stale plan flown after a loss": Defect(
        "fk_plan.c",
        "if (now_s < o->began_s || engines_failed(c, engine) > o->failed\n"
        "        || (before_landing && engines_counted_on(c, engine, modes) < o->engines)) {",
        "if (now_s < o->began_s) {",
    ),
    "failure forgotten": Defect(
        "fk_health.c",
        "    e->silent_frames = s->fresh ? 0 : e->silent_frames + 1;\n",
        "    e->silent_frames = s->fresh ? 0 : e->silent_frames + 1;\n"
        "    e->failed = e->failed && e->low_frames > 0;\n",
    ),
    "silent board noticed late": Defect(
        "fk_health.c", "#define SILENT_FRAMES 6 ", "#define SILENT_FRAMES 60 "
    ),
    "NaN let through": Defect(
        "fk_nav.c", "if (!(x[i] >= -bound && x[i] <= bound)) {", "if (x[i] < -bound || x[i] > bound) {"
    ),
    "wrong thrust floor": Defect(
        "fk_alloc.c",
        "EFFICIENCY_LEAST), e->throttle_floor, 1.0);",
        "EFFICIENCY_LEAST), 0.9 * e->throttle_floor, 1.0);",
    ),
    "gimbal sign of one axis after a loss": Defect(
        "fk_alloc.c",
        "const double y = (torque[0] - s.moment_x) / lever;",
        "const double y = (modes->share[1] && modes->share[2] ? 1 : -1) * (torque[0] - s.moment_x) / lever;",
    ),
    "steered to the wrong side": Defect(
        "fk_divert.c",
        "d->aside[0] = size > 1e-3 ? x / size : 1.0;",
        "d->aside[0] = size > 1e-3 ? -x / size : 1.0;",
    ),
    "dead engine asked for again": Defect(
        "fk_alloc.c",
        "if (e->failed || (e->stopped && !spare) ||",
        "if ((e->failed && modes->mode != FK_IF_TERMINAL) || (e->stopped && !spare) ||",
    ),
    "mass not updated": Defect(
        "fk_stage.c", "stage->mass_kg - flow * c->frame_s);", "stage->mass_kg - 0.0 * flow * c->frame_s);"
    ),
    "ignition one second late": Defect(
        "fk_modes.c", "plan->margin_s <= FK_IGNITION_SPARE_S;", "plan->margin_s <= FK_IGNITION_SPARE_S - 1.0;"
    ),
    "sign of the wind that was learnt": Defect(
        "fk_stage.c",
        "stage->missed_pad_mps2[i] = per_wind * stage->wind_pad_mps[i];",
        "stage->missed_pad_mps2[i] = -per_wind * stage->wind_pad_mps[i];",
    ),
    "healthy engines given up": Defect(
        "fk_health.c", "#define LOW_PRESSURE 0.70 ", "#define LOW_PRESSURE 0.97 "
    ),
    "weak engine noticed late": Defect("fk_health.c", "#define LOW_FRAMES 3 ", "#define LOW_FRAMES 30 "),
    "an old plan is followed": Defect(
        "fk_plan.c", "now_s - o->known_s > FRESH_S ||", "now_s - o->known_s > 30.0 * FRESH_S ||"
    ),
    "navigation is never lost": Defect(
        "fk_nav.c", "(nav->age_s > LOST_AFTER_S || ", "(nav->age_s > 50.0 * LOST_AFTER_S || "
    ),
    "a lost stage is never given up": Defect(
        "fk_divert.c", "#define GIVEN_UP_AFTER 5 ", "#define GIVEN_UP_AFTER 500000 "
    ),
    "keep-out not cleared": Defect(
        "fk_divert.c",
        "2.0 * (c->keep_out_radius_m + CLEARANCE_M - along)",
        "0.0 * (c->keep_out_radius_m + CLEARANCE_M - along)",
    ),
    "asked to run after the abort": Defect(
        "fk_alloc.c",
        "(e->stopped && !spare) || modes->mode >= FK_IF_TOUCHDOWN)",
        "(e->stopped && !spare) || (modes->mode >= FK_IF_TOUCHDOWN && modes->mode != FK_IF_ABORT))",
    ),
    "gimbal sign of one engine": Defect(
        "fk_alloc.c", "on ? fk_clamp(x - roll * p[1]", "on ? fk_clamp((i == 2 ? -x : x) - roll * p[1]"
    ),
    "time wraps after 16 s": Defect(
        "fk.c",
        "const double now_s = (double)in->t_ns * 1e-9;",
        "const double now_s = (double)((in->t_ns / 1000000) & 0x3FFF) * 1e-3;",
    ),
    "degrees in the trim": Defect(
        "fk_stage.c",
        "fk_scale(1.0 / (arm * stage->mass_kg), side_body, side_body);",
        "fk_scale(57.3 / (arm * stage->mass_kg), side_body, side_body);",
    ),
    "swapped gimbal axes of one engine": Defect(
        "fk_alloc.c", "on ? fk_clamp(x - roll * p[1]", "on ? fk_clamp((i == 1 ? y : x) - roll * p[1]"
    ),
    "tilt limit in degrees": Defect(
        "fk_guidance.c", "* c->tilt_limit_rad, 1.0)", "* c->tilt_limit_rad * 57.3, 1.0)"
    ),
    "silent frames are never forgotten": Defect(
        "fk_health.c",
        "e->silent_frames = s->fresh ? 0 : e->silent_frames + 1;",
        "e->silent_frames = s->fresh ? e->silent_frames : e->silent_frames + 1;",
    ),
    "frames of low pressure are never forgotten": Defect(
        "fk_health.c", "e->low_frames + 1 : 0;", "e->low_frames + 1 : e->low_frames;"
    ),
    "engines are never lit again": Defect(
        "fk_modes.c",
        "if (engine[i].spare && engine[i].state == FK_IF_ENGINE_ARMED) {",
        "if (engine[i].spare && engine[i].state == FK_IF_ENGINE_FAULT) {",
    ),
    "navigation is never doubted": Defect(
        "fk_nav.c", "if (wrong * wrong > most * most) {", "if (wrong * wrong > 1e9 * most * most) {"
    ),
    "an engine that does not obey is kept": Defect(
        "fk_health.c", "#define WILD_LOOKS 2", "#define WILD_LOOKS 2000"
    ),
    "a gimbal that does not follow is used": Defect(
        "fk_health.c", "#define LAME_S 0.3 ", "#define LAME_S 3e9 "
    ),
    "the abort is not latched": Defect(
        "fk_modes.c",
        "modes->mode != FK_IF_ABORT && (in->abort",
        "modes->mode == FK_IF_ABORT && !nav->lost) {\n        enter(modes, FK_IF_BRAKING);\n    }\n"
        "    if (modes->mode != FK_IF_ABORT && (in->abort",
    ),
    "the finish goes back to braking": Defect(
        "fk_modes.c",
        "    stop_weak(modes, engine, c, nav, plan);\n    pause",
        "    if (plan->needed_decel_mps2 > plan->most_decel_mps2) {\n"
        "        enter(modes, FK_IF_BRAKING);\n        return;\n    }\n"
        "    stop_weak(modes, engine, c, nav, plan);\n    pause",
    ),
    "the radar is never used": Defect(
        "fk_nav.c",
        "const int32_t radar = s->height_m < RADAR_HEIGHT_M;",
        "const int32_t radar = s->height_m < 0.0 * RADAR_HEIGHT_M;",
    ),
}
"""By what went wrong, in words."""

BY_MODES: Final = ("NaN let through", "navigation is never lost", "an old plan is followed")
"""Defects of what the kernel is told, which tests/properties/test_kernel_modes.py finds as well."""


def planted_sources(name: str, folder: Path) -> tuple[Path, ...]:
    """Copy the kernel into `folder` with a defect planted; return its sources."""
    defect = DEFECTS[name]
    for path in CSRC.glob("*.[ch]"):
        shutil.copy(path, folder / path.name)
    target = folder / defect.file
    text = target.read_text(encoding="utf-8")
    assert text.count(defect.before) == 1, (
        f"{name}: {defect.file} holds {text.count(defect.before)} times its text"
    )
    target.write_text(text.replace(defect.before, defect.after), encoding="utf-8")
    return tuple(sorted(folder.glob("*.c")))


def planted_spec(name: str, folder: Path) -> KernelSpec:
    """Return what a rig file says to fly the kernel with this defect."""
    sources = planted_sources(name, folder)
    return KernelSpec(name="planted", sources=tuple(map(str, sources)))


def planted_kernel(name: str, folder: Path) -> Kernel:
    """Return the kernel with this defect, compiled and loaded."""
    return load_sources("planted", planted_sources(name, folder))
