"""Follows every link of a built site that stays within it: ``python tools/links.py docs/_build/html``.

Pages, images, styles and scripts have to be there, and the places in pages that links name. Nothing is fetched: links to
other sites are counted alone. The exit status is 1 if one is dead.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places that links may name."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Take note of what a tag links to and of its name."""
        known = dict(attrs)
        self.places |= {known[k] for k in ("id", "name") if known.get(k)}
        self.links += [known[k] for k in ("href", "src") if known.get(k)]


def dead_links(folder):
    """Return (page, link, reason) of links that lead nowhere, and how many lead inside and outside.

    Parameters
    ----------
    folder : path
        The site.
    """
    folder = Path(folder).resolve()
    found = (p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts)  # where the theme keeps templates
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in found}
    dead, inside, outside = [], 0, 0
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                outside += 1
                continue
            inside += 1
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_relative_to(folder) or not target.exists():
                dead.append((path.relative_to(folder), link, "there is no such file"))
            elif target in pages and unquote(address.fragment) not in pages[target].places and address.fragment[:1] != "/":
                dead.append((path.relative_to(folder), link, "there is no such place on the page"))
    return dead, inside, outside, len(pages)


def main():
    """Print what is dead; return the exit status."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "index.html").is_file():
        print(f"usage: {sys.argv[0]} FOLDER, a site with an index.html", file=sys.stderr)
        return 2
    dead, inside, outside, pages = dead_links(sys.argv[1])
    for page, link, reason in dead:
        print(f"{page}: {link}: {reason}")
    print(f"{pages} pages, {inside} links within the site, {len(dead)} of them dead; {outside} to elsewhere")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
