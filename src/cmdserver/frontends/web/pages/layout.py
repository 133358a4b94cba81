"""The layout of all pages: head, header and foot, and the addresses and fields of their forms.

The header says which host this is, louder than anything else, and is made by the server: it is there while a page is
still coming, and without a script.
"""

from msgspec import Struct

from cmdserver.core.site import Site
from cmdserver.core.version import VERSION
from cmdserver.frontends.web.pages.markup import Content, Markup, closing, element, join, opening
from cmdserver.frontends.web.pages.static import FILES

#: The addresses of forms and of static files, from the root; see `at`.
LOGIN_PATH, LOGOUT_PATH, STATIC_PATH, RUNS_PATH, HELP_PATH = "/-/login", "/-/logout", "/-/static/", "/-/runs", "/-/help"
#: The fields of the login.
NAME_FIELD, PASSWORD_FIELD, CODE_FIELD, NEXT_FIELD = "name", "password", "code", "next"
#: Which login a code is for, whose password was right.
LOGIN_FIELD = "login"
#: The field of the search among commands.
SEARCH_FIELD = "q"
#: Our own fields beside a command's values; no parameter can be called so, as a name has no dash. The anti-forgery
#: token, which a script sends as `TOKEN_HEADER`; that a form was sent, if only with empty fields; that somebody who was
#: asked has said yes; that the values of an address are to be changed before it runs;
#: by which column a table is sorted.
TOKEN_FIELD, SENT_FIELD, YES_FIELD, EDIT_FIELD = "csrf-token", "form-sent", "run-confirmed", "change-values"
SORT_FIELD = "sort-by"
OWN_FIELDS = frozenset({TOKEN_FIELD, SENT_FIELD, YES_FIELD, EDIT_FIELD, SORT_FIELD})
TOKEN_HEADER = "X-Cmdserver-Token"  # noqa: S105 - a name

#: The cookie by which our script says that it is there, so that no page has to be sent for as long as a run goes on. It
#: proves nothing, and nothing depends on it but how a page comes.
SCRIPT_COOKIE = b"cmdserver-script"
#: The field of an address that takes this back, for whoever has switched the script off.
NO_SCRIPT_FIELD = "no-script"


class Visitor(Struct, frozen=True, kw_only=True):
    """Who looks at a page, and from where."""

    #: What the administrator calls this host.
    site: Site
    #: None for somebody who has not logged in.
    name: str | None
    roles: tuple[str, ...] = ()
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
#: A worker lives as long as any page that uses it: another version is another worker.
_HUB_VERSION = FILES["hub.js"].etag[1:9].decode("ascii")


def page(
    visitor: Visitor,
    title: str,
    *body: Markup | None,
    here: str | None = None,
    is_bare: bool = False,
    is_list: bool = False,
) -> Markup:
    """Make a whole page; see `head`."""
    return join((head(visitor, title, here=here, is_bare=is_bare, is_list=is_list), *body, foot(visitor)))


def head(
    visitor: Visitor, title: str, *, here: str | None = None, is_bare: bool = False, is_list: bool = False
) -> Markup:
    """Make the beginning of a page, up to its content; `foot` is the end.

    Args:
        visitor: Who looks at it.
        title: Of the window, before the host's name.
        here: Below which of the addresses in the navigation it is; None for none of them.
        is_bare: Whether it leads nowhere but to the login.
        is_list: Whether it has the sheet and the script of lists.
    """
    site, kind = visitor.site, "list" if is_list else "page"
    about = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} – {site.name}"),
        element("link", rel="icon", href=at(visitor, f"{STATIC_PATH}icon.svg"), type="image/svg+xml"),
        element("link", rel="stylesheet", href=at(visitor, f"{STATIC_PATH}{kind}.css")),
        element("link", rel="stylesheet", href=at(visitor, f"{STATIC_PATH}site.css")),
        # async: it works while a page is still coming, as a run may take long.
        element("script", type="module", async_=True, src=at(visitor, f"{STATIC_PATH}{kind}.js")),
    )
    return join(
        (
            Markup("<!doctype html>\n"),
            opening("html", lang="en"),
            about,
            opening(
                "body",
                data_user=visitor.name or "",
                data_hub=at(visitor, f"{STATIC_PATH}hub.js?{_HUB_VERSION}"),
            ),
            element("a", "Skip to the content", href="#main", class_="skip"),
            _header(visitor, here, is_bare=is_bare),
            _MAIN,
        )
    )


def foot(visitor: Visitor) -> Markup:
    """Make the end of a page that `head` began."""
    links = (("Documentation", HELP_PATH), ("Metrics", "/metrics"), ("OpenAPI", "/-/openapi.json"))
    return join(
        (
            closing("main"),
            element(
                "footer",
                element("span", f"cmdserver {VERSION}"),
                *[element("a", name, href=at(visitor, path)) for name, path in links],
            ),
            closing("body", "html"),
        )
    )


def label(visitor: Visitor) -> Markup | None:
    """Make the label of this host, in its own colour; None if it has none."""
    return element("span", visitor.site.label, class_="label") if visitor.site.label else None


def notice(visitor: Visitor) -> Markup | None:
    """Make what the administrator tells all who come; None if that is nothing."""
    return element("p", visitor.site.notice, class_="notice") if visitor.site.notice else None


def _header(visitor: Visitor, here: str | None, *, is_bare: bool) -> Markup:
    icon = element("img", src=at(visitor, f"{STATIC_PATH}icon.svg"), alt="", width=28, height=28)
    brand = element("a", icon, element("b", visitor.site.name), href=at(visitor, "/"), class_="brand")
    if is_bare:
        return element("header", brand, label(visitor), element("div", class_="who"))
    return element("header", brand, label(visitor), _pages(visitor, here), *_who(visitor))


def _pages(visitor: Visitor, here: str | None) -> Markup:
    """Make the links to the pages that somebody works on."""

    def to(path: str, *content: Content) -> Markup:
        return element("a", *content, href=at(visitor, path), aria_current="true" if path == here else None)

    links = [to("/", "Commands")]
    if visitor.running is not None:
        count = f"{visitor.running} running" if visitor.running else ""
        running = element("span", count, class_="count", data_running=True, hidden=not visitor.running)
        links.append(to(RUNS_PATH, "Runs ", running))
    return element("nav", *links, class_="pages", aria_label="Pages")


def _who(visitor: Visitor) -> tuple[Markup, ...]:
    """Say who looks, and let them log in or out: beside each other on a desk, behind the name on a phone."""
    if visitor.name is None:
        to_login = link("Log in", at(visitor, LOGIN_PATH)) if visitor.may_log_in else None
        return (element("div", to_login, class_="who"),)
    roles = element("span", ", ".join(visitor.roles) or "no role", class_="roles")
    out = (
        element("form", token(visitor), element("button", "Log out"), method="post", action=at(visitor, LOGOUT_PATH))
        if visitor.may_log_in
        else None
    )
    name = element("b", visitor.name)
    return (
        element("div", element("p", name, roles), out, class_="who"),
        element("details", element("summary", name), element("div", roles, out), class_="who-phone"),
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
