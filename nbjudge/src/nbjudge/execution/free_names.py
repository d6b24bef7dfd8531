"""Find the names that a cell may read from the cells around it, without parsing what a student wrote.

Python's own parser and compiler take memory, stack and time out of proportion to hostile text, and would do so in the
grader's process. Here each token is visited once: the time is linear in the text, and the depth is bounded. No name
that a cell can read at run time is missed; where the text is unclear, every word of it is returned.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from nbjudge.execution.name_analysis import AROUND_A_CELL, LOOK_AROUND

DEEPEST = 100  # nested brackets, lambdas or blocks; Python allows 200 brackets and 100 blocks
_LONGEST_NAME = 200  # characters; composing the accents of a longer one takes quadratic time
_KEPT_CHARACTERS = 10_000  # of a cell whose names are cached: most cells of a class are identical and short

# A cell that inspects a namespace may read any name that its text holds, in strings too.
_INSPECTS = LOOK_AROUND | {"user_ns", "f_globals", "f_locals", "currentframe", "_getframe", "__dict__", "__globals__"}
_INSPECTS |= {"__import__", "__builtins__"}

_NAME = r"[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*+"
_WORD = re.compile(_NAME)
_TOKEN = re.compile(
    rf"""(?P<blank>[ \t\f]++|\\\n|\#[^\n]*+)
    |(?P<newline>\n)
    |(?P<prefix>[A-Za-z]{{0,3}})(?P<string>\"\"\"|'''|"|')
    |(?P<name>{_NAME})
    |(?P<number>\.?[0-9][\w.]*+)
    |(?P<sign>\.\.\.|:=|->|[=!<>]=|\*\*|[^\s\w])""",
    re.VERBOSE,
)
_INDENT = re.compile(r"[ \t\f]*+")
_STRING_END = {
    quote: re.compile(rf"\\[\s\S]|{quote}" + "|\n" * (len(quote) == 1)) for quote in ("'", '"', "'''", '"""')
}
_FIELD_WORD = re.compile(rf"(?<![.\w\x80-\U0010ffff]){_NAME}")  # not the name of an attribute
_BRACE = re.compile(r"([{}])")
_FORMAT = re.compile(r"(?:![rsa])?(?::[-<>=^+#0-9.,_ ]{0,20}[bcdeEfFgGnosxX%]?)?\Z")
_KEYWORDS = frozenset(keyword.kwlist)
_OPENS_BLOCK = frozenset(
    ["async", "class", "def", "elif", "else", "except", "finally", "for", "if", "try", "while", "with"]
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")

_Token = tuple[str, str]  # its kind, which is "name", "keyword", "sign", "text" (words of which are read) or "other"


class _UnclearTextError(Exception):
    """The text cannot be followed as plain Python."""


def free_names(text: str) -> frozenset[str]:
    """Return the names that a cell may read, at once or in functions called later, without having bound them before."""
    return _cached_free_names(text) if len(text) <= _KEPT_CHARACTERS else _free_names(text)


@lru_cache(maxsize=4096)
def _cached_free_names(text: str) -> frozenset[str]:
    return _free_names(text)


def _free_names(text: str) -> frozenset[str]:
    python = AROUND_A_CELL.sub("", text, count=1) if text.lstrip()[:2] == "%%" else text
    if "__main__" in text:
        return _words(text)
    try:
        return frozenset(_Namespace().read(_statements(python)))
    except _UnclearTextError:
        return _words(text)


def _words(text: str) -> frozenset[str]:
    return frozenset(map(_normalize, _WORD.findall(text)))


def _normalize(name: str) -> str:
    """Return a name in the NFKC form in which Python compares identifiers."""
    return name if name.isascii() or len(name) > _LONGEST_NAME else unicodedata.normalize("NFKC", name)


# Statements: their indentation and their tokens


def _statements(text: str) -> Iterator[tuple[int, list[_Token]]]:  # noqa: C901  (one loop over tokens, for speed)
    """Yield (indentation, tokens) of each statement; in `if x: y = 1` there are two, the second indented by one more.

    Raises _UnclearTextError.
    """
    position, depth, lambdas, indent = 0, 0, 0, _indent(text, 0)
    tokens: list[_Token] = []
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise _UnclearTextError
        start, position = position, match.end()
        kind, token = str(match.lastgroup), match.group()
        if kind == "string":
            position, read = _string(text, position, match["prefix"], match["string"])
            tokens.append(("text", read))
        elif kind == "name":
            name = _normalize(token)
            if name in _INSPECTS or (name == "query" and tokens[-1:] == [("sign", ".")]):  # pandas reads "@name"
                raise _UnclearTextError
            lambdas += name == "lambda" and depth == 0
            tokens.append(("keyword" if name in _KEYWORDS else "name", name))
        elif kind == "number":
            tokens.append(("number", ""))
        elif kind == "newline" and depth == 0:
            yield indent, tokens
            tokens, lambdas, indent = [], 0, _indent(text, position)
        elif kind == "sign" and depth == 0 and token == ";":
            yield indent, tokens
            tokens, lambdas = [], 0
        elif kind == "sign" and depth == 0 and token == ":" and not lambdas and _opens_block(tokens):
            yield indent, tokens
            tokens, indent = [], indent + 1
        elif kind == "sign" and not tokens and token in ("%", "!"):  # a magic or shell command
            position = _end_of_line(text, position)
            tokens.append(("text", text[start:position]))
        elif kind == "sign":
            if _is_ipython_syntax(token, tokens):
                raise _UnclearTextError
            depth += (token in _OPENING) - (token in _CLOSING)
            lambdas -= token == ":" and depth == 0 and lambdas > 0
            tokens.append(("sign", token))
    yield indent, tokens


def _indent(text: str, position: int) -> int:
    blank = _INDENT.match(text, position)
    return len(blank.group().expandtabs()) if blank else 0


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _opens_block(tokens: list[_Token]) -> bool:
    return bool(tokens) and tokens[0][0] == "keyword" and tokens[0][1] in _OPENS_BLOCK


def _is_ipython_syntax(sign: str, before: list[_Token]) -> bool:
    """Return whether a sign, given the preceding tokens of its statement, is IPython syntax rather than Python."""
    if sign in ("?", "!", "$", "`"):
        return True
    return sign in (">", "/", ",") if not before else sign == "%" and before[-1] == ("sign", "=")


def _string(text: str, position: int, prefix: str, quote: str) -> tuple[int, str]:
    """Return where the string whose content begins at `position` ends, and the code in it, as in f"{x}".

    Raises _UnclearTextError for an unterminated string, and one that may continue after a quote within its braces.
    """
    for end in _STRING_END[quote].finditer(text, position):
        if end.group() == quote:
            content = text[position : end.start()]
            if not {"f", "t"} & set(prefix.lower()):
                return end.end(), ""
            if content.count("{") != content.count("}"):
                break
            return end.end(), _fields(content)
        if end.group() == "\n":
            break
    raise _UnclearTextError


def _fields(content: str) -> str:
    """Return the code in the braces of an f-string, without formats such as `:>8.3f`."""
    depth, code = 0, list[str]()
    for piece in _BRACE.split(content):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= depth > 0
        elif depth:
            code.append(_FORMAT.sub("", piece) if depth == 1 else piece)
    return " ".join(code)


# One statement: the names that it binds, and those that it reads


def _bindings(tokens: list[_Token]) -> tuple[set[str], list[_Token]]:
    """Return the names that a statement is certain to bind when it runs, and its remaining tokens."""
    verb = tokens[0][1] if tokens[0][0] == "keyword" else ""
    if verb == "async":
        return _bindings(tokens[1:]) if len(tokens) > 1 else (set(), [])
    if verb in ("def", "class"):
        return {name for kind, name in tokens[1:2] if kind == "name"}, tokens[2:]
    if verb in ("import", "from"):
        return _imported(tokens), []
    if verb in ("with", "except"):
        return _after_as(tokens)
    if verb == "for":
        head = list(_until(tokens[1:], ("keyword", "in")))
        targets = _targets(head)
        return targets, tokens[1 + len(head) if targets else 1 :]
    return _assigned(tokens)


def _assigned(tokens: list[_Token]) -> tuple[set[str], list[_Token]]:
    """Return the names of `a = b, c = value`, and the tokens of the value."""
    bound: set[str] = set()
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += (token[1] in _OPENING) - (token[1] in _CLOSING) if token[0] == "sign" else 0
        if token == ("sign", "=") and not depth:
            targets = _targets(tokens[start:index])
            if not targets:
                break
            bound, start = bound | targets, index + 1
    return bound, tokens[start:]


def _targets(tokens: list[_Token]) -> set[str]:
    """Return the names in `a, (b, *c)`; none if there is anything but names."""
    before = ("sign", "")
    for token in tokens:
        plain = token[0] == "name" if token[0] != "sign" else token[1] in ",*()[]"
        follows_value = before[0] == "name" or before[1] in _CLOSING
        if not plain or (follows_value and (token[0] == "name" or token[1] in _OPENING)):
            return set()
        before = token
    return {name for kind, name in tokens if kind == "name"}


def _imported(tokens: list[_Token]) -> set[str]:
    bound: set[str] = set()
    in_list = tokens[0][1] == "import"
    for index, token in enumerate(tokens):
        before, after = tokens[index - 1], tokens[index + 1] if index + 1 < len(tokens) else ("", "")
        if token == ("keyword", "import"):
            in_list = True
        elif in_list and token[0] == "name" and before != ("sign", ".") and after != ("keyword", "as"):
            bound.add(token[1])
    return bound


def _after_as(tokens: list[_Token]) -> tuple[set[str], list[_Token]]:
    """Return the names that are bound as in `with value as name`, and the other tokens."""
    bound: set[str] = set()
    read: list[_Token] = []
    for index, token in enumerate(tokens):
        after = tokens[index + 1] if index + 1 < len(tokens) else ("sign", ",")
        if token[0] == "name" and tokens[index - 1] == ("keyword", "as") and after[1] in (",", ")"):
            bound.add(token[1])
        else:
            read.append(token)
    return bound, read


def _until(tokens: Iterable[_Token], end: _Token) -> Iterator[_Token]:
    for token in tokens:
        if token == end:
            return
        yield token


@dataclass
class _Group:
    """A statement or a part of it: the content of a pair of brackets, or a lambda.

    state: "parameters" or "targets" where names are bound, "iterable" behind the first `in` of a comprehension
    outer: names that are read in the enclosing scope, whatever the group binds
    """

    kind: str = ""
    state: str = ""
    reads: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)
    targets: bool = False
    iterated: bool = False

    def read(self, names: Iterable[str]) -> None:
        (self.outer if self.state in ("iterable", "parameters") else self.reads).update(names)


class _Reader:
    """Collects the names that one statement reads; comprehensions and lambdas have scopes of their own."""

    def __init__(self, is_function: bool) -> None:
        self.groups = [_Group()]
        self.awaits_parameters = is_function  # in the first brackets
        self.parameters: set[str] = set()

    def read(self, tokens: list[_Token]) -> set[str]:
        """Return the names that are read. Raises _UnclearTextError."""
        following = [*tokens[1:], ("", "")]
        before = ("", "")
        for token, after in zip(tokens, following, strict=False):
            kind, text = token
            if kind == "text":
                self.groups[-1].read(map(_normalize, _FIELD_WORD.findall(text)))
            elif kind == "name" and before != ("sign", "."):
                self._name(text, before, after)
            elif kind == "keyword":
                self._keyword(text)
            elif kind == "sign":
                self._sign(text, before)
            before = token
        self._leave_lambdas()
        if len(self.groups) > 1:
            raise _UnclearTextError
        return (self.groups[0].reads | self.groups[0].outer) - _KEYWORDS

    def _name(self, name: str, before: _Token, after: _Token) -> None:
        group = self.groups[-1]
        is_parameter = group.state == "parameters" and before[1] in ("(", ",", "*", "**", "lambda")
        is_target = group.state == "targets" and after[1] not in (".", "(", "[")
        if is_parameter or is_target:
            group.bound.add(name)
        elif not (group.kind == "(" and before[1] in ("(", ",") and after == ("sign", "=")):  # f(name=...)
            group.read([name])

    def _keyword(self, word: str) -> None:
        group = self.groups[-1]
        if word == "lambda":
            self._enter(_Group("lambda", "parameters"))
        elif word == "for":
            self._leave_lambdas()
            self.groups[-1].state = "targets"
        elif word == "in" and group.state == "targets":
            group.state, group.iterated = "" if group.iterated else "iterable", True
        elif word == "if" and group.state == "iterable":
            group.state = ""

    def _sign(self, sign: str, before: _Token) -> None:
        group = self.groups[-1]
        if sign in _OPENING:
            follows_value = before[0] == "name" or before[1] in _CLOSING
            targets = group.state == "targets" and not follows_value
            state = "targets" if targets else "parameters" if self.awaits_parameters and sign == "(" else ""
            self.awaits_parameters = self.awaits_parameters and state != "parameters"
            self._enter(_Group(sign, state, targets=targets))
        elif sign in _CLOSING:
            self._leave_lambdas()
            self._leave()
        elif sign == "," or (sign == ":" and group.kind == "lambda" and not group.state):
            if group.state != "parameters":
                self._leave_lambdas()
        elif sign == ":" and group.kind == "lambda":
            group.state = ""

    def _enter(self, group: _Group) -> None:
        if len(self.groups) > DEEPEST:
            raise _UnclearTextError
        self.groups.append(group)

    def _leave_lambdas(self) -> None:
        while self.groups[-1].kind == "lambda":
            self._leave()

    def _leave(self) -> None:
        if len(self.groups) < 2:
            raise _UnclearTextError
        group = self.groups.pop()
        if group.targets:
            self.groups[-1].bound |= group.bound
            self.groups[-1].reads |= group.reads | group.outer
        elif group.kind == "(" and group.state == "parameters":
            self.parameters = group.bound
            self.groups[-1].read(group.reads | group.outer)
        else:
            self.groups[-1].read((group.reads - group.bound) | group.outer)


# All statements: names bound in a function are local to it, and names that the cell binds before reading are not free


@dataclass
class _Block:
    """Statements of the same indentation: of a "def", a "class", or a "suite" outside of functions.

    indent: that of the header line for a function or a class, and that of the statements for a suite
    """

    kind: str
    indent: int
    bound: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    first: int | None = None  # the indentation of a function's own statements
    ended: bool = False  # by a `raise` or `return` among them: what follows is never reached

    def add(self, indent: int, verb: list[str], reads: set[str], bound: set[str]) -> None:
        """Add a statement of a function or a class."""
        self.first = indent if self.first is None else self.first
        self.bound |= bound
        self.reads |= set() if self.ended else reads
        self.ended = self.ended or (verb in (["raise"], ["return"]) and indent == self.first)


class _Namespace:
    """Collects the free names of a cell, statement by statement."""

    def __init__(self) -> None:
        self.free: set[str] = set()
        self.declared: set[str] = set()  # global or nonlocal anywhere, so never treated as local
        self.functions: list[_Block] = []  # and classes
        self.suites: list[_Block] = []
        self.in_header: set[str] = set()  # bound by a `for` or `with`, for its body

    def read(self, statements: Iterable[tuple[int, list[_Token]]]) -> set[str]:
        """Return the names that are free. Raises _UnclearTextError."""
        for indent, tokens in statements:
            if tokens:
                self._leave_functions(indent)
                self._statement(indent, tokens)
        self._leave_functions(-1)
        return self.free

    def _statement(self, indent: int, tokens: list[_Token]) -> None:
        words = [text for kind, text in tokens[:2] if kind == "keyword"]
        if words[:1] in (["global"], ["nonlocal"]):
            self.declared.update(name for kind, name in tokens if kind == "name")
            return
        bound, remaining = _bindings(tokens)
        reader = _Reader("def" in words)
        reads = reader.read(remaining)
        self._enter_suite(indent)
        if self.functions:
            self.functions[-1].add(indent, words[:1], reads, bound)
        else:
            self.free |= reads.difference(*(suite.bound for suite in self.suites))
            if words[:1] in (["for"], ["with"], ["except"]) or words in (["async", "for"], ["async", "with"]):
                self.in_header = bound
            else:
                self.suites[-1].bound |= bound
        if "def" in words or words[:1] == ["class"]:
            if len(self.functions) > DEEPEST:
                raise _UnclearTextError
            kind = "def" if "def" in words else "class"
            self.functions.append(_Block(kind, indent, reader.parameters))

    def _enter_suite(self, indent: int) -> None:
        if self.functions:
            return
        while self.suites and self.suites[-1].indent > indent:
            self.suites.pop()
        if not self.suites or self.suites[-1].indent < indent:
            if len(self.suites) > DEEPEST:
                raise _UnclearTextError
            self.suites.append(_Block("suite", indent, self.in_header))
        self.in_header = set()

    def _leave_functions(self, indent: int) -> None:
        while self.functions and self.functions[-1].indent >= indent:
            block = self.functions.pop()
            reads = block.reads - (block.bound - self.declared) if block.kind == "def" else block.reads
            if self.functions:
                self.functions[-1].reads |= set() if self.functions[-1].ended else reads
            else:
                self.free |= reads  # another cell may rebind what this one has bound before the function is called
