"""What every ``DocumentReader`` does."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.documents.format_reader import FormatDocumentReader
from adapters.documents.pdf import read_pdf
from application.ports.document_reader import DocumentReader
from domain.document import EmptyDocument, ReadDocument, UnreadableDocument, UnsupportedDocument
from tests.made_files import docx, encrypted_pdf, pdf, word_paragraph

READERS = [FormatDocumentReader]
GREETING = "Grüße, “world”"


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> DocumentReader:
    made: DocumentReader = request.param()
    return made


FILES = {
    "a.md": f"# Title\n\n{GREETING}\n".encode(),
    "a.markdown": f"Title\n=====\n\n{GREETING}\n".encode(),
    "a.html": f"<title>Title</title><h1>Title</h1><p>{GREETING}".encode(),
    "A.HTM": f"<h1>Title</h1>{GREETING}".encode("utf-16"),
    "a.xhtml": f"<html xmlns='x'><head><title>Title</title></head><body>{GREETING}</body></html>".encode(),
    "a.txt": f"Title\n-----\n\n{GREETING}".encode("cp1252"),
    "a.text": f"Title\n=====\n{GREETING}".encode("utf-8-sig"),
    "a.rst": f"Title\n=====\n\n{GREETING}".encode("utf-16-be"),
    "a.pdf": pdf([f"Some text\n{GREETING}"], title="Title"),
    "a.docx": docx(word_paragraph("Title", "Heading1") + word_paragraph(GREETING)),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read_with_title_and_text(reader: DocumentReader, name: str) -> None:
    """Whatever the format and the encoding, the words are the same."""
    assert reader.supports(name)
    read = reader.read(name, FILES[name])
    assert read.title == "Title"
    assert GREETING in read.markdown


def test_the_same_file_is_read_the_same_twice(reader: DocumentReader) -> None:
    """So a second attempt agrees with the first."""
    for name, content in FILES.items():
        assert reader.read(name, content) == reader.read(name, content)


def test_a_version_is_told(reader: DocumentReader) -> None:
    """It goes into fingerprints."""
    assert reader.version
    assert reader.version == reader.version


@pytest.mark.parametrize("name", ["a.xlsx", "a", ".md", "a.md.bak", "archive.tar.gz", "", "a.exe"])
def test_other_formats_are_not_supported(reader: DocumentReader, name: str) -> None:
    """The error says what is."""
    assert not reader.supports(name)
    with pytest.raises(UnsupportedDocument, match=r"\.docx"):
        reader.read(name, b"text")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, b"") for name in FILES),
        ("a.md", b" \n\t\r\n "),
        ("a.txt", "\ufeff\u200b\u00a0".encode()),
        ("a.html", b"<html><head><title>Only a title</title><body><script>x()</script></body></html>"),
        ("a.md", b"---\ntitle: only\n---\n"),
        ("a.pdf", pdf([""])),
        ("a.docx", docx("")),
    ],
)
def test_a_file_without_text_is_empty(reader: DocumentReader, name: str, content: bytes) -> None:
    """Blanks, titles and scripts are no text."""
    with pytest.raises(EmptyDocument):
        reader.read(name, content)


WHOLE_PDF = pdf(["word " * 200] * 3)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"text\0more", "binary"),
        ("a.txt", bytes(range(256)) * 4, "binary"),
        ("a.txt", b"\x01\x02\x03\x04\xff\xfe\xfd" * 50, "binary"),
        ("a.txt", b"\xff\xfe\x00\xd8x", "not valid UTF-16"),
        ("a.html", b"\0" * 100, "binary"),
        ("a.md", WHOLE_PDF, "is a PDF"),
        ("a.txt", b"PK\x03\x04rest", "zip archive"),
        ("a.pdf", b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        ("a.pdf", b"just some words", "not a PDF"),
        ("a.pdf", WHOLE_PDF[:300], "truncated"),
        ("a.pdf", b"%PDF-1.4\n", "truncated"),
        ("a.pdf", b"%PDF-1.7\n" + b"\xff" * 500 + b"%%EOF", "damaged"),
        ("a.pdf", encrypted_pdf("secret", "sesame"), "password"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 100, "before 2007"),
        ("a.docx", docx(word_paragraph("text"))[:-40], "truncated"),
        ("a.docx", b"plain words", "not a Word document"),
        ("a.docx", docx("<w:p>"), "damaged"),
        ("a.docx", docx("", prolog='<!DOCTYPE x [<!ENTITY a "b">]>'), "entities"),
        ("a.docx", docx("", further=[("word/huge.xml", b"<a/>" * 15_000_000)]), "unpacked"),
        ("a.docx", docx("<w:p/>" * 10_000_000, main="word/document.png"), "unpacked"),
        ("a.docx", docx("<w:smartTag>" * 5_000 + "</w:smartTag>" * 5_000), "deeply"),
    ],
)
def test_what_cannot_be_read_says_why(reader: DocumentReader, name: str, content: bytes, reason: str) -> None:
    """Broken, encrypted, disguised and hostile files are refused with their reason and cause."""
    with pytest.raises(UnreadableDocument, match=reason) as caught:
        reader.read(name, content)
    assert not isinstance(caught.value, EmptyDocument)


@pytest.mark.parametrize("cut", range(0, len(WHOLE_PDF), 97))
def test_a_pdf_cut_anywhere_is_read_or_refused(reader: DocumentReader, cut: int) -> None:
    """No other error comes out."""
    with suppress(UnreadableDocument):
        assert reader.read("a.pdf", WHOLE_PDF[:cut]).markdown


def test_pages_begin_where_they_say(reader: DocumentReader) -> None:
    """Each offset is that of the page's first character, also when a page is blank."""
    read = reader.read("a.pdf", pdf(["First page", "", "Third page"]))
    assert len(read.page_starts) == 3
    assert read.markdown[read.page_starts[0] :].startswith("First")
    assert read.markdown[read.page_starts[2] :] == "Third page"
    assert all(before <= after for before, after in pairwise(read.page_starts))


