"""Whose question may rest on stored objects."""

from __future__ import annotations

from domain.access.errors import ScopeMissing
from domain.access.principal import Principal
from domain.access.scope import Action, Scope
from domain.chat.request import ChatRequest

READING_OBJECTS = Scope("storage", Action.READ)


def permitted(request: ChatRequest, principal: Principal) -> ChatRequest:
    """The request; raises ScopeMissing when it names stored objects and whoever asks may read none.

    What they hold is told with the answer, so asking about them is reading them.
    """
    if request.names_objects and not principal.may(READING_OBJECTS):
        raise ScopeMissing(str(READING_OBJECTS))
    return request
