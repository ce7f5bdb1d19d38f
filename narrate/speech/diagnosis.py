"""What can be found out about an installation: a finding, how it stands, and the rules for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from narrate.speech.machine import Machine

__all__ = ["Diagnosis", "Rule", "Status", "diagnose"]


class Status(StrEnum):
    """`NOTE` is something that does without; `BROKEN` must be put right."""

    OK = "ok"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding: of what, how it stands, what was found, and what to do where it is not ok."""

    subject: str
    status: Status
    found: str
    advice: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of a subject `when` something holds of the machine."""

    subject: str
    when: Callable[[Machine], bool]
    status: Status
    found: Callable[[Machine], str]
    advice: Callable[[Machine], str] = lambda _: ""


def diagnose(machine: Machine, rules: Sequence[Rule]) -> tuple[Diagnosis, ...]:
    """Give the finding of each subject, in the order of the table.

    Of the rules of one subject the first that holds speaks; a subject of which none holds is left
    out.
    """
    found: dict[str, Diagnosis] = {}
    for rule in rules:
        if rule.subject not in found and rule.when(machine):
            found[rule.subject] = Diagnosis(
                rule.subject, rule.status, rule.found(machine), rule.advice(machine)
            )
    return tuple(found.values())
