"""Makes small real files of the formats that are read."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>'
)
_STYLES = (
    f"<w:styles {_WORD}>"
    '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style></w:styles>'
)


def pdf(pages: Sequence[str], *, title: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF with a page of text lines for each string, and an outline of ``(title, page from 0)``."""
    objects: list[str] = []

    def add(body: str) -> int:
        objects.append(body)
        return len(objects)

    font = add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    tree = len(objects) + 2 * len(pages) + 1
    kids = []
    for page in pages:
        lines = " ".join(f"({_escaped(line)}) Tj T*" for line in page.split("\n"))
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {lines} ET"
        content = add(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(
            add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] /Contents {content} 0 R "
                f"/Resources << /Font << /F1 {font} 0 R >> >> >>"
            )
        )
    add(f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>")
    first = len(objects) + 2
    last = first + len(outline) - 1
    entries = f"/First {first} 0 R /Last {last} 0 R /Count {len(outline)}" if outline else ""
    bookmarks = add(f"<< /Type /Outlines {entries} >>")
    for number, (name, page_number) in enumerate(outline):
        following = f"/Next {first + number + 1} 0 R" if first + number < last else ""
        add(
            f"<< /Title ({_escaped(name)}) /Parent {bookmarks} 0 R {following} "
            f"/Dest [{kids[page_number]} 0 R /Fit] >>"
        )
    catalog = add(f"<< /Type /Catalog /Pages {tree} 0 R /Outlines {bookmarks} 0 R /Lang (en-GB) >>")
    info = add(f"<< /Title ({_escaped(title)}) >>")
    return _assembled(objects, catalog, info)


def encrypted_pdf(text: str, password: str) -> bytes:
    """A PDF that opens only with the password."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf([text]))))
    writer.encrypt(password, algorithm="RC4-128")
    stream = BytesIO()
    writer.write(stream)
    return stream.getvalue()


def docx(
    body: str,
    *,
    styles: str = _STYLES,
    prolog: str = "",
    further: Sequence[tuple[str, bytes]] = (),
    main: str = "word/document.xml",
) -> bytes:
    """A Word document with that content of ``<w:body>``; ``main`` is the part that its relationships name as such."""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{_RELATIONS}" Target="{main}"/></Relationships>',
        main: f"{prolog}<w:document {_WORD}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": styles,
    }
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, content in {**parts, **dict(further)}.items():
            archive.writestr(name, content)
    return stream.getvalue()


def word_paragraph(text: str, style: str = "") -> str:
    """A paragraph for the body of a Word document."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def _assembled(objects: Sequence[str], catalog: int, info: int) -> bytes:
    content = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    table = len(content)
    rows = "".join(f"{place:010d} 00000 n \n" for place in places)
    content += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    trailer = f"<< /Size {len(objects) + 1} /Root {catalog} 0 R /Info {info} 0 R >>"
    content += f"trailer\n{trailer}\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(content)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