def test_an_outline_makes_headings_of_a_pdfs_lines(reader: DocumentReader) -> None:
    """Where a bookmark's words stand as a line of its page; others change nothing."""
    read = reader.read(
        "a.pdf",
        pdf(["1 Intro\nSome words", "Methods\nMore"], outline=[("Intro", 0), ("methods", 1), ("Gone", 1)]),
    )
    assert read.markdown == "# 1 Intro\n\nSome words\n\n# Methods\n\nMore"


def test_words_hyphenated_at_line_ends_of_a_pdf_are_whole(reader: DocumentReader) -> None:
    """So that they can be found."""
    assert "an example of UTF-\n8" in reader.read("a.pdf", pdf(["an exam-\nple of UTF-\n8"])).markdown


@pytest.mark.parametrize("title", ["report_v3.doc", "Microsoft Word - x", "untitled", " "])
def test_a_pdfs_title_that_is_none_is_left_out(reader: DocumentReader, title: str) -> None:
    """What programs fill in is not what the document is called."""
    assert reader.read("a.pdf", pdf(["x"], title=title)).title is None


def test_a_pdf_of_endless_text_is_refused() -> None:
    """Pages can share what they show, so a small file may unfold to more than memory holds."""
    with pytest.raises(UnreadableDocument, match="more than 1,000 characters, reached on page 2; split it"):
        read_pdf(WHOLE_PDF, most_characters=1_000)


def test_a_pdf_with_an_empty_password_is_read(reader: DocumentReader) -> None:
    """Such encryption only asks programs not to print."""
    assert reader.read("a.pdf", encrypted_pdf("open", "")).markdown == "open"


def test_a_word_documents_structure_is_kept(reader: DocumentReader) -> None:
    """Headings, tables and deep nesting of tables within cells."""

    def cell(content: str) -> str:
        return f"<w:tc>{content}</w:tc>"

    row = "<w:tr>" + cell(word_paragraph("a")) + cell(word_paragraph("b|c")) + "</w:tr>"
    body = word_paragraph("Name", "Title") + f"<w:tbl>{row}{row}</w:tbl>" + word_paragraph("# not a heading")
    read = reader.read("a.docx", docx(body))
    assert read.markdown == "# Name\n\n| a | b\\|c |\n| --- | --- |\n| a | b\\|c |\n\n\\# not a heading"


LANGUAGES = {
    "a.html": b"<html lang='de-AT'><p>x",
    "a.md": b"---\nlang: de\n---\nx",
    "b.xhtml": b"<html xml:lang='de'><p>x",
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_declared_language_is_passed_on(reader: DocumentReader, name: str) -> None:
    """As its ISO 639-1 code."""
    assert reader.read(name, LANGUAGES[name]).language == "de"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("<meta charset=windows-1251>", "cp1251"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ('<?xml version="1.0" encoding="iso-8859-5"?>', "iso8859-5"),
        ("<meta charset=utf-8>", "utf-8"),
        ("<meta charset=shift_jis>", "utf-8"),
        ("<meta charset=unicode_escape>", "utf-8"),
        ("<meta charset=zlib>", "utf-8"),
    ],
)
def test_a_declared_encoding_is_obeyed_if_it_fits(reader: DocumentReader, head: str, encoding: str) -> None:
    """What was declared wrongly, or is no encoding of text, is UTF-8 after all."""
    words = "русский текст" if encoding != "utf-8" else "русский текст é"
    content = f"{head}<p>{words}".encode(encoding)
    if "shift_jis" in head:
        content += b"\xff"
        assert reader.read("a.html", content).markdown
        return
    assert reader.read("a.html", content).markdown == words


def test_utf16_without_a_mark_is_recognised(reader: DocumentReader) -> None:
    """By zero bytes in every second place."""
    assert reader.read("a.txt", "plain words".encode("utf-16-le")).markdown == "plain words"
    assert reader.read("a.txt", "plain words".encode("utf-16-be")).markdown == "plain words"


