"""Makes the pages: everything shown is escaped, and each says that this is a simulator."""

from __future__ import annotations

from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

STYLE: Final = "simulator.css"


class Pages:
    """Renders the templates of this package."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("countersign.simulator"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._style = resources.files("countersign.simulator").joinpath("templates", STYLE)

    def page(self, name: str, *, status: int = 200, **shown: object) -> Response[str]:
        """Return a page.

        Args:
            name: its template, without the ending.
            status: the status of the answer.
            **shown: what the template shows.
        """
        text = self._templates.get_template(f"{name}.html").render(**shown)
        return Response(text, status_code=status, media_type=MediaType.HTML)

    def notice(self, status: int, title: str, text: str) -> Response[str]:
        """Return a page that says one thing."""
        return self.page("notice", status=status, title=title, text=text)

    def style(self) -> Response[str]:
        """Return the stylesheet of all pages."""
        return Response(self._style.read_text("utf-8"), media_type="text/css")


def go(address: str) -> Response[None]:
    """Send the browser elsewhere, with GET (RFC 9110, section 15.4.4)."""
    return Response(None, status_code=303, headers={"location": address})
