"""Regular expressions that Python and Java read alike: contracts are checked by the one and rows by the other."""

import re

# One token each: a class, a group's beginning, an escape, a brace, any other character.
_TOKEN = re.compile(r"\[\^?(?:\\.|[^\]\\])*\]|\(\?(?:<[=!]|.)?|\\.|\{[^}]*\}?|.", re.DOTALL)
_SHARED_GROUP = re.compile(r"\(\?(?:[:=!>]|<[=!])")
_SHARED_ESCAPE = re.compile(r"\\[1-9dDsSwWbBAntrfxu\W_]")
_SHARED_BRACES = re.compile(r"\{\d+(?:,\d*)?\}")
_EMPTY_CLASSES = ("[]", "[^]")  # to Python the bracket is a member


def unlike_in_java(pattern: str) -> str | None:
    r"""Give the first part of a Python pattern that Java refuses or reads otherwise; None: there is none.

    Of what both have, `\d`, `\w` and `\s` are ASCII only in Java.
    """
    return next((token for token in _TOKEN.findall(pattern) if not _is_shared(token)), None)


def _is_shared(token: str) -> bool:
    if token.startswith("["):
        return token not in _EMPTY_CLASSES and _is_shared_class(token[1:-1])
    for opening, shared in (("(?", _SHARED_GROUP), ("\\", _SHARED_ESCAPE), ("{", _SHARED_BRACES)):
        if token.startswith(opening):
            return shared.match(token) is not None
    return True


def _is_shared_class(members: str) -> bool:
    escapes = re.findall(r"\\.", members, re.DOTALL)
    bare = re.sub(r"\\.", "", members, flags=re.DOTALL)
    has_operation = "[" in bare or "&&" in bare  # to Java a union and an intersection
    return not has_operation and all(_SHARED_ESCAPE.match(escape) for escape in escapes)
