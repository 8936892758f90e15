"""The stack check: it adds up the worst path, and refuses what cannot be added up."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from check_stack import compiled, read_calls, worst_path  # noqa: E402 - the tools are no package

HEAD = "void use(volatile char *p);\nvoid start(int n);\n"
SMALL = "static __attribute__((noinline)) void small(void) { volatile char a[200]; use(a); }\n"
LARGE = "static __attribute__((noinline)) void large(void) { volatile char a[3000]; use(a); }\n"


def path_of(folder: Path, code: str) -> tuple[int, list[str]]:
    source = folder / "planted.c"
    source.write_text(HEAD + code)
    return worst_path(compiled("-O2", [source]), "start")


def test_the_deepest_path_is_summed(tmp_path: Path) -> None:
    one, _ = path_of(tmp_path, SMALL + "void start(int n) { if (n) small(); use(0); }\n")
    both, path = path_of(
        tmp_path, SMALL + LARGE + "void start(int n) { if (n) small(); else large(); use(0); }\n"
    )
    assert 200 < one < 500
    assert 3000 < both < 3300
    assert [name.rsplit(":", 1)[-1] for name in path[:2]] == ["start", "large"]
    chain = SMALL.replace("use(a);", "large(); use(a);")
    deep, _ = path_of(tmp_path, LARGE + chain + "void start(int n) { if (n) small(); use(0); }\n")
    assert deep > both + 200


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("void start(int n) { volatile char a[n + 1]; use(a); }\n", "the stack of start depends on data"),
        ("void start(int n) { if (n) { start(n - 1); use(0); } }\n", "recursion: start -> start"),
        (
            "void (*far)(void);\nvoid start(int n) { if (n) far(); use(0); }\n",
            "start calls through a pointer",
        ),
        ("void other(void) { use(0); }\n", "no function is called start"),
    ],
    ids=["array", "recursion", "pointer", "none"],
)
def test_what_cannot_be_added_up_is_an_error(tmp_path: Path, code: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        path_of(tmp_path, code)


def test_a_function_of_another_file_is_followed() -> None:
    here = """\
node: { title: "start" label: "start\\na.c:1:1\\n16 bytes (static)" }
node: { title: "other" label: "other\\nb.h:1:1" shape : ellipse }
edge: { sourcename: "start" targetname: "other" label: "a.c:2:1" }
"""
    there = 'node: { title: "other" label: "other\\nb.c:1:1\\n100 bytes (dynamic,bounded)" }'
    assert worst_path(read_calls([here, there]), "start") == (116, ["start", "other"])


def test_the_kernel_is_within_the_stack_that_its_header_states() -> None:
    stated = re.search(r"#define FK_STACK_BYTES_MAX (\d+)", (ROOT / "csrc" / "fk.h").read_text())
    assert stated is not None
    most, path = worst_path(compiled("-O2", sorted((ROOT / "csrc").glob("*.c"))), "fk_step")
    assert most <= int(stated[1])
    assert len(path) > 3
