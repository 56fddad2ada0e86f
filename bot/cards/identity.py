"""The custom ids of what can be pressed on a card: all that it needs, and a version.

Discord takes 100 characters; what does not fit is looked up by `lookup`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "limner1"
"""Raised when an id changes its meaning; what older cards carry then goes on being understood."""


def custom_id(verb: str, *parts: int | str) -> str:
    made = ":".join([VERSION, verb, *map(str, parts)])
    assert len(made) <= 100
    return made


def template(verb: str, *parts: str) -> str:
    """The pattern that reads such an id back; `parts` are patterns themselves."""
    return ":".join([VERSION, verb, *parts])


def names_job(custom_ids: Iterable[str], job_id: int) -> bool:
    """Whether a card with these ids is the finished card of a job."""
    return any(each.startswith(f"{VERSION}:again:{job_id}:") for each in custom_ids)


NUMBER = "[0-9]{1,20}"
FLAG = "[01]"
