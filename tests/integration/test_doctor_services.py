"""The doctor and the services of the settings: what it says of them, and that it leaves nothing behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from entrypoints.cli import doctor
from entrypoints.cli.machine import Check, State
from entrypoints.cli.services import services
from entrypoints.settings import Settings
from tests.databases import named, own_database
from tests.s3_service import S3Service, new_bucket, remove_bucket, s3_service

__all__ = ["s3_service"]

pytestmark = pytest.mark.slow

TRACES = """
    SELECT to_regclass('schema_migration') IS NOT NULL, (SELECT count(*) FROM pg_extension WHERE extname = 'vector')
"""


@pytest.fixture
def bucket(s3_service: S3Service) -> Iterator[str]:
    """An empty bucket that the storage has not opened yet."""
    name = new_bucket()
    s3_service.client.create_bucket(Bucket=name)
    yield name
    remove_bucket(s3_service, name)


def stored_in(service: S3Service, bucket: str) -> dict[str, str]:
    """The variables of a storage in that bucket."""
    return {
        "FACTFLOW_STORAGE_URL": f"s3://{bucket}/factflow",
        "FACTFLOW_STORAGE_ENDPOINT": service.url,
        "FACTFLOW_STORAGE_REGION": "us-east-1",
        "FACTFLOW_STORAGE_ACCESS_KEY": service.access_key,
        "FACTFLOW_STORAGE_SECRET_KEY": service.secret_key,
    }


def by_name(checks: object) -> dict[str, Check]:
    assert isinstance(checks, (list, tuple))
    return {check.name: check for check in checks}


def test_a_production_setting_that_is_right_is_well(
    postgres_url: str, rabbitmq_url: str, s3_service: S3Service, bucket: str, tmp_path: Path
) -> None:
    """Each service is asked, nothing is left in any, and what only an embedded server needs is not looked for."""
    with own_database(postgres_url, template="template0") as url:
        environment = {
            "FACTFLOW_DATABASE_URL": url,
            "FACTFLOW_QUEUE_URL": rabbitmq_url,
            "FACTFLOW_HOST": "0.0.0.0",
            "FACTFLOW_PORT": "0",
            **stored_in(s3_service, bucket),
        }
        checks = by_name(doctor.checks_of(environment, {"data_dir": str(tmp_path / "data")}))
        with psycopg.connect(url) as connection:
            assert connection.execute(TRACES).fetchone() == (False, 0)
    assert [check for check in checks.values() if check.state is State.FAILED] == []
    assert checks["exposure"].message == "other machines can reach 0.0.0.0, with an API key"
    assert checks["database"].message.startswith("PostgreSQL ")
    assert " with pgvector 0." in checks["database"].message
    assert checks["database"].message.endswith(" migrations to come")
    assert checks["queue"].message.startswith("RabbitMQ answers at ")
    assert checks["storage"].message == f"the bucket {bucket} answers"
    assert not checks.keys() & {"postgresql", "user"}
    assert s3_service.client.list_objects_v2(Bucket=bucket).get("Contents", []) == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_has_been_used_is_up_to_date(postgres_url: str) -> None:
    with own_database(postgres_url) as url:
        (check,) = services(Settings(database_url=url))
    assert (check.state, check.message.rpartition(", ")[2]) == (State.OK, "tables up to date")


def test_a_database_of_a_newer_version_is_found(postgres_url: str) -> None:
    """What a start would stumble over, in the same words."""
    with own_database(postgres_url) as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO schema_migration VALUES (9999, 'later', '')")
        (check,) = services(Settings(database_url=url))
    assert check.state is State.FAILED
    assert "does not know 9999 later" in check.message


def test_services_that_are_away_or_not_there_are_found(
    postgres_url: str, s3_service: S3Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Each by itself, with what it says and the setting to look at, and no password."""
    stored = stored_in(s3_service, new_bucket())
    settings = Settings.read(
        {
            "FACTFLOW_DATABASE_URL": named(postgres_url, f"none_{uuid.uuid4().hex}"),
            "FACTFLOW_QUEUE_URL": "amqp://somebody:hunter2@127.0.0.1:1/",
            **stored,
        }
    )
    checks = by_name(services(settings))
    assert {name: check.state for name, check in checks.items()} == dict.fromkeys(
        ("database", "queue", "storage"), State.FAILED
    )
    assert "does not exist" in checks["database"].message
    assert "no broker can be reached: 127.0.0.1:1" in checks["queue"].message
    assert "does not exist" in checks["storage"].message
    assert [check.hint.split(",")[0] for check in checks.values()] == [
        "check FACTFLOW_DATABASE_URL", "check FACTFLOW_QUEUE_URL", "check FACTFLOW_STORAGE_URL",
    ]  # fmt: skip
    told = "".join(check.message + check.hint for check in checks.values())
    assert "hunter2" not in told
    assert stored["FACTFLOW_STORAGE_SECRET_KEY"] not in told
    assert caplog.records == []


def test_a_bucket_that_the_start_makes_is_not_missed(s3_service: S3Service) -> None:
    """And looking does not make it."""
    name = new_bucket()
    stored = {**stored_in(s3_service, name), "FACTFLOW_STORAGE_CREATE_BUCKET": "1"}
    (check,) = services(Settings.read(stored))
    assert (check.state, check.message) == (
        State.OK,
        f"the S3 server answers; the bucket {name} is made at the start",
    )
    assert name not in {one["Name"] for one in s3_service.client.list_buckets()["Buckets"]}


def test_a_password_that_is_refused_is_not_repeated(external_postgres_url: str) -> None:
    """Nor is one that makes the address unreadable."""
    for address in (_as_nobody(external_postgres_url), "postgresql://user:hunter2/x@db/factflow"):
        (check,) = services(Settings(database_url=address))
        assert check.state is State.FAILED
        assert "hunter2" not in check.message + check.hint


def _as_nobody(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://nobody:hunter2@{rest.rpartition('@')[2]}"
