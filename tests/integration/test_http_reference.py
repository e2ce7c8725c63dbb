"""docs/reference/http-api.md says of every operation what the API says of itself."""

from tests.http_reference import PAGE, description, whole_page


def test_the_page_of_the_api_is_up_to_date() -> None:
    """When this fails: `python -m tests.http_reference`, then look at the difference."""
    assert PAGE.read_text(encoding="utf-8") == whole_page()


def test_every_operation_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    operations = [
        f"`{method.upper()} {path}`" for path, methods in description()["paths"].items() for method in methods
    ]
    assert [name for name in operations if name not in page] == []
