"""jinja2, which only making instances and pages takes: the package recommends it."""

from __future__ import annotations

from sockwake.errors import SockwakeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import jinja2

_PACKAGE = "python3-jinja2"


def environment(directory: str, *, escape: bool = False) -> jinja2.Environment:
    """The templates of a directory; raises SockwakeError when jinja2 is not installed.

    A value that a template misses is an error. escape: for HTML.
    """
    try:
        import jinja2
    except ImportError:
        raise SockwakeError(f"{_PACKAGE} is not installed", f"apt install {_PACKAGE}") from None
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        autoescape=escape,
        keep_trailing_newline=True,
    )
