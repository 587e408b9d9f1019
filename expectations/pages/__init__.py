"""The pages of the quality site: Great Expectations' content in a frame of our own.

Its own frame fetches styles and scripts from five hosts, and a logo with the project's id in its address. Ours fetches
nothing: the site reads the same without a network, and nobody learns who reads it.
"""

from pathlib import Path

from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader


class OfflinePageView(DefaultJinjaPageView):
    """Renders a page, or the index, by the templates of this folder before those of Great Expectations."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        theirs = [] if self.env.loader is None else [self.env.loader]
        self.env.loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), *theirs])
