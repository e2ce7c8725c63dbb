"""Crawling a website: which pages are visited, which are taken in, and what is told of those that are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.fetcher import MemoryFetcher
from adapters.pipeline.page_links import links_of
from adapters.pipeline.web_crawler import CrawlRefused, NothingToCrawl
from application.ports.fetcher import Fetched, FetchFailed
from domain.document import document_id
from domain.json import JsonObject
from domain.outbound import MAX_URL_CHARACTERS, DestinationRefused, OutboundPolicy
from domain.replay import replay_of
from domain.replayed_message import of_object
from domain.website import page_address
from tests.pipeline_contexts import EXECUTION, Ground, ground, payloads

__all__ = ["ground"]

SITE = "https://example.org"
REPLAY: JsonObject = {
    "source": "storage",
    "parent_execution_id": str(EXECUTION),
    "replay_batch_id": str(EXECUTION),
    "from_route": "crawl",
    "from_stage": "web_pages",
    "from_path": "",
    "to_route": "read",
    "enters_route": "read",
    "after_step": None,
    "found": 1,
}
CONFIG: JsonObject = {"delay_seconds": 0}


def page(*links: str, head: str = "", text: str = "Tides follow the moon.") -> Fetched:
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    content = f"<html><head><title>T</title>{head}</head><body><h1>T</h1><p>{text}</p>{anchors}</body></html>"
    return Fetched(status=200, content_type="text/html", content=content.encode())


def site(ground: Ground, **pages: Fetched | None) -> None:
    """A site whose pages are named by their paths, the first one `home`."""
    for name, answer in pages.items():
        ground.fetcher.pages[f"{SITE}/{'' if name == 'home' else name}"] = answer


async def crawled(ground: Ground, config: JsonObject | None = None, **message: str) -> list[str]:
    """The paths of the pages that are emitted, in order; `!` before one that could not be had, `-` before one gone."""
    emitted = await ground.emitted("web_crawler", {"url": SITE, **message}, {**CONFIG, **(config or {})})
    return [_told(payload) for payload in map(dict, payloads(emitted))]


def _told(payload: dict[str, object]) -> str:
    if payload.get("removed"):
        return "-" + str(payload["document_id"])
    return ("!" if "problem" in payload else "") + str(payload["name"]).removeprefix(SITE)


async def test_the_pages_of_a_host_are_visited_nearest_first_and_each_once(ground: Ground) -> None:
    """Fragments, schemes and other spellings make no other page; other hosts are left alone."""
    site(
        ground,
        home=page(
            "/b", "/a#part", "https://elsewhere.org/", "mailto:x@example.org", "HTTP://EXAMPLE.org:80/a"
        ),
        a=page("c", "/"),
        b=page("/a"),
        c=page(),
    )
    assert await crawled(ground) == ["/", "/b", "/a", "/c"]
    assert sorted(ground.fetcher.asked) == sorted(
        f"{SITE}/{path}" for path in ("robots.txt", "", "a", "b", "c")
    )


async def test_a_crawl_keeps_to_its_bounds(ground: Ground) -> None:
    """Depth, number of pages, patterns (what they leave out is still followed) and exclusions."""
    site(ground, home=page("/a"), a=page("/docs/b", "/x/c"))
    ground.fetcher.pages[f"{SITE}/docs/b"] = page()
    ground.fetcher.pages[f"{SITE}/x/c"] = page()
    assert await crawled(ground, {"max_depth": 1}) == ["/", "/a"]
    assert await crawled(ground, {"max_pages": 3}) == ["/", "/a", "/docs/b"]
    assert await crawled(ground, {"patterns": ["/docs/*"]}) == ["/docs/b"]
    ground.fetcher.asked.clear()
    assert await crawled(ground, {"exclude": ["/x/*"]}) == ["/", "/a", "/docs/b"]
    assert f"{SITE}/x/c" not in ground.fetcher.asked


async def test_robots_are_heeded(ground: Ground) -> None:
    """In robots.txt, in a page's head and at a link; without an answer nothing is fetched."""
    site(
        ground,
        home=page("/private/a", "/hidden", "/closed"),
        hidden=page("/b", head='<meta name="robots" content="NoIndex">'),
        closed=page("/c", head='<meta name="robots" content="nofollow">'),
        b=Fetched(status=200, content_type="text/html", content=b'<p>b <a rel="nofollow" href="/c">c</a>'),
        c=page(),
    )
    site(ground, **{"robots.txt": Fetched(status=200, content=b"User-agent: *\nDisallow: /private\n")})
    ground.fetcher.pages[f"{SITE}/private/a"] = page()
    assert await crawled(ground) == ["/", "/closed", "/b"]
    assert f"{SITE}/private/a" not in ground.fetcher.asked
    site(ground, **{"robots.txt": Fetched(status=200, content=b"User-agent: factflow\nDisallow: /\n")})
    with pytest.raises(CrawlRefused):
        await crawled(ground)
    for answer in (None, Fetched(status=503)):
        site(ground, **{"robots.txt": answer})
        with pytest.raises(FetchFailed):
            await crawled(ground)


