# SPDX-License-Identifier: Apache-2.0
"""Reads C++ well enough to measure it: code without comments and literals, and where functions begin and end.

It is no parser. It follows braces at declaration scope and decides from the text in front of each
whether it opens a scope (namespace, class), a function body, or data. clang-tidy has the last word
on functions (readability-function-size); this one is fast enough to run at every build.
"""
import re
from dataclasses import dataclass

LITERAL_OR_COMMENT = re.compile(
    r"""//[^\n]*(?:\\\n[^\n]*)*            # line comment
      | /\*.*?\*/                          # block comment
      | R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"   # raw string
      | "(?:\\.|[^"\\\n])*"                # string
      | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'  # character, but not the ' of 1'000
    """,
    re.VERBOSE | re.DOTALL,
)
PREPROCESSOR = re.compile(r"^[ \t]*#[^\n]*(?:\\\n[^\n]*)*", re.MULTILINE)
TOKEN = re.compile(r"[{}();]|[^\s{}();]+")
SCOPE_HEAD = re.compile(r"^(?:inline\s+)?namespace\b|^extern\s*\"|^(?:typedef\s+)?(?:class|struct|union|enum)\b")
TEMPLATE_PREFIX = re.compile(r"^(?:template\s*<.*?>\s*(?:requires\b.*?(?=class|struct))?)+(?=class|struct|union)")
FUNCTION_TAIL = re.compile(r"(?:\)|\]|\}|\b(?:const|noexcept|override|final|mutable|try|constexpr))\s*&{0,2}$")
CONTROL_WORD = re.compile(r"^(?:if|for|while|switch|do|else|catch)\b")
NAME_BEFORE_PARENTHESIS = re.compile(r"([~\w:]+|operator\s*[^\s\w(]{1,3})\s*\(")
TEST_MACRO = re.compile(r"^(\w*TEST\w*|RC_GTEST_\w+)\s*\(\s*(\w+)\s*,\s*(\w+)")


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int  # from the opening brace to the closing one, as clang-tidy counts them


def _blank(match):
    """Keeps line numbers: a literal becomes quotes, a comment nothing."""
    text = match.group(0)
    newlines = "\n" * text.count("\n")
    return (" " if text.startswith("/") else '""') + newlines


def code_only(text):
    """The source without comments, string contents and character literals; same line numbers."""
    return LITERAL_OR_COMMENT.sub(_blank, text)


def _is_function_head(head):
    head = re.sub(r"\s+", " ", head).strip()
    if CONTROL_WORD.match(head) or "(" not in head and not head.endswith("]"):
        return False
    if head.endswith("="):
        return False
    if re.search(r"\)[\w\s]*->[^=]*$", head):
        return True
    return bool(FUNCTION_TAIL.search(head))


def _is_scope_head(head):
    head = re.sub(r"\s+", " ", head).strip()
    head = TEMPLATE_PREFIX.sub("", head)
    if re.match(r"^(?:inline )?namespace\b|^extern\b\s*(?:\"\")?$", head):
        return True
    return bool(SCOPE_HEAD.match(head)) and not re.search(r"\)\s*(?:const|noexcept|override)?$", head)


def _name_of(head):
    head = re.sub(r"\s+", " ", head).strip()
    test = TEST_MACRO.match(head)
    if test:
        return f"{test.group(2)}.{test.group(3)}"
    plain, previous = re.sub(r"^template\s*", "", head), None
    while plain != previous:  # the arguments of templates, which may hold calls
        previous, plain = plain, re.sub(r"<[^<>]*>", "", plain)
    name = NAME_BEFORE_PARENTHESIS.search(plain)
    return name.group(1).strip() if name else head[:40]


def _is_member_initialiser(head):
    """`Foo(int a) : a_` in front of `{a}`: the body is still to come."""
    return bool(re.search(r"\)[^;{}]*:(?!:)[^;]*[\w>]$", head.strip())) and not _is_function_head(head)


class _Walker:
    def __init__(self, code):
        self.tokens = [(match.group(0), match.start()) for match in TOKEN.finditer(code)]
        self.code = code
        self.functions = []

    def line_at(self, position):
        return self.code.count("\n", 0, position) + 1

    def skip_block(self, index):
        """From an opening brace to behind its closing one."""
        depth = 0
        while index < len(self.tokens):
            token = self.tokens[index][0]
            depth += (token == "{") - (token == "}")
            index += 1
            if depth == 0:
                break
        return index

    def skip_parentheses(self, index):
        depth = 0
        while index < len(self.tokens):
            token = self.tokens[index][0]
            depth += (token == "(") - (token == ")")
            index += 1
            if depth == 0:
                break
        return index

    def text_between(self, first, last):
        if first >= last:
            return ""
        begin = self.tokens[first][1]
        end = self.tokens[last - 1][1] + len(self.tokens[last - 1][0])
        return self.code[begin:end]

    def brace(self, index, head_start):
        """Handles the `{` at index; gives the next index and the start of the next head."""
        head = re.sub(r"^(?:public|private|protected)\s*:\s*", "", self.text_between(head_start, index))
        if _is_scope_head(head):
            return index + 1, index + 1
        end = self.skip_block(index)
        if _is_member_initialiser(head):
            return end, head_start
        if _is_function_head(head):
            first = self.line_at(self.tokens[index][1])
            last = self.line_at(self.tokens[end - 1][1])
            self.functions.append(Function(_name_of(head), first, last - first))
            return end, end
        return end, head_start

    def walk(self):
        index = head_start = 0
        while index < len(self.tokens):
            token = self.tokens[index][0]
            if token == "(":
                index = self.skip_parentheses(index)
            elif token == "{":
                index, head_start = self.brace(index, head_start)
            else:
                index += 1
                if token in ";}":
                    head_start = index
        return self.functions


def functions(text):
    """The functions of a C++ file, outermost bodies only: a lambda counts towards the one around it."""
    return _Walker(PREPROCESSOR.sub(lambda m: "\n" * m.group(0).count("\n"), code_only(text))).walk()
