"""The whole of the HTTP API: what an operator can count on, and what every operation has."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
from litestar.handlers import HTTPRouteHandler

from adapters.http.access.operations import ANY_PRINCIPAL, PUBLIC, operation_of
from application.contents import Application
from tests.asked import is_asked, names_of_tests
from tests.integration.test_http_authorisation import routes
from tests.reference.http_api import description

SURFACE = {
    "system": "get_system_health get_readiness get_liveness get_system_info list_settings get_metrics_summary"
    " list_workers run_mq_diagnostic run_storage_diagnostic run_database_diagnostic",
    "configs": "list_configs create_config validate_config get_config update_config deactivate_config run_config"
    " activate_config list_config_versions get_config_version compare_config_versions restore_config_version"
    " get_config_dag get_config_yaml",
    "executions": "start_execution list_executions get_execution update_execution_status cancel_execution"
    " pause_execution resume_execution get_execution_dag get_execution_routes get_execution_monitor"
    " get_execution_lineage get_execution_stats stream_execution_events",
    "dead letters": "list_dead_letters get_dead_letter redrive_dead_letter redrive_dead_letters purge_dead_letter"
    " purge_dead_letters list_execution_dead_letters redrive_execution_dead_letters purge_execution_dead_letters",
    "pipelines": "list_pipelines get_pipeline update_pipeline_state get_pipeline_stats",
    "storage": "list_objects get_object_content get_object_metadata put_object delete_object get_storage_usage"
    " list_execution_stages",
    "lineage": "list_lineage_entries get_lineage_entry get_lineage_batch get_lineage_chain list_lineage_children"
    " get_lineage_path list_lineage_failures get_lineage_stats export_lineage",
    "search": "search search_hybrid search_rrf search_multi_model list_search_sources get_search_capabilities",
    "embeddings": "list_embedding_slots get_embedding_slot embed_texts get_embedding_stats reembed"
    " delete_document_embeddings delete_execution_embeddings",
    "indexes": "list_indexes get_index create_index delete_index rebuild_index auto_manage_indexes"
    " get_index_recommendations",
    "replay": "execute_replay replay_execution preview_replay get_replay_batch list_replay_batches"
    " get_execution_replays",
    "templates": "list_templates get_template create_template update_template delete_template render_template"
    " create_config_from_template",
    "adapters": "list_adapters get_adapter get_adapter_schema validate_adapter_config get_adapter_example",
    "chat": "chat_complete chat_stream chat_search_semantic chat_search_hybrid chat_search_rrf create_thread"
    " list_threads get_thread delete_thread post_message list_messages list_chat_sources get_chat_capabilities",
    "content": "archive_prepare archive_status archive_download archive_cancel count_content list_documents"
    " get_document get_document_text list_document_segments delete_document",
    "webhooks": "create_webhook list_webhooks get_webhook update_webhook delete_webhook list_webhook_deliveries test_webhook",
}
"""Operations by tag that clients rely on: one may be added, none may go or be named anew."""

OWN = {field.name for field in fields(Application)} | {"settings", "schema", "api"}
ANSWERED_BY_THE_EDGE = {"get_own_key", "get_system_info", "get_liveness", "list_webhook_event_types"}
"""Operations that no use-case is asked for: the request, the process itself or the rules are the answer."""

ASKED_OTHERWISE = {
    "cancel_reembedding": "test_a_slot_is_filled_by_one_run_at_a_time",
    "chat_search_hybrid": "test_every_kind_of_search_says_how_the_score_came_about",
    "chat_search_rrf": "test_every_kind_of_search_says_how_the_score_came_about",
    "chat_search_semantic": "test_every_kind_of_search_says_how_the_score_came_about",
    "compare_config_versions": "test_two_versions_are_compared",
    "delete_object": "test_an_upload_is_stored_whole_and_can_be_deleted",
    "get_config_dag": "test_a_config_has_a_graph",
    "get_config_version": "test_versions_are_listed_and_read",
    "get_config_yaml": "test_a_config_is_read_as_yaml",
    "get_object_metadata": "test_metadata_tells_of_an_object_what_its_sidecar_knows",
    "get_reembedding": "test_a_slot_is_filled_by_one_run_at_a_time",
    "list_config_versions": "test_versions_are_listed_and_read",
    "openai_get_model": "test_models_are_listed_and_read",
    "openai_list_models": "test_models_are_listed_and_read",
    "redrive_execution_dead_letters": "test_those_of_one_execution_are_redriven_by_its_id_or_tag",
    "restore_config_version": "test_an_earlier_version_is_restored_as_the_next",
}
"""Operations whose path stands in no call as it is, each with a test that asks it."""

TESTS = Path(__file__).parent


def handlers() -> list[HTTPRouteHandler]:
    return [handler for _, handler in routes() if isinstance(handler.operation_id, str)]


@pytest.mark.parametrize("tag", SURFACE)
def test_no_operation_is_missing(tag: str) -> None:
    tagged = {
        operation["operationId"]
        for methods in description()["paths"].values()
        for operation in methods.values()
        if tag in operation["tags"]
    }
    assert sorted(set(SURFACE[tag].split()) - tagged) == []


def test_every_operation_has_an_owner_a_scope_and_an_example() -> None:
    """The owner is a use-case of the table of contents; examples are those of what it takes and answers."""
    ownerless, unscoped = [], []
    for handler in handlers():
        if not OWN & handler.parsed_fn_signature.parameters.keys():
            ownerless.append(handler.operation_id)
        if operation_of(handler).scope is None:
            unscoped.append(handler.operation_id)
    assert set(ownerless) <= ANSWERED_BY_THE_EDGE
    assert set(unscoped) == PUBLIC | ANY_PRINCIPAL
    without = [
        operation["operationId"]
        for methods in description()["paths"].values()
        for operation in methods.values()
        for answer in (*operation["responses"].values(), operation.get("requestBody", {}))
        for content in answer.get("content", {}).values()
        if not content.keys() & {"example", "examples"}
    ]
    assert without == []


def test_every_operation_that_takes_a_body_can_find_it_too_slow() -> None:
    """JSON or a file."""
    silent = [
        operation["operationId"]
        for methods in description()["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation and "request_too_slow" not in str(operation["responses"].get("408", ""))
    ]
    assert silent == []


def test_every_operation_is_asked_in_a_test() -> None:
    """By its method and its whole path, or in the test that is named for it."""
    untested = {
        operation["operationId"]
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
        if not is_asked(method.upper(), path)
    }
    assert untested == ASKED_OTHERWISE.keys()
    assert set(ASKED_OTHERWISE.values()) - names_of_tests() == set()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/executions/{execution_id}/nothing"),
        ("PUT", "/api/v1/executions"),
        ("GET", "/api/v1/nothing"),
    ],
)
def test_an_operation_that_no_test_asks_is_noticed(method: str, path: str) -> None:
    """Though other tests have the parts of its path, or ask it by another method."""
    assert not is_asked(method, path)


def test_the_operations_are_counted_by_tag() -> None:
    """As the reference tells; `pytest -s` prints it."""
    counts = Counter(min(handler.resolve_tags()) for handler in handlers())
    # What the test is for, with `-s`.
    print(f"\n{counts.total()} operations:", ", ".join(f"{tag} {counts[tag]}" for tag in sorted(counts)))  # noqa: T201
    page = (TESTS.parents[1] / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
    assert f"There are {counts.total()} operations: " in page
    assert all(re.search(rf"[:,] {tag} {count}[,.]", page) for tag, count in counts.items())
