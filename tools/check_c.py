"""The rules of the C sources that no compiler knows.

In the kernel: include wall, parts that do not call each other. In kernel, firmware and example kernels: no
heap, clock or printing, no mutable globals, no recursion, no endless loop, no function of libm that differs
between libraries. The ports alone may use the system. With --compile every source is compiled with the
project's warnings as errors, with --cross for the Cortex-M7.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FLAGS", "main", "rule_violations"]

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("csrc", "firmware_stubs", "rigs/kernels", "tests/fuzz")
HOSTED = ("firmware_stubs/port_host", "firmware_stubs/port_mps2_an500", "tests/fuzz")
"""Here the C meets the system: it may allocate, print to its own log and wait."""
CROSS = "firmware_stubs/port_mps2_an500"
"""Here it meets the Cortex-M7, and only a compiler for that can read it."""
CROSS_FLAGS = "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard".split()

FLAGS = (
    "-std=c11 -Wall -Wextra -Werror -pedantic -Wconversion -Wsign-conversion -Wdouble-promotion "
    "-Wfloat-equal -Wswitch-enum -Wvla -Wframe-larger-than=2048 -ffp-contract=off -O2"
).split()

KERNEL_HEADERS = {"fk.h", "fk_parts.h", "fk_math.h", "fk_interface.h"}
"""What any file of the kernel may include, besides the header of its own name."""
FREE_HEADERS = {"assert.h", "float.h", "limits.h", "math.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
"""Headers that exist without an operating system and hide no state."""
SHARED_PARTS = {"if", "math"}
"""fk_<part>_ functions that every part may call; only fk.c calls the rest."""
SIDEWAYS: dict[str, set[str]] = {
    "fk_ldl": {"problem"},
    "fk_socp": {"problem", "cone", "ldl"},
    "fk_descent": {"problem", "socp"},
    "fk": {"socp"},  # fk_t holds the optimiser's workspace
    "fk_plan": {"problem", "socp"},
    "fk_ignition": {"problem", "socp"},
}
"""Parts of the kernel that are built from others: file stem -> parts that it may include and call."""

POISON = (
    "assert malloc calloc realloc free alloca printf fprintf sprintf snprintf vprintf puts putchar "
    "scanf fopen time clock gettimeofday clock_gettime nanosleep sleep usleep rand srand random abort "
    "exit system getenv setjmp longjmp signal strtok asctime localtime"
).split()
"""Functions that nothing but the ports may call."""
UNLIKE = (
    "fmin fmax fma exp exp2 expm1 log log2 log10 log1p pow cbrt hypot sin cos tan asin acos atan atan2 "
    "sinh cosh tanh asinh acosh atanh erf erfc tgamma lgamma"
).split()
"""Functions of libm whose last bit, or sign of a zero, is up to the library."""

COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
"""A call by name; one through a struct's pointer is a seam and not followed."""
ENDLESS = re.compile(r"\bfor\s*\(\s*;\s*;|\bwhile\s*\(\s*(?:1|true)\s*\)")
KEYWORDS = {
    "if",
    "for",
    "while",
    "switch",
    "return",
    "sizeof",
    "do",
    "else",
    "case",
    "_Static_assert",
    "_Alignof",
}


