"""Workers that are stopped and replaced under load, as a release does it: everything is attempted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import own_database
from tests.proof.fleets import fleet, settled_well
from tests.s3_service import S3Service, s3_service

__all__ = ["s3_service"]

pytestmark = [pytest.mark.slow, pytest.mark.soak]

FAN = 300
PACE = 0.3


def test_each_worker_drains_and_its_successor_goes_on(
    external_postgres_url: str, rabbitmq_url: str, s3_service: S3Service, tmp_path: Path
) -> None:
    """They exit with 0, hand back what they had not begun, and count no crash."""
    with own_database(external_postgres_url) as database:
        environment = {"FACTFLOW_DATABASE_URL": database, "FACTFLOW_QUEUE_URL": rabbitmq_url}
        with fleet(tmp_path, s3_service, environment, fan=FAN, pace=PACE) as running:
            running.start()
            running.begin()
            for part in (1, 2):
                running.wait_until_done(part * FAN)
                running.start_worker()
                assert running.workers.pop(0).stop() == 0
            running.wait_until_ended()
            counted = settled_well(running)
            assert set(running.effects().recorded.values()) == {1}
    assert counted.redelivered == 0