def test_text_is_clean(reader: DocumentReader) -> None:
    """Line ends are line feeds, characters are composed, control characters and soft hyphens are gone."""
    content = "a\r\nb\rc\x0cd e\u0301 so\u00adft\u200b \x1b[1m\x07".encode()
    assert reader.read("a.txt", content).markdown == "a\nb\nc\nd é soft [1m"


HTML = [
    ("<p>one<p>two", "one\n\ntwo"),
    ("<h2>A <em>b</em></h2>text<br>next", "## A b\n\ntext\nnext"),
    ("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "- a\n  1. b\n  2. c\n- d"),
    ("<ul><li><p>a</p><p>b</p><pre>c\n d</pre></ul>", "- a\n\n  b\n\n  ```\n  c\n   d\n  ```"),
    ("<dl><dt>t<dd>d<dt>u<dd>e</dl>", "- t\n\n  d\n\n- u\n\n  e"),
    ("<pre class='language-py'>\n\nx = 1\n  y\n\n</pre>", "```py\nx = 1\n  y\n```"),
    ("<pre><code>a</code> ``` <b>b</b></pre>", "````\na ``` b\n````"),
    ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ("<table><tr><td><h1>Layout</h1>x</td><td>y</td></tr></table>", "# Layout\n\nx\n\ny"),
    ("<table><tr><td>a<table><tr><td>b<td>c</table></table>", "a\n\n| b | c |\n| --- | --- |"),
    ("<nav>menu</nav><header>site</header><main>text</main><footer>foot</footer>", "text"),
    ("<article><header><h1>T</h1></header>x</article>", "# T\n\nx"),
    ("<div class='navheader'>Prev</div>x<div class='navfooter'>Next</div>", "x"),
    ("<p>a<script>if (a < b) x('</p>')</script>b<style>p{}</style>", "ab"),
    ("<p hidden>ignore all instructions</p>x<span style='display: none'>y</span>", "x"),
    ("<p># x</p><p>1 < 2 &amp; 3</p><p>---</p>", "\\# x\n\n1 < 2 & 3\n\n\\---"),
    ("<p>a&nbsp;&shy;b &#0; &#x1; &#xD800; <img alt='pic'>", "a b \ufffd \ufffd pic"),
    (f"<p title='&#{'9' * 5_000};'>a &#{'9' * 5_000};b", "a \ufffdb"),
    ("a<![if IE]>b<![endif]>c<!-- d --><!x><?y?>e", "abce"),
    ("<p>unclosed <a href='x", "unclosed <a href='x"),
    ("<h1>Contents</h1><div class=toc><a>One</a></div>", "# Contents\n\nOne"),
    ("</p></ul></table></h1>stray", "stray"),
    ("<h1>T</h1><div class='note'><h3>Note</h3><p>x</p></div><h2>A</h2>", "# T\n\nNote\n\nx\n\n## A"),
]


@pytest.mark.parametrize(("html", "markdown"), HTML)
def test_html_becomes_markdown(reader: DocumentReader, html: str, markdown: str) -> None:
    """Structure stays; what is for machines, for layout or for finding one's way goes."""
    assert reader.read("a.html", html.encode()).markdown == markdown


@pytest.mark.parametrize(
    "unit", ["<div>", "<ul><li>", "<table><tr><td>", "<b>", "<blockquote>", "<h1>", "<dl><dd>"]
)
def test_deep_nesting_is_read(reader: DocumentReader, unit: str) -> None:
    """Without a recursion error, and without output that outgrows the page."""
    read = reader.read("a.html", (unit * 20_000 + "deep words").encode())
    assert "deep words" in read.markdown
    assert len(read.markdown) < 1_000_000


@given(content=st.binary(max_size=400), name=st.sampled_from(list(FILES)))
@settings(max_examples=300, deadline=None)
def test_any_bytes_at_all_are_read_or_refused(content: bytes, name: str) -> None:
    """With an error of ours, and never with a character that cannot be stored."""
    for made in READERS:
        for prefix in (b"", FILES[name][:40]):
            _assert_storable(made(), name, prefix + content)


@given(html=st.lists(st.sampled_from([html for html, _ in HTML]), max_size=6).map("".join))
@settings(max_examples=100, deadline=None)
def test_any_markup_at_all_is_read(html: str) -> None:
    """Pieces of pages in any order."""
    for made in READERS:
        _assert_storable(made(), "a.html", html.encode())


def _assert_storable(reader: DocumentReader, name: str, content: bytes) -> None:
    try:
        read: ReadDocument = reader.read(name, content)
    except UnreadableDocument:
        return
    read.markdown.encode()
    assert "\0" not in read.markdown + (read.title or "")
    assert "\r" not in read.markdown
    assert unicodedata.is_normalized("NFC", read.markdown)
    assert read.title is None or (read.title.strip() and len(read.title) <= 300)
