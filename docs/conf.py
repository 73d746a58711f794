"""The documentation as a site, built offline: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``.

The pages of the functions, the comparison and some others are written from the registry when the site is built, by
`pages` in _extensions. FASTACT_EXAMPLES_QUICK=1 makes the examples of the gallery small.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent / "tools")]
os.environ.setdefault("MPLBACKEND", "agg")

import fastact  # noqa: E402

project = "fastact"
author = "The fastact developers"
copyright = author
version = release = fastact.__version__

extensions = ["myst_parser", "numpydoc", "sphinx_design", "sphinx_gallery.gen_gallery", "mathml", "pages"]
exclude_patterns = ["_build", "_extensions", "generated/extra", "_templates", "accuracy"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
default_role = "code"
numpydoc_show_class_members = False
add_module_names = False
toc_object_entries = False
suppress_warnings = ["config.cache"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",  # what the examples share
    "min_reported_time": 1,
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "reset_argv": lambda _conf, _variables: [],
    "show_memory": False,
}

html_title = "fastact"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("table.js", {"defer": "defer"})]
html_extra_path = ["generated/extra"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {"**": ["page-toc"], "comparison": []},
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
html_sidebars = {"index": [], "which": [], "start": [], "comparison": []}
html_math_renderer = "mathml"