async def test_a_start_that_leads_elsewhere_is_followed_to_its_host(ground: Ground) -> None:
    """And a page that has moved within the site is had where it is now; circles end."""
    ground.fetcher.pages |= {
        "http://old.org/": Fetched(status=301, location=f"{SITE}/"),
        f"{SITE}/": page("/a"),
        f"{SITE}/a": Fetched(status=302, location=f"{SITE}/b"),
        f"{SITE}/b": page("/round"),
        f"{SITE}/round": Fetched(status=302, location=f"{SITE}/round"),
        "http://round.org/": Fetched(status=302, location="http://round.org/"),
    }
    assert await crawled(ground, url="http://old.org") == ["/", "/b"]
    with pytest.raises(FetchFailed):
        await crawled(ground, url="http://round.org/")


async def test_what_cannot_be_had_is_told_and_nothing_is_taken_for_gone(ground: Ground) -> None:
    """A page that is gone is neither; one of a kind that is not read is passed over."""
    old = document_id("example.org", f"{SITE}/old")
    await ground.indexed(old, origin="example.org", url=f"{SITE}/old")
    site(
        ground,
        home=page("/old", "/image", "/broken"),
        old=Fetched(status=410),
        image=Fetched(status=200, content_type="image/png", content=b"x"),
        broken=Fetched(status=500),
    )
    assert await crawled(ground) == ["/", "!/broken"]
    site(ground, broken=None)
    assert await crawled(ground) == ["/", "!/broken"]
    site(ground, broken=page())
    assert await crawled(ground) == ["/", "/broken", f"-{old}"]
    assert await crawled(ground, {"max_pages": 1}) == ["/"]


async def test_only_what_the_site_knows_no_more_is_gone(ground: Ground) -> None:
    """Not what another crawl of the same host takes in, what is too far away, or what is another host's."""
    places = ["docs/a", "docs/gone", "docs/moved", "docs/hidden", "docs/far", "blog/b"]
    for place in places:
        await ground.indexed(
            document_id("example.org", f"{SITE}/{place}"), origin="example.org", url=f"{SITE}/{place}"
        )
    await ground.indexed("elsewhere", origin="example.org", url="https://elsewhere.org/docs/x")
    await ground.indexed("given", origin="example.org")
    ground.fetcher.pages |= {
        f"{SITE}/": page("/docs/a"),
        f"{SITE}/docs/a": page(),
        f"{SITE}/docs/moved": Fetched(status=301, location=f"{SITE}/docs/a"),
        f"{SITE}/docs/hidden": page(head='<meta name="robots" content="noindex">'),
        f"{SITE}/docs/far": page(),
    }
    told = await crawled(ground, {"patterns": ["/docs/*"]})
    gone = {"-" + document_id("example.org", f"{SITE}/docs/{name}") for name in ("gone", "moved", "hidden")}
    assert (told[0], set(told[1:])) == ("/docs/a", gone)
    assert f"{SITE}/blog/b" not in ground.fetcher.asked


