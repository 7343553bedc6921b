"""`scenarist setup github`."""

import ipaddress
import json
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from bot.cli.options import AsJson, Port
from bot.cli.setup.manifest_page import ManifestPage
from bot.cli.setup.settings_file import next_steps, settings_text, write_private
from bot.config.settings import Settings, SettingsInvalid, load_settings
from bot.config.urls import github_web_url
from bot.forges.github.app import AppTokens
from bot.forges.github.manifest import NewApp, convert, manifest, registration_url
from bot.worker.processes import listen
from gherkin.errors import ScenaristError
from runners.sandbox.scratch import make_state_folder

_HOUR_S = 3600  # GitHub's code is good for that long
_TEST_S = 60.0
_ASK_AGAIN_S = 5.0


class AppExists(ScenaristError):
    """A GitHub App is set up already, and its key is not overwritten."""

    code = "SCN-1007"
    next_step = (
        "`scenarist doctor` checks it. To make another one, unset SCENARIST_GITHUB_APP_ID and give another "
        "--folder."
    )


class NotRegistered(ScenaristError):
    """The browser did not come back from GitHub with an App."""

    code = "SCN-1008"
    next_step = (
        "Run the command again, and open the address that it prints. On a server, forward the port first: "
        "`ssh -L PORT:127.0.0.1:PORT SERVER`."
    )


def github(
    url: Annotated[
        str, typer.Option(help="Where GitHub reaches the web app; SCENARIST_PUBLIC_URL if not given.")
    ] = "",
    org: Annotated[
        str, typer.Option(help="The organisation that owns the App; left out: your account.")
    ] = "",
    name: Annotated[str, typer.Option(help="The App's name, which must be unique on GitHub.")] = "Scenarist",
    port: Port = 8080,
    folder: Annotated[
        Path | None, typer.Option(help="Where key and settings are written; `github` in the state folder.")
    ] = None,
    push: Annotated[bool, typer.Option(help="Also receive pushes, for `auto_rebase`.")] = True,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    as_json: AsJson = False,
) -> None:
    """Make a GitHub App for this bot: key, secrets and settings, an install link, a test delivery.

    Listens on 127.0.0.1 and the port that `scenarist up` uses later, so that the test delivery arrives in the
    same way as all others. For GitHub Enterprise Server set SCENARIST_GITHUB_API_URL. Exit status 1 when the
    App is made and no delivery arrived.
    """
    settings = load_settings()
    address = _address(url or settings.public_url)
    place = (folder or settings.state_dir / "github").resolve()
    key_file, settings_file = place / "app.pem", place / "settings.env"
    if settings.github_app_id or key_file.exists() or settings_file.exists():
        found = settings.github_app_id or place
        raise AppExists(f"There is an App already: {found}.")
    make_state_folder(settings.state_dir)
    # The key is given once: whether it can be written is tried before GitHub is asked for it.
    with tempfile.TemporaryFile(dir=make_state_folder(place)):
        pass

    def accept(code: str) -> NewApp:
        app = convert(settings.github_api_url, code)
        write_private(key_file, app.private_key)
        write_private(settings_file, settings_text(_settings_of(app, key_file, address, settings)))
        return app

    def say(text: str) -> None:
        typer.echo(text, err=as_json)

    web = settings.github_web_url.rstrip("/") or github_web_url(settings.github_api_url)
    with listen("127.0.0.1", port) as listener, ManifestPage(listener, accept) as page:
        page.show(
            registration_url(web, org, page.state), manifest(name, address, page.redirect_url, push=push)
        )
        say(f"Open this page to make the App on {urlsplit(web).netloc}:\n\n    {page.url}\n")
        if browser:
            webbrowser.open(page.url)
        app = page.wait_for_app(_HOUR_S)
        if app is None:
            raise NotRegistered("Nobody came back from GitHub within an hour.")
        say(f"The App {app.slug} is made. Its key is in {key_file}, its settings are in {settings_file}.")
        say("Waiting for a test delivery …")
        problem = _test_delivery(page, settings, app)
    if as_json:
        made = {"app": app.slug, "id": app.id, "key": str(key_file), "settings": str(settings_file)}
        result = {**made, "install": app.install_url, "delivered": not problem, "problem": problem}
        typer.echo(json.dumps(result, indent=2))
    else:
        say(problem or "A signed test delivery arrived.")
        install = f"Install it on your repositories: {app.install_url}"
        say(f"\n{next_steps(install, settings_file=settings_file)}")
    raise typer.Exit(1 if problem else 0)


def _address(given: str) -> str:
    """Return the web app's address without a slash at its end. Raises `SettingsInvalid`."""
    if not given:
        raise SettingsInvalid("SCENARIST_PUBLIC_URL is not set, and --url is not given.")
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise SettingsInvalid(f"{given[:200]!r} is not the address of a web app: write https://HOST.")
    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost" or host.endswith(".localhost")
    if own:
        raise SettingsInvalid(
            f"GitHub cannot reach {host}. Give another address with SCENARIST_PUBLIC_URL or --url."
        )
    return given.rstrip("/")


def _settings_of(app: NewApp, key_file: Path, address: str, settings: Settings) -> dict[str, object]:
    """Return the environment variables with which the bot is this App."""
    own = (
        {}
        if settings.github_api_url == Settings.model_fields["github_api_url"].default
        else {"SCENARIST_GITHUB_API_URL": settings.github_api_url}
    )
    return {
        **own,
        "SCENARIST_GITHUB_APP_ID": app.id,
        "SCENARIST_GITHUB_PRIVATE_KEY_FILE": key_file,
        "SCENARIST_GITHUB_WEBHOOK_SECRET": app.webhook_secret,
        "SCENARIST_GITHUB_CLIENT_ID": app.client_id,
        "SCENARIST_GITHUB_CLIENT_SECRET": app.client_secret,
        "SCENARIST_PUBLIC_URL": address,
    }


def _test_delivery(page: ManifestPage, settings: Settings, app: NewApp) -> str:
    """Wait for a delivery of the new App, and have GitHub repeat one that failed.

    Returns the problem in words; an empty text when one arrived.
    """
    tokens = AppTokens(settings.github_api_url, str(app.id), app.private_key)
    until = time.monotonic() + _TEST_S
    said = "GitHub has sent nothing yet."
    while time.monotonic() < until:
        if page.wait_for_delivery(app.webhook_secret, _ASK_AGAIN_S):
            return ""
        try:
            last = tokens.last_delivery()
            if last is not None and last.failed:
                said = f"GitHub's delivery failed: {last.status}."
            tokens.ask_again(1)
        except ScenaristError as error:
            said = error.message
    return f"No delivery arrived. {said} Look at the proxy that leads to port {page.root.rpartition(':')[2]}."
