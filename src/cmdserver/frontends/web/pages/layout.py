"""The layout of all pages: head, top and foot, and the addresses and fields of their forms."""

from dataclasses import dataclass

from cmdserver.frontends.web.pages.markup import Content, Markup, closing, element, join, opening

#: The addresses of forms and of static files, from the root; see `at`.
LOGIN_PATH, LOGOUT_PATH, STATIC_PATH, RUNS_PATH = "/-/login", "/-/logout", "/-/static/", "/-/runs"
#: The fields of the login.
NAME_FIELD, PASSWORD_FIELD, NEXT_FIELD = "name", "password", "next"
#: Our own fields beside a command's values; no parameter can be called so, as a name has no dash. The anti-forgery
#: token, which a script sends as `TOKEN_HEADER`; that a form was sent, if only with empty fields; that somebody who was
#: asked has said yes.
TOKEN_FIELD, SENT_FIELD, YES_FIELD = "csrf-token", "form-sent", "run-confirmed"
OWN_FIELDS = frozenset({TOKEN_FIELD, SENT_FIELD, YES_FIELD})
TOKEN_HEADER = "X-Cmdserver-Token"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who looks at a page, and from where."""

    #: None for somebody who has not logged in.
    name: str | None
    #: Whether they can log in, or have logged in with a form and can log out.
    may_log_in: bool
    #: The anti-forgery token, for forms; None if none is needed.
    token: str | None
    #: The relative reference from the page's address to the root: ``./`` or ``../../``. Links are relative, as a proxy
    #: may serve the root below a path, and remove that path.
    root: str = "./"
    #: How many runs that they may see are running; None if they can see none.
    running: int | None = None


_MAIN = opening("main", id="main")
FOOT = closing("main", "body", "html")


def page(visitor: Visitor, title: str, *body: Markup | None, here: str | None = None) -> Markup:
    """Make a whole page; see `head`."""
    return join((head(visitor, title, here=here), *body, FOOT))


def head(visitor: Visitor, title: str, *, here: str | None = None) -> Markup:
    """Make the beginning of a page, up to its content; `FOOT` is the end.

    Args:
        visitor: Who looks at it.
        title: Of the window.
        here: Below which of the addresses in the navigation it is; None for none of them.
    """
    about = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} - cmdserver"),
        element("link", rel="icon", href=at(visitor, f"{STATIC_PATH}icon.svg"), type="image/svg+xml"),
        element("link", rel="stylesheet", href=at(visitor, f"{STATIC_PATH}app.css")),
        element("link", rel="modulepreload", href=at(visitor, f"{STATIC_PATH}base.js")),
        # async: it works while a page is still coming, as a run may take long.
        _script(visitor, "app.js"),
        _script(visitor, "runs.js") if visitor.running is not None else None,
    )
    skip = element("a", "Skip to the content", href="#main", class_="skip")
    start = (
        Markup("<!doctype html>\n"),
        opening("html", lang="en"),
        about,
        opening("body"),
        skip,
        _top(visitor, here),
        _MAIN,
    )
    return join(start)


def _script(visitor: Visitor, name: str) -> Markup:
    return element("script", type="module", async_=True, src=at(visitor, f"{STATIC_PATH}{name}"))


def _top(visitor: Visitor, here: str | None) -> Markup:
    icon = element("img", src=at(visitor, f"{STATIC_PATH}icon.svg"), alt="", width=28, height=28)
    brand = element("a", icon, "cmdserver", href=at(visitor, "/"), class_="brand")
    return element("header", brand, _pages(visitor, here), element("div", *_who(visitor), class_="who"))


def _pages(visitor: Visitor, here: str | None) -> Markup | None:
    """Make the links to the pages that somebody works on."""
    if visitor.running is None:
        return None
    count = f"{visitor.running} running" if visitor.running else ""
    running = element("span", count, class_="count", data_running=True, hidden=not visitor.running)

    def to(path: str, *content: Content) -> Markup:
        return element("a", *content, href=at(visitor, path), aria_current="true" if path == here else None)

    return element("nav", to("/", "Commands"), to(RUNS_PATH, "Runs ", running), class_="pages", aria_label="Pages")


def _who(visitor: Visitor) -> tuple[Markup, ...]:
    if visitor.name is None:
        return (link("Log in", at(visitor, LOGIN_PATH)),) if visitor.may_log_in else ()
    name = element("span", visitor.name, class_="name")
    if not visitor.may_log_in:
        return (name,)
    return name, element(
        "form", token(visitor), element("button", "Log out"), method="post", action=at(visitor, LOGOUT_PATH)
    )


def at(visitor: Visitor, path: str) -> str:
    """Return how a visitor's page refers to an address of ours.

    Args:
        visitor: Who looks at it.
        path: From the root, with a slash at the beginning.
    """
    return visitor.root + path.removeprefix("/")


def link(text: str, path: str) -> Markup:
    """Make a link that looks like a button."""
    return element("a", text, href=path, class_="button")


def hidden(name: str, value: str) -> Markup:
    """Make a hidden field."""
    return element("input", type="hidden", name=name, value=value)


def token(visitor: Visitor) -> Markup | None:
    """Make the field of the anti-forgery token; None if no token is needed."""
    return None if visitor.token is None else hidden(TOKEN_FIELD, visitor.token)