async def test_what_leads_elsewhere_for_a_while_is_not_gone(ground: Ground) -> None:
    """A site in maintenance, whether its first address is or the others are."""
    for place in ("a", "old"):
        await ground.indexed(
            document_id("example.org", f"{SITE}/{place}"), origin="example.org", url=f"{SITE}/{place}"
        )
    elsewhere = Fetched(status=302, location=f"{SITE}/maintenance")
    site(ground, home=page(), a=elsewhere, old=Fetched(status=307, location=f"{SITE}/"), maintenance=page())
    assert await crawled(ground) == ["/"]
    site(ground, home=elsewhere, a=Fetched(status=404), old=Fetched(status=404))
    assert await crawled(ground) == ["/maintenance"]
    ground.fetcher.pages[f"{SITE}/"] = Fetched(status=308, location=f"{SITE}/maintenance")
    assert len(await crawled(ground)) == 3


async def test_what_is_asked_after_is_bounded_and_not_kept(ground: Ground) -> None:
    """With what is visited it is ten times as many as are taken in, and no replay takes in what was only looked at."""
    site(ground, home=page())
    for number in range(30):
        address = f"{SITE}/old?{number}"
        await ground.indexed(document_id("example.org", address), origin="example.org", url=address)
        ground.fetcher.pages[address] = page()
    assert await crawled(ground, {"max_pages": 2}) == ["/"]
    looked_at = [address for address in ground.fetcher.asked if "/old" in address]
    assert len(looked_at) == len(set(looked_at)) == 10 * 2 - 1
    kept = [stored.key async for stored in ground.storage.list("executions/") if "/web_pages/" in stored.key]
    assert len(kept) == 1


async def test_one_address_that_is_refused_does_not_keep_the_others_from_being_gone(ground: Ground) -> None:
    """What is not asked for is not gone."""
    on = replace(ground, fetcher=MemoryFetcher(policy=OutboundPolicy()))
    site(on, home=page())
    await on.indexed("a", origin="example.org", url="http://example.org/a")
    await on.indexed("b", origin="example.org", url=f"{SITE}/b")
    assert await crawled(on) == ["/", "-b"]


async def test_a_crawl_says_at_every_request_that_it_is_still_at_it(ground: Ground) -> None:
    """Many in a row may have nothing to emit, and their delays add up to more than a time limit."""
    links = [f"/{number}" for number in range(9)]
    site(ground, home=page(*links, "/round"), round=Fetched(status=301, location=f"{SITE}/round/1"))
    for number in range(1, 4):
        ground.fetcher.pages[f"{SITE}/round/{number}"] = Fetched(
            status=301, location=f"{SITE}/round/{number + 1}"
        )
    for link in links[::2]:
        ground.fetcher.pages[SITE + link] = Fetched(status=200, content_type="image/png", content=b"x")
    site(ground, there=page())
    for number in range(5):
        await ground.indexed(f"{number}", origin="example.org", url=f"{SITE}/there?{number}")
        ground.fetcher.pages[f"{SITE}/there?{number}"] = page()
    result = await ground.run("web_crawler", {"url": SITE}, CONFIG)
    assert result is not None
    assert isinstance(result.emitted, AsyncIterator)
    asked = [len(ground.fetcher.asked)]
    asked += [len(ground.fetcher.asked) async for _ in result.emitted]
    asked.append(len(ground.fetcher.asked))
    assert max(after - before for before, after in pairwise(asked)) == 1
    assert asked[-1] - asked[0] == 9 + 5 + 5


async def test_a_link_that_is_too_long_to_be_asked_for_is_passed_over(ground: Ground) -> None:
    """However long it is, and though it is one character too long only with the scheme of the site."""
    old = document_id("example.org", f"{SITE}/old")
    await ground.indexed(old, origin="example.org", url=f"{SITE}/old")
    longest = "x" * (MAX_URL_CHARACTERS - len(f"{SITE}/"))
    site(
        ground,
        home=page(f"/{longest}", f"/{longest}x", f"http://example.org/{longest}y", "/" + "x" * 520_000),
    )
    site(ground, **{longest: page()})
    assert await crawled(ground, {"max_depth": 1}) == ["/", f"/{longest}", f"-{old}"]
    with pytest.raises(NothingToCrawl):
        await crawled(ground, url=f"{SITE}/{longest}x")


