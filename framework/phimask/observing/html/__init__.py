"""The report as one HTML page that loads nothing: for the eye, for paper, for an audit."""

from phimask.observing.html.page import Points, page

__all__ = ["Points", "page"]
