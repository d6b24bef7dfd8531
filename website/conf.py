"""Configure Sphinx for the website; `python -m tools.site` copies this folder, adds the lessons and runs Sphinx."""

project = "Recurrent neural networks, step by step"
author = "The authors of the course"
copyright = "Prose and figures CC BY 4.0, code BSD-3-Clause"
language = "en"

extensions = ["myst_nb"]
templates_path = ["templates"]
exclude_patterns = ["browser", "static"]

# The lessons come with their outputs, of the solved notebooks: executing them here would run empty exercises.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show what a right answer gets"
nb_code_prompt_hide = "Hide it"
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a task begins with ### also where no ## is above it

html_theme = "pydata_sphinx_theme"
html_title = project
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["start_button.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"**": ["lessons.html"]}
html_theme_options = {
    "article_header_start": [],
    "back_to_top_button": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": "Recurrent neural networks"},
    "navbar_align": "left",
    "navbar_center": [],
    "navigation_with_keys": False,
    "pygments_dark_style": "a11y-high-contrast-dark",
    "pygments_light_style": "a11y-high-contrast-light",
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "show_toc_level": 2,
}
