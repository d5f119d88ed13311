"""`dianfu wechat …`: the official account's menu, templates and codes, and whether all of it is as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from yaml import YAMLError

from api.channels.wechat.client import MAX_SCENE_SECONDS, WeChatClient
from api.channels.wechat.errors import Verdict, WeChatRefused, WeChatUnreachable
from api.channels.wechat.menu import Menu
from api.channels.wechat.templates import Templates
from api.settings import ApiSettings
from ops.output import Exit, fail
from ops.tool import settings_of

wechat_app = typer.Typer(help="The WeChat official account: menu, templates, codes.", no_args_is_help=True)
T = TypeVar("T")
_HINTS = {
    Verdict.CONFIG: "look at AppID and AppSecret, and at the list of allowed addresses (IP白名单) of the account",
    Verdict.TOKEN: "the token is refused; was the AppSecret changed?",
    Verdict.RATE: "too many calls today or this minute; try later",
    Verdict.NOT_ALLOWED: "this kind of account may not do it; a verified service account may",
    Verdict.RETRY: "WeChat is busy; try again",
}
_EXAMPLE = "https://example.invalid"


@wechat_app.command()
def menu(
    show: Annotated[bool, typer.Option("--show", help="Only say what menu there is.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Take the menu away.")] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Only read data/wechat/menu.yaml; calls nobody.")] = False,
) -> None:
    """Create the menu of data/wechat/menu.yaml; telephones show it within five minutes."""
    if show + delete + check_only > 1:
        fail("--show, --delete and --check exclude one another", Exit.SETTINGS)
    settings = settings_of(ApiSettings)
    if check_only:
        _print_menu(settings, _menu(settings))
        return
    if show:
        _show(settings)
        return
    if delete:
        _ask(settings, lambda client: client.delete_menu())
        typer.echo("the menu is gone")
        return
    planned = _menu(settings)
    written = _print_menu(settings, planned)
    _ask(settings, lambda client: client.create_menu(written))
    typer.echo("the menu is made; telephones show it within five minutes")


@wechat_app.command()
def check() -> None:
    """See whether a token can be had, the menu is that of the file, and which kinds of messages have no template."""
    settings = settings_of(ApiSettings)
    planned, templates = _menu(settings), _templates(settings)

    async def look(client: WeChatClient) -> bool:
        await client.check()
        typer.echo("token      a token can be had")
        return planned.same_as(await client.get_menu(), settings.public_url)

    same = _ask(settings, look)
    typer.echo(f"menu       {'as in data/wechat/menu.yaml' if same else 'differs: run `dianfu wechat menu`'}")
    missing = ", ".join(f"{kind} ({templates.kinds[kind].title})" for kind in templates.without_id)
    typer.echo(f"templates  {f'no id in DIANFU_WECHAT_TEMPLATES: {missing}' if missing else 'all kinds have one'}")
    if not same:
        raise typer.Exit(Exit.FAILED)


@wechat_app.command()
def qr(
    scene: Annotated[str, typer.Argument(help="What the code brings along, at most 64 characters.")],
    seconds: Annotated[
        int | None, typer.Option(min=1, max=MAX_SCENE_SECONDS, help="How long it lasts; without it for ever.")
    ] = None,
) -> None:
    """Print the address of the picture of a QR code that brings a scene along."""
    try:
        code = _ask(settings_of(ApiSettings), lambda client: client.qrcode(scene, seconds))
    except ValueError as error:
        fail(str(error), Exit.SETTINGS)
    typer.echo(code.image)


def _ask(settings: ApiSettings, call: Callable[[WeChatClient], Awaitable[T]]) -> T:
    """Return what a call yields; ends the command if WeChat refuses it or cannot be reached."""
    if not settings.wechat_appid:
        fail("WeChat is not set up: DIANFU_WECHAT_APPID is not set (docs/wechat.md)", Exit.SETTINGS)

    async def asked() -> T:
        client = WeChatClient.of(settings)
        try:
            return await call(client)
        finally:
            await client.close()

    try:
        return asyncio.run(asked())
    except WeChatRefused as error:
        hint = _HINTS.get(error.verdict)
        fail(f"WeChat refuses: {error}" + (f"; {hint}" if hint else ""))
    except WeChatUnreachable as error:
        fail(f"WeChat cannot be reached at {settings.wechat_url}: {error}")


def _show(settings: ApiSettings) -> None:
    found = _ask(settings, lambda client: client.get_menu())
    if found is None:
        typer.echo("there is no menu")
        return
    for button in found.get("button", ()):
        typer.echo(_line(button))
        for sub in button.get("sub_button", ()):
            typer.echo("  " + _line(sub))
    same = _menu(settings).same_as(found, settings.public_url)
    typer.echo("it is that of data/wechat/menu.yaml" if same else "it differs from data/wechat/menu.yaml")


def _line(item: dict[str, str]) -> str:
    target = item.get("url") or item.get("key")
    return f"{item.get('name', '')}{f'  {target}' if target else ''}"


def _print_menu(settings: ApiSettings, planned: Menu) -> dict[str, object]:
    url = settings.public_url or _EXAMPLE
    try:
        written = planned.as_json(url)
    except ValueError as error:
        fail(str(error), Exit.SETTINGS)
    for line in planned.lines(url):
        typer.echo(line)
    return written


def _menu(settings: ApiSettings) -> Menu:
    path = settings.data_dir / "wechat/menu.yaml"
    try:
        return Menu.load(path)
    except (OSError, ValidationError, YAMLError) as error:
        fail(f"{path} is bad: {_words(error)}", Exit.SETTINGS)


def _templates(settings: ApiSettings) -> Templates:
    path = settings.data_dir / "wechat/templates.yaml"
    try:
        return Templates.load(path, settings.wechat_templates)
    except (OSError, ValidationError, YAMLError) as error:
        fail(f"{path} or DIANFU_WECHAT_TEMPLATES is bad: {_words(error)}", Exit.SETTINGS)


def _words(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))} {one['msg'].removeprefix('Value error, ')}".strip() for one in found
    )