def _blank(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n") + " "


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _without_directives(code: str) -> str:
    """Blank preprocessor lines, continuation lines with them."""
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", _blank, code, flags=re.MULTILINE)


def top_level(code: str) -> Iterator[tuple[int, str, str]]:
    """Yield (offset, head, body) of each thing at file level: `head` up to its `;` or `{`, body in braces."""
    start = at = 0
    while at < len(code):
        if code[at] == ";":
            yield start, code[start:at], ""
            start = at + 1
        elif code[at] == "{":
            end = _closing(code, at)
            yield start, code[start:at], code[at : end + 1]
            start = at = end
            start += 1
        at += 1


def _closing(code: str, at: int) -> int:
    """Return where the brace that opens at `at` closes."""
    depth = 0
    for place in range(at, len(code)):
        depth += {"{": 1, "}": -1}.get(code[place], 0)
        if depth == 0:
            return place
    return len(code) - 1


def _functions(code: str, stem: str) -> dict[str, set[str]]:
    """Return each function that the code defines, with what it calls; static ones are named file:function."""
    found, static = {}, set()
    for _, head, body in top_level(code):
        names = CALL.findall(head)
        if body and names and "=" not in head:
            found[names[0]] = set(CALL.findall(body)) - KEYWORDS
            static |= {names[0]} if re.search(r"\bstatic\b", head) else set()

    def full(name: str) -> str:
        return f"{stem}:{name}" if name in static else name

    return {full(name): {full(called) for called in calls} for name, calls in found.items()}


def _include_errors(path: Path, text: str) -> Iterator[tuple[int, str]]:
    in_kernel = path.relative_to(ROOT).parts[0] == "csrc"
    for match in INCLUDE.finditer(text):
        quote, name = match.groups()
        if quote == "<" and name not in FREE_HEADERS:
            yield (
                _line(text, match.start(2)),
                f"includes <{name}>: not one of {', '.join(sorted(FREE_HEADERS))}",
            )
        below = {f"fk_{part}.h" for part in SIDEWAYS.get(path.stem, set())}
        if quote == '"' and in_kernel and name not in KERNEL_HEADERS | below | {f"{path.stem}.h"}:
            yield (
                _line(text, match.start(2)),
                f'includes "{name}" sideways: parts exchange the structs of fk.h',
            )


def _call_errors(path: Path, functions: dict[str, set[str]]) -> Iterator[tuple[int, str]]:
    """Find parts of the kernel that call each other; fk.c alone knows their order."""
    if path.relative_to(ROOT).parts[0] != "csrc" or path.stem in {"fk", "fk_interface"}:
        return
    own = path.stem.removeprefix("fk_")
    allowed = SHARED_PARTS | SIDEWAYS.get(path.stem, set())
    stems = {file.stem.removeprefix("fk_") for file in path.parent.glob("fk_*.c")} - {own} - allowed
    for name, called in functions.items():
        for part in sorted(stems):
            for other in sorted(called):
                if other.startswith(f"fk_{part}_"):
                    yield 1, f"{name} calls {other} of fk_{part}.c: only fk.c calls the parts"


def _unlike_errors(path: Path, code: str) -> Iterator[tuple[int, str]]:
    """Find what would give other bits on another board; an example kernel may do so."""
    if path.relative_to(ROOT).parts[0] != "rigs":
        for match in re.finditer(rf"\b({'|'.join(UNLIKE)})f?\s*\(", code):
            yield _line(code, match.start()), f"{match.group(1)}: differs from one C library to another"


def _word_errors(code: str) -> Iterator[tuple[int, str]]:
    for match in re.finditer(rf"\b({'|'.join(POISON)})\s*\(|\b(goto|errno)\b", code):
        word = match.group(1) or match.group(2)
        yield _line(code, match.start()), f"{word}: no heap, clock, printing or jumps here"
    for match in ENDLESS.finditer(code):
        yield _line(code, match.start()), "endless loop: every loop is bounded by a compile-time constant"


def _state_errors(code: str) -> Iterator[tuple[int, str]]:
    """Find variables that outlive a call: at file level, or static in a function."""
    for offset, head, body in top_level(code):
        words = re.findall(r"\w+", head.split("=")[0])
        plain = not body or "=" in head
        shape = {"typedef", "extern", "const", "struct", "enum", "union", "_Static_assert"} & set(words)
        if plain and len(words) >= 2 and not shape and "(" not in head.split("=")[0]:
            yield _line(code, offset + len(head) - len(head.lstrip())), f"mutable global {words[-1]!r}"
        for match in re.finditer(r"\bstatic\b(?!\s+(?:const|inline)\b)[^;(]*[;=]", body):
            yield _line(code, offset + len(head) + match.start()), "static variable in a function"


def _cycle(functions: dict[str, set[str]]) -> list[str] | None:
    """Return one chain of calls that comes back to where it began, None when there is none."""
    done: set[str] = set()

    def follow(name: str, chain: list[str]) -> list[str] | None:
        if name in chain:
            return [*chain[chain.index(name) :], name]
        if name in done or name not in functions:
            return None
        for called in sorted(functions[name]):
            found = follow(called, [*chain, name])
            if found:
                return found
        done.add(name)
        return None

    return next((found for name in sorted(functions) if (found := follow(name, []))), None)


def sources(pattern: str) -> list[Path]:
    """Return the C files that people write, sorted; generated ones name themselves so."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob(pattern))
    return sorted(path for path in found if "generated" not in str(path))


def _hosted(path: Path) -> bool:
    return str(path.relative_to(ROOT)).startswith(HOSTED)


def rule_violations() -> list[str]:
    """Return one line for each broken rule, in the order of the files."""
    lines, calls = [], {}
    for path in sources("*.[ch]"):
        if _hosted(path):
            continue
        text = path.read_text(encoding="utf-8")
        bare = COMMENT_OR_TEXT.sub(_blank, text)
        code = _without_directives(bare)
        functions = _functions(code, path.stem)
        calls.update(functions)
        errors = [
            *_include_errors(path, text),
            *_call_errors(path, functions),
            *_word_errors(bare),
            *_unlike_errors(path, bare),
            *_state_errors(code),
        ]
        lines += [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in sorted(errors)]
    cycle = _cycle(calls)
    return lines + ([f"recursion: {' -> '.join(cycle)}"] if cycle else [])


def compile_errors(*, cross: bool = False) -> list[str]:
    """Compile the sources with the project's flags; return what the compiler says.

    `cross`: for the Cortex-M7, all that runs there; else for this machine, all but the port of the former.
    """
    includes = sorted(
        {f"-I{path.parent}" for path in sources("*.h")} | {f"-I{p.parent}" for p in _generated_headers()}
    )
    compiler = ["arm-none-eabi-gcc", *CROSS_FLAGS] if cross else ["gcc"]
    said = []
    for path in sources("*.c"):
        if not _compiles(str(path.relative_to(ROOT)), cross=cross):
            continue
        command = [*compiler, *FLAGS, *includes, "-c", str(path), "-o", "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said.append(done.stderr.replace(f"{ROOT}/", ""))
    return said


def _compiles(name: str, *, cross: bool) -> bool:
    """Tell whether a source is for the Cortex-M7 (`cross`) or for this machine; port_memory.c is for both."""
    if name.startswith(CROSS):
        return cross
    return not cross or not name.startswith(HOSTED) or name.endswith("/port_memory.c")


def _generated_headers() -> list[Path]:
    return [path for path in (ROOT / "firmware_stubs").rglob("*.h") if "generated" in str(path)]


def main() -> int:
    """Print every violation; 0 when there is none."""
    compiling = {"--compile", "--cross"} & set(sys.argv[1:])
    found = compile_errors(cross="--cross" in compiling) if compiling else rule_violations()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
