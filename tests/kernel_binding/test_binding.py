"""Kernels of one's own: what fits flies, what does not is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.boards.config import kernel_config
from hil.boards.executables import flight_computer_executable
from hil.files import FileError
from hil.kernel import KernelRun, _kernel, interface, load_library, load_sources, places, reference_kernel
from hil.kernel.native_build import kernel_sources
from hil.kernel.places import check_built, source_root
from hil.kernel.toolchain import CompileError, Product, build
from hil.rig.model import KernelSpec
from hil.signals import RigError
from tests.seams.rigging import RIGS, RUNGS, VEHICLE, Stations, make_rig

MINIMAL = RIGS / "kernels" / "minimal" / "minimal.c"

SMALL = """
#include <math.h>
#include <string.h>
#include "fk_interface.h"
void fk_if_describe(fk_if_info_t *info) {
    const fk_if_info_t mine = {VERSION, 16, SIZE, sizeof(fk_if_output_t), sizeof(fk_if_config_t), WORK,
                               "small"};
    *info = mine;
}
int32_t fk_if_init(void *state, const fk_if_config_t *config) { (void)state; (void)config; return REFUSE; }
void STEP(void *state, const fk_if_input_t *in, fk_if_output_t *out) {
    (void)state;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 3; ++i) {
        out->engine[i].request = FK_IF_REQUEST_ARM;
        out->engine[i].ox_valve_cmd = COMMAND;
        out->engine[i].fuel_valve_cmd = 0.25;
        out->engine[i].gimbal_x_cmd_rad = 99.0;
    }
    (void)in;
}
"""


def small(folder: Path, **changes: str) -> Path:
    text = SMALL
    words = {
        "VERSION": "FK_IF_VERSION",
        "WORK": "0",
        "SIZE": "sizeof(fk_if_input_t)",
        "REFUSE": "0",
        "STEP": "fk_if_step",
        "COMMAND": "0.0",
    }
    for word, value in (words | changes).items():
        text = text.replace(word, value) if word != "VERSION" else text.replace("{VERSION", "{" + value)
    path = folder / "small.c"
    path.write_text(text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        load_sources("mine", (path,))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_kernel_without_a_function_is_refused(tmp_path: Path) -> None:
    assert refusal(small(tmp_path, STEP="fk_if_stepp")) == "kernel mine: does not define fk_if_step"


def test_a_kernel_of_another_version_is_refused(tmp_path: Path) -> None:
    text = refusal(small(tmp_path, VERSION="3"))
    assert text == "kernel mine: interface version 3, this bench speaks 2"


def test_a_kernel_with_other_structs_is_refused(tmp_path: Path) -> None:
    size = interface().sizeof("fk_if_input_t")
    text = refusal(small(tmp_path, SIZE="8"))
    assert text == f"kernel mine: its fk_if_input_t has 8 bytes, this bench's {size}"


def test_a_work_bound_that_telemetry_cannot_tell_from_more_is_refused(tmp_path: Path) -> None:
    text = refusal(small(tmp_path, WORK="65535"))
    assert text == "kernel mine: its work_bound is 65535 (allowed: 0 to 65534): count in larger units"
    assert load_sources("mine", (small(tmp_path, WORK="65534"),)).work_bound == 65534


def test_a_kernel_that_does_not_compile_is_refused_with_the_compilers_words(tmp_path: Path) -> None:
    text = refusal(small(tmp_path, COMMAND="no_such_thing"))
    assert text.startswith("kernel mine: does not compile: ")
    assert "no_such_thing" in text


def test_missing_files_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.c").endswith("none.c: no such file")
    with pytest.raises(FileError, match=r"none\.so: no such file"):
        load_library("mine", tmp_path / "none.so")
    (tmp_path / "bad.so").write_text("this is no library")
    with pytest.raises(FileError, match="kernel mine: cannot be loaded: "):
        load_library("mine", tmp_path / "bad.so")


@pytest.mark.parametrize("rung", RUNGS)
def test_a_kernel_that_refuses_its_configuration_is_told_alike_on_every_rung(
    rung: str, tmp_path: Path
) -> None:
    spec = KernelSpec(name="mine", sources=(str(small(tmp_path, REFUSE="7")),))
    with pytest.raises(FileError, match=r"^kernel mine: refused its configuration \(7\)$"):
        Stations(rung, rig=make_rig(rung, kernel=spec))


def test_no_compiler_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(RigError, match="no C compiler: 'no-such-compiler' is not on the path"):
        load_sources("mine", (small(tmp_path),))


def test_an_extension_module_of_other_sources_is_not_flown(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = kernel_sources(source_root())
    check_built("the reference kernel", _kernel, sources)
    monkeypatch.setattr(places, "digest_of", lambda root, names: "0" * 64)
    with pytest.raises(RigError, match="the reference kernel was built from other C sources"):
        check_built("the reference kernel", _kernel, sources)


def test_a_product_is_compiled_once_and_again_when_a_header_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.h").write_text("#define A 1\n")
    (tmp_path / "a.c").write_text('#include "a.h"\nint a(void) { return A; }\n')
    product = Product("a", (tmp_path / "a.c",), (tmp_path,), shared=True)
    first = build(product)
    stamp = first.stat().st_mtime_ns
    assert build(product) == first
    assert first.stat().st_mtime_ns == stamp
    (tmp_path / "a.h").write_text("#define A 2\n")
    assert build(product) != first
    (tmp_path / "a.h").write_text("#error no\n")
    with pytest.raises(CompileError, match="error"):
        build(product)
    assert sorted(p.suffix for p in (tmp_path / "cache" / "lastbrake").iterdir()) == [".so", ".so"]


def test_the_reference_kernel_and_the_example_run_by_themselves() -> None:
    config = kernel_config(VEHICLE, 0.01, initial_propellant_kg=9000.0)
    for kernel in (reference_kernel(), load_sources("minimal", (MINIMAL,))):
        run = KernelRun(kernel, config)
        run.input.nav.valid = run.input.nav.fresh = 1
        run.input.nav.q_pad_from_body[0] = 1.0
        run.input.nav.pos_pad_m[2] = run.input.nav.height_m = 4000.0
        run.input.nav.vel_pad_mps[2] = -320.0
        for k in range(20):
            run.input.t_ns = k * 10_000_000
            run.input.nav.valid_t_ns = run.input.t_ns
            run.step()
        assert run.output.engine[0].request == 1, f"{kernel.name} arms its engines"
        assert run.output.telemetry.mass_est_kg == pytest.approx(49000.0, rel=0.1)


@pytest.mark.parametrize("rung", ["kernel", "in_process", "process"])
def test_a_kernel_that_emits_nan_is_held_then_shut_down(rung: str, tmp_path: Path) -> None:
    command = "(in->t_ns < 100000000 ? 0.25 : NAN)"
    spec = KernelSpec(name="mine", sources=(str(small(tmp_path, COMMAND=command)),))
    with Stations(rung, rig=make_rig(rung, kernel=spec)) as stations:
        stations.turn(30)
        requests = [list(frame["command"]["request"]) for frame in stations.history]
        valves = [frame["command"]["ox_valve_cmd"][0] for frame in stations.history]
    assert requests[9:15] == [[1, 1, 1]] * 6, "the last good output is held for 50 ms"
    assert requests[15] == [4, 4, 4]
    assert valves[14] == 0.25
    assert valves[-1] == 0.0


@pytest.mark.parametrize("rung", ["kernel", "process"])
def test_what_a_kernel_asks_is_kept_in_range_and_rate(rung: str, tmp_path: Path) -> None:
    spec = KernelSpec(name="mine", sources=(str(small(tmp_path)),))
    with Stations(rung, rig=make_rig(rung, kernel=spec)) as stations:
        stations.turn(200)
        angles = [float(frame["command"]["gimbal_x_cmd_rad"][0]) for frame in stations.history]
    engine = VEHICLE.engine
    limit, rate = engine.gimbal_limit_deg / 57.29577951308232, engine.gimbal_rate_degps / 57.29577951308232
    assert max(angles) == pytest.approx(limit, abs=1e-4)
    steps = [b - a for a, b in zip([0.0, *angles], angles, strict=False)]
    assert max(steps) <= rate * 0.01 + 1.01e-4, "one count of rounding"


def test_a_library_flies_in_process_and_as_a_process(tmp_path: Path) -> None:
    sources = (small(tmp_path),)
    built = build(Product("kernel", sources, (RIGS.parent / "csrc",), shared=True))
    library = tmp_path / "libsmall.so"
    library.write_bytes(built.read_bytes())
    kernel = load_library("mine", library)
    assert kernel.label == "small"
    assert flight_computer_executable(kernel).is_file()
    seen = []
    for rung in ("kernel", "process"):
        spec = KernelSpec(name="mine", library=str(library))
        with Stations(rung, rig=make_rig(rung, kernel=spec)) as stations:
            stations.turn(10)
            seen.append(stations.history[-1].tobytes())
    assert seen[0] == seen[1]
