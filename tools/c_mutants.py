"""Mutants of C source text: every way to change one token, or leave out one statement, from a fixed list.

Comments, texts and preprocessor lines are left alone, and so are the dimensions of arrays. The operators
are those of Mothra (King & Offutt, Softw. Pract. Exper. 21(7), 1991), as far as they make sense in C
without heap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Mutant", "mutants"]

TOKEN = re.compile(
    r"""(?P<gap>\s+|/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
      | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[uUlLfF]*)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign><<=|>>=|->|\+\+|--|&&|\|\||<<|>>|<=|>=|==|!=|\+=|-=|\*=|/=|&=|\|=|.)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
PAIRS = "+ -, - +, * /, / *, += -=, -= +=, *= /=, /= *=, & |, | &, &= |=, |= &=, << >>, >> <<"
SWAPS = dict(pair.split() for pair in PAIRS.split(", "))
"""Arithmetic operators and the signs of terms."""
RELATIONS = {
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "<=": ("<", ">"),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
}
"""The limit itself, and the other side."""
JOINS = {"&&": "||", "||": "&&"}
TYPES = {
    "double",
    "void",
    "char",
    "int",
    "const",
    "static",
    "restrict",
    "struct",
    "enum",
    "typedef",
    "inline",
}
STEERING = {
    "if",
    "for",
    "while",
    "switch",
    "do",
    "else",
    "case",
    "default",
    "return",
    "sizeof",
    "static_assert",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it begins."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change: `old` at offset `at` of a file becomes `new`."""

    file: str
    at: int
    old: str
    new: str
    operator: str
    line: int
    before: str
    """The line as it is, stripped; with the next one it names the mutant, wherever the line moves to."""
    after: str

    def apply(self, text: str) -> str:
        """Return the file's text with this change."""
        return text[: self.at] + self.new + text[self.at + len(self.old) :]


def tokens_of(code: str) -> list[Token]:
    """Return the tokens that count."""
    found = TOKEN.finditer(code)
    return [Token(str(m.lastgroup), m.group(), m.start()) for m in found if m.lastgroup != "gap"]


def is_type(token: Token) -> bool:
    """Tell whether a name is one of a type, or says something about one."""
    return token.text in TYPES or (token.kind == "name" and token.text.endswith("_t"))


def after_operand(tokens: list[Token], i: int) -> bool:
    """Tell whether what stands before token i is a value, so that a sign here joins two."""
    if i == 0:
        return False
    before = tokens[i - 1]
    if before.kind == "name":
        return not is_type(before) and before.text not in STEERING
    return before.kind == "number" or before.text in {")", "]"}


def in_dimension(tokens: list[Token], i: int) -> bool:
    """Tell whether token i stands in the dimension of a declared array, or of a pointer to arrays."""
    place = i
    while place > 0 and tokens[place].text not in {"[", ";", "{", "}", "("}:
        place -= 1
    while place > 0 and tokens[place].text == "[":
        place -= 1
        if tokens[place].text == "]":
            while tokens[place].text != "[":
                place -= 1
    if tokens[place].text == ")":
        return tokens[place - 1].text == "*" or tokens[place - 2].text == "*"
    declared = tokens[place].kind == "name" and place > 0 and tokens[place + 1].text == "["
    pointer = tokens[place - 1].text == "*" and is_type(tokens[place - 2])
    return declared and (is_type(tokens[place - 1]) or pointer)


def constants(text: str) -> list[str]:
    """Return what a number is changed to."""
    if re.search(r"[.eE]", text) and not text.lower().startswith("0x"):
        return [f"({text} * 1.1)", f"({text} * 0.9)"] if float(text) != 0.0 else ["1.0", "-1.0"]
    return [f"({text} + 1)", f"({text} - 1)"]


def token_changes(tokens: list[Token]) -> Iterator[tuple[int, str, str, str]]:
    """Yield (offset, old, new, operator) of every change of a single token."""
    for i, token in enumerate(tokens):
        text, at = token.text, token.at
        if token.kind == "number":
            if not in_dimension(tokens, i) and tokens[i - 1].text != "case":
                yield from ((at, text, new, "constant") for new in constants(text))
        elif token.kind != "sign":
            continue
        elif text in SWAPS and after_operand(tokens, i):
            yield at, text, SWAPS[text], "arithmetic"
        elif text in RELATIONS:
            yield from ((at, text, new, "relation") for new in RELATIONS[text])
        elif text in JOINS:
            yield at, text, JOINS[text], "logic"
        elif text == "!":
            yield at, text, "", "logic"
        elif text == "-":
            yield at, text, "", "sign"


def functions(tokens: list[Token]) -> Iterator[tuple[str, int, int]]:
    """Yield (type returned, index of its first brace, of its last) for each function."""
    start = i = 0
    while i < len(tokens):
        if tokens[i].text == ";":
            start = i + 1
        elif tokens[i].text == "{":
            last, depth = i, 1
            while depth:
                last += 1
                depth += {"{": 1, "}": -1}.get(tokens[last].text, 0)
            head = tokens[start:i]
            if head and head[-1].text == ")":
                yield next(t.text for t in head if t.text not in {"static", "inline", "const"}), i, last
            start, i = last + 1, last
        i += 1


def statement_end(tokens: list[Token], i: int) -> int:
    """Return the index of the semicolon that ends the statement at i."""
    depth = 0
    while tokens[i].text != ";" or depth:
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(tokens[i].text, 0)
        i += 1
    return i


def statement_changes(code: str, tokens: list[Token]) -> Iterator[tuple[int, str, str, str]]:
    """Yield every statement left out, and every returned value changed."""
    for kind, first, last in functions(tokens):
        begins, depth = False, 0
        for i in range(first, last):
            depth += {"(": 1, ")": -1}.get(tokens[i].text, 0)
            if begins:
                yield from changed_statement(code, tokens, i, kind)
            begins = depth == 0 and (i == first or begins_statement(tokens, i))


def changed_statement(
    code: str, tokens: list[Token], i: int, kind: str
) -> Iterator[tuple[int, str, str, str]]:
    """Yield the changes of the statement at token i, in a function that returns `kind`."""
    token = tokens[i]
    leads = token.text in STEERING - {"return"} or is_type(token)
    if leads or (token.kind != "name" and token.text != "*"):
        return
    old = code[token.at : tokens[statement_end(tokens, i)].at]
    value = old.removeprefix("return").strip() if token.text == "return" else ""
    if not value:
        yield token.at, old, "", "statement"
    elif kind in {"double", "int32_t"}:
        yield token.at, old, f"return {'-' if kind == 'double' else '!'}({value})", "return"


def begins_statement(tokens: list[Token], i: int) -> bool:
    """Tell whether a statement may follow token i; the brace of an initialiser is none that one follows."""
    text, before = tokens[i].text, tokens[i - 1]
    if text == "{":
        return before.text in {"else", "do"} or (before.text == ")" and not is_type(tokens[i - 2]))
    return text in {"}", ";", "else"} or ends_label(tokens, i)


def ends_label(tokens: list[Token], i: int) -> bool:
    """Tell whether token i is the colon after a case."""
    return tokens[i].text == ":" and (tokens[i - 1].text == "default" or tokens[i - 2].text == "case")


def mutants(file: str, code: str) -> list[Mutant]:
    """Return every mutant of a file's text, in the order of the text."""
    tokens = tokens_of(code)
    inside = [(tokens[first].at, tokens[last].at) for _, first, last in functions(tokens)]
    found = []
    for at, old, new, operator in (*token_changes(tokens), *statement_changes(code, tokens)):
        if any(first < at < last for first, last in inside):
            begin = code.rfind("\n", 0, at) + 1
            end = code.find("\n", at + len(old))
            before, after = code[begin:end], code[begin:at] + new + code[at + len(old) : end]
            line = code.count("\n", 0, at) + 1
            found.append(
                Mutant(file, at, old, new, operator, line, " ".join(before.split()), " ".join(after.split()))
            )
    return sorted(found)
