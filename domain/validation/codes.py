"""The stable codes of what validation can find: one table, which `docs/reference/finding-codes.md` repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means, and what to do about it when nothing more precise can be said."""

    meaning: str
    remediation: str


RULES: Mapping[str, Rule] = {
    "E001": Rule(
        "The text is not YAML.", "Correct the line named; quote text that begins with a special character."
    ),
    "E002": Rule("The file is too large.", "Keep data out of the config: let a route read it from storage."),
    "E003": Rule("A character is not allowed.", "Remove NUL, control characters and unpaired surrogates."),
    "E004": Rule("The file is empty.", "Write at least `version` and `routes`."),
    "E005": Rule(
        "The file holds more than one document.", "Keep one document per file; remove the `---` line."
    ),
    "E006": Rule(
        "A key stands twice in the same mapping.", "Keep one of the two; the first is the one that was read."
    ),
    "E007": Rule("A key is not text.", "Put the key in quotes."),
    "E008": Rule("An anchor, alias or merge key is used.", "Write the value out where it is needed."),
    "E009": Rule("A tag is used.", "Remove the tag; put a value in quotes to make it text."),
    "E010": Rule("The file is nested too deeply.", "Flatten the structure."),
    "E011": Rule(
        "The file holds too many values.", "Keep data out of the config: let a route read it from storage."
    ),
    "E012": Rule(
        "A number cannot be kept exactly.", "Use a finite number within 64 bits, or put it in quotes."
    ),
    "E013": Rule("A line is indented with a tab.", "Indent with spaces."),
    "E101": Rule("A value has the wrong type.", "Write the value in the form that the message names."),
    "E102": Rule("A required key is missing.", "Add the key."),
    "E103": Rule(
        "There is no pipeline adapter of that type.", "Use a type that the server lists under `adapters`."
    ),
    "E104": Rule("A key is not known.", "Remove the key, or correct its spelling."),
    "E105": Rule("The version is not supported.", 'Write `version: "1.0"`.'),
    "E106": Rule("Something that must not be empty is.", "Give it at least one entry or character."),
    "E107": Rule(
        "A route's id is not allowed.",
        "Use letters, digits, `_`, `-` and `.`; the id is part of storage keys.",
    ),
    "E108": Rule(
        "A pipeline adapter that collects messages is in a wrong place.",
        "Make it the first of its route, without a condition; put the condition on what sends to the route.",
    ),
    "E201": Rule(
        "A queue's name is not allowed.",
        "Use `/queue/name`, `/topic/name`, or letters, digits and `_ - . :` alone, at most 200 characters.",
    ),
    "E202": Rule(
        "Two routes consume the same queue.", "Give each route a queue of its own; fan out by `outbound`."
    ),
    "E203": Rule(
        "A topic is used where a queue is needed.",
        "Use a queue: a topic is a broadcast that reaches only who listens.",
    ),
    "E204": Rule("The init message names a route that is not there.", "Name one of the routes."),
    "E205": Rule("A route's dead letters come back to it.", "Name another `dead_letter_queue`."),
    "E301": Rule("A config field is not known.", "Remove the field, or correct its spelling."),
    "E302": Rule("A required config field is missing.", "Add the field."),
    "E303": Rule("A config field has a wrong value.", "Write a value that the pipeline adapter accepts."),
    "E401": Rule("A condition's operator is not known.", "Use one of the operators that the message names."),
    "E402": Rule(
        "A condition's pattern is not allowed.", "Correct the regular expression (Python's syntax)."
    ),
    "E403": Rule(
        "A condition's value does not fit its operator.", "Write a value of the type that the message names."
    ),
    "E404": Rule(
        "A condition's field is not a path.", "Join keys and list positions by dots, as in `items.0.url`."
    ),
    "E501": Rule("A limit is exceeded.", "Stay within the limit that the message names."),
    "W001": Rule(
        "A plain value is read differently by other YAML versions.", "Quote it, or write it plainly."
    ),
    "W101": Rule("The version is a number.", 'Put it in quotes: `version: "1.0"`.'),
    "W102": Rule("The version is newer than this server.", 'Write `version: "1.0"`, or update the server.'),
    "W201": Rule(
        "Nothing consumes a queue.", "Give a route this inbound queue, or remove the outbound entry."
    ),
    "W202": Rule("A route names an outbound queue twice.", "Keep one: a message goes to a queue once."),
    "W203": Rule(
        "What a route hears on a topic makes it say more on the same topic.",
        "Break the circle: with several executions it grows without end.",
    ),
    "W401": Rule(
        "A condition's pattern may take very long.", "Do not repeat what is itself repeated, as in `(a+)+`."
    ),
    "W501": Rule(
        "No message can reach the route.", "Send something to its inbound queue, or remove the route."
    ),
    "W502": Rule(
        "There is no init message.", "Add `init_message`: without one, only a replay brings messages."
    ),
    "W503": Rule("Further warnings are not shown.", "See to those that are shown, then validate again."),
}


def finding(
    code: str, path: str, message: str, *, line: int | None = None, remediation: str | None = None
) -> Finding:
    """A finding with its severity (the code's first letter) and, unless one is given, the code's own remediation."""
    severity = Severity.WARNING if code.startswith("W") else Severity.ERROR
    if remediation is None:
        remediation = RULES[code].remediation
    return Finding(
        severity=severity, code=code, path=path, message=message, remediation=remediation, line=line
    )
