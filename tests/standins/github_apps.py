"""Registering an App from a manifest on the GitHub stand-in.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import ipaddress
import json
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

REGISTER = re.compile(r"^(?:/organizations/([\w-]+))?/settings/apps/new$")
_KEYS = {
    *("name", "url", "hook_attributes", "redirect_url", "callback_urls", "setup_url", "description"),
    *("public", "default_events", "default_permissions", "request_oauth_on_install", "setup_on_update"),
}
_LONGEST_NAME = 34


class ManifestRefused(Exception):
    """What GitHub's page would say of a manifest."""


class Apps:
    """One App at a time. `proxied` says where a public address really leads, as a proxy would."""

    root: str
    private_key: str
    granted: dict[str, str]
    card: dict[str, Any]
    hook: dict[str, Any]
    _secret: str
    _webhook_url: str
    _api: Any
    _template: Callable[..., Any]
    deliver: Callable[[str, str, bytes], int]

    def __init__(self) -> None:
        self.proxied: dict[str, str] = {}
        self.registered: list[dict[str, Any]] = []
        self.owners: list[str] = []
        self._codes: dict[str, dict[str, Any]] = {}

    def register(self, path: str, query: str, body: bytes) -> tuple[int, str, dict[str, str]]:
        """Answer the form of a browser whose user is signed in and agrees."""
        found = REGISTER.match(path)
        assert found is not None
        try:
            manifest = self._manifest(parse_qs(body.decode()))
        except ManifestRefused as refused:
            return 422, f"<h1>Invalid GitHub App configuration</h1><p>{refused}</p>", {}
        code = secrets.token_hex(20)
        self._codes[code] = manifest
        self.registered.append(manifest)
        self.owners.append(found[1] or "")
        self._secret = secrets.token_hex(20)
        public = manifest["hook_attributes"]["url"]
        base = next((each for each in self.proxied if public.startswith(each)), "")
        self._webhook_url = f"{self.proxied[base]}{public.removeprefix(base)}" if base else public
        self.hook = {"content_type": "json", "url": public}
        self.granted = dict(manifest["default_permissions"])
        self.card = {"permissions": self.granted, "events": manifest["default_events"]}
        ping = json.dumps({"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "App"}})
        threading.Thread(target=self.deliver, args=("ping", str(uuid.uuid4()), ping.encode())).start()
        state = parse_qs(query).get("state", [""])[0]
        answer = urlencode({"code": code, **({"state": state} if state else {})})
        return 302, "", {"Location": f"{manifest['redirect_url']}?{answer}"}

    def _manifest(self, form: Mapping[str, list[str]]) -> dict[str, Any]:
        try:
            manifest: dict[str, Any] = json.loads(form["manifest"][0])
        except (KeyError, ValueError):
            raise ManifestRefused("There is no manifest.") from None
        if unknown := sorted(set(manifest) - _KEYS):
            raise ManifestRefused(f"unknown keys: {unknown}")
        if not 0 < len(manifest.get("name", "")) <= _LONGEST_NAME or not manifest.get("url"):
            raise ManifestRefused("Name and url are needed; the name is too long.")
        if "url" not in manifest.get("hook_attributes", {}):
            raise ManifestRefused("hook_attributes needs a url")
        if _is_loopback(manifest["hook_attributes"]["url"]):
            raise ManifestRefused(
                "Hook url is not supported because it isn't reachable over the public Internet"
            )
        permissions = self._api.schema("app-permissions")["properties"]
        for name, level in manifest["default_permissions"].items():
            if level not in permissions.get(name, {}).get("enum", ()):
                raise ManifestRefused(f"no permission {name}: {level}")
        return manifest

    def convert(self, _call: Any, code: str) -> tuple[int, Any]:
        """Hand over the App for a code, once."""
        if self._codes.pop(code, None) is None:
            return 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}
        template = self._template("post", "/app-manifests/{code}/conversions", 201)
        return 201, {
            **template,
            "id": 4711,
            "slug": "scenarist",
            "html_url": f"{self.root}/apps/scenarist",
            "pem": self.private_key,
            "webhook_secret": self._secret,
            **self.card,
        }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
