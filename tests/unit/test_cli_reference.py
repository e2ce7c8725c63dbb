"""The pages about the command line say what the commands say."""

from tests.cli_reference import PAGE, page


def test_the_reference_page_is_up_to_date() -> None:
    """When this fails: `python -m tests.cli_reference`, then look at the difference."""
    assert PAGE.read_text("utf-8") == page()