async def test_a_site_without_end_is_left(ground: Ground) -> None:
    """Though nothing of it is taken in; then nothing is taken for gone, and what is not read is not kept."""
    old = document_id("example.org", f"{SITE}/old")
    await ground.indexed(old, origin="example.org", url=f"{SITE}/old")
    days = [f"/day/{number}" for number in range(50)]
    site(ground, home=page(*days))
    for day in days:
        ground.fetcher.pages[SITE + day] = Fetched(status=200, content_type="image/png", content=b"x")
    assert await crawled(ground, {"max_pages": 2}) == ["/"]
    assert len([one for one in ground.fetcher.asked if "/day/" in one]) == 19
    kept = [one.content_type async for one in ground.storage.list("executions/")]
    assert kept == ["text/html"]


async def test_the_longest_rule_of_robots_holds(ground: Ground) -> None:
    """With wildcards, several groups and a byte order mark, as RFC 9309 has it."""
    rules = b"\xef\xbb\xbfUser-agent: *\nAllow: /\nDisallow: /private/\n\nUser-agent: *\nDisallow: /*.pdf$\n"
    site(ground, home=page("/private/a", "/b.pdf", "/c"), c=page())
    site(ground, **{"robots.txt": Fetched(status=200, content=rules)})
    assert await crawled(ground) == ["/", "/c"]


async def test_a_page_becomes_markdown_under_its_address(ground: Ground) -> None:
    """Whatever its address ends with; another attempt takes what the first one kept and asks for no page again."""
    site(ground, home=page("/tides"), tides=page(text="The moon pulls the sea."))
    emitted = payloads(await ground.emitted("web_crawler", {"url": SITE}, CONFIG))
    read = await ground.passed("document_reader", dict(emitted[1]))  # type: ignore[arg-type]
    assert (read["url"], read["title"], read["origin"]) == (f"{SITE}/tides", "T", "example.org")
    assert "The moon pulls the sea." in str(read["markdown"])
    stored = await ground.storage.head(str(emitted[1]["object_key"]))
    replayed = of_object(stored, replay_of(REPLAY)).payload
    assert (await ground.passed("document_reader", replayed))["markdown"] == read["markdown"]
    site(ground, tides=page(text="Something else."))
    assert payloads(await ground.emitted("web_crawler", {"url": SITE}, CONFIG)) == emitted
    assert ground.fetcher.asked.count(f"{SITE}/tides") == 1


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "/srv/documents", "https://user@example.org/"])
async def test_what_is_no_website_is_refused(ground: Ground, url: str) -> None:
    """So is what lies inside."""
    with pytest.raises(NothingToCrawl):
        await crawled(ground, url=url)
    with pytest.raises(DestinationRefused):
        await crawled(ground, url="http://10.0.0.1/")


def test_links_are_read_from_the_base_of_the_page() -> None:
    """And a page that cannot be read to its end has those before."""
    html = (
        b'<base href="/docs/"><a href="a b?x=\xc3\xa9">a</a><a href="&#'
        + b"9" * 5000
        + b';">b</a><a href="/c">'
    )
    assert links_of(html, f"{SITE}/x").addresses[0] == f"{SITE}/docs/a%20b?x=%C3%A9"
    assert links_of(b'<![foo[bar]]><a href="/c">', SITE).addresses == (f"{SITE}/c",)


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", SITE, f"{SITE}/a/b?c=d"]))
def test_an_address_is_known_in_one_form(url: str, base: str) -> None:
    """Whatever a page has for a link: it is printable ASCII, and in that form already."""
    address = page_address(url, base)
    if address is not None:
        assert address.isascii()
        assert page_address(address) == address
