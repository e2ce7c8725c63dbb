"""Puts authentication together: keys, the doorkeeper, the audit log, and who looks after them."""

from __future__ import annotations

from typing import Any, NamedTuple

from application.access.audit import Audit
from application.access.care import AccessCare
from application.access.doorkeeper import Doorkeeper
from application.access.keys import Keys
from application.access.repeats import TAKEN_UP_SECONDS, Repeats
from domain.access.single_sign_on import SingleSignOn
from entrypoints.composition.adapters import Adapters
from entrypoints.settings import Settings


class AccessParts(NamedTuple):
    """The use-cases, and what works beside them."""

    keys: Keys
    doorkeeper: Doorkeeper
    audit: Audit
    repeats: Repeats
    care: AccessCare

    @property
    def use_cases(self) -> dict[str, Any]:
        """What `Application` has of it, by name."""
        return {
            "keys": self.keys,
            "doorkeeper": self.doorkeeper,
            "audit": self.audit,
            "repeats": self.repeats,
        }


def make_access(adapters: Adapters, settings: Settings) -> AccessParts:
    """Everything of access over these adapters, not yet at work."""
    keys, clock = adapters.api_keys(), adapters.clock()
    doorkeeper = Doorkeeper(
        keys=keys,
        clock=clock,
        sign_on=SingleSignOn(
            proxies=settings.trusted_proxies, scopes=settings.sso_scopes, group_scopes=settings.sso_groups
        ),
        requests_per_minute=settings.rate_limit_per_minute or None,
    )
    return AccessParts(
        keys=Keys(
            keys=keys,
            clock=clock,
            ids=adapters.ids(),
            environment=settings.key_environment,
            changed=doorkeeper.forget,
        ),
        doorkeeper=doorkeeper,
        audit=Audit(log=adapters.audit_log(), clock=clock),
        repeats=Repeats(
            records=adapters.idempotency_records(),
            clock=clock,
            taken_up_seconds=max(TAKEN_UP_SECONDS, 2 * settings.answer_timeout_seconds),
        ),
        care=AccessCare(doorkeeper=doorkeeper),
    )
