"""Makes the static site of the benchmarks in asv_benches/html: ``python tools/dashboard.py``.

That is what ``asv publish`` renders from asv_benches/results, and the front page of `tools/report.py`, which asv's
pages link to. asv's pages load JavaScript libraries from other servers; with ``--local`` they are fetched once by npm
and served with the site. To look at it: ``python -m http.server -d asv_benches/html``.
"""

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import report

SITE = report.SUITE / "html"
NAVIGATION = '<li id="nav-li-" class="active">'
LINK = '<li><a href="report.html">Against other libraries</a></li>\n\t'

#: A part of the address that asv's page names: package on npm, and the file in it.
LIBRARIES = {
    "jquery-3.3.1": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories": ("flot@0.8.3", "jquery.flot.categories.js"),
    "flot-orderbars": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable": ("stupid-table-plugin@1.1.3", "stupidtable.min.js"),
    "blueimp-md5": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}
TAG = re.compile(r'(<(?:script|link)\b[^>]*?\b(?:src|href)=")(https://[^"]+)("[^>]*>)')


def link_report(page):
    """Put a link to the front page before the others in asv's page.

    Raises
    ------
    SystemExit
        If asv's page has become another.
    """
    if NAVIGATION not in page:
        raise SystemExit("dashboard: this version of asv makes another index.html; see NAVIGATION in tools/dashboard.py")
    return page.replace(NAVIGATION, LINK + NAVIGATION)


def serve_locally(page, folder):
    """Replace the libraries that the page loads from elsewhere by copies in ``folder``; return the page.

    Raises
    ------
    SystemExit
        If it names one that is not in `LIBRARIES`, or npm fails.
    """

    def replace(tag):
        package = next((LIBRARIES[key] for key in LIBRARIES if key in tag[2]), None)
        if package is None:
            raise SystemExit(f"dashboard: --local does not know {tag[2]}; see LIBRARIES in tools/dashboard.py")
        (folder / "lib").mkdir(exist_ok=True)
        copy = folder / "lib" / Path(package[1]).name
        copy.write_bytes(fetch(*package))
        rest = re.sub(r'\s(?:integrity|crossorigin|referrerpolicy)="[^"]*"', "", tag[3])
        return f"{tag[1]}lib/{copy.name}{rest}"

    return TAG.sub(replace, page)


def fetch(package, member):
    """A file of an npm package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            return archive.extractfile(f"package/{member}").read()


def main():
    """Publish, write the front page, link it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--local", action="store_true", help="serve the JavaScript libraries with the site (needs npm)")
    parser.add_argument("--peers", metavar="FILE.json", help="as for tools/report.py")
    args = parser.parse_args()
    subprocess.run([sys.executable, "-m", "asv", "publish", "--no-pull"], cwd=report.SUITE, check=True)
    index = SITE / "index.html"
    page = link_report(index.read_text(encoding="utf-8"))
    index.write_text(serve_locally(page, SITE) if args.local else page, encoding="utf-8")
    return report.main(["--peers", args.peers] if args.peers else [])


if __name__ == "__main__":
    sys.exit(main())
