"""The web app in a thread under uvicorn, on a real socket."""

import threading
from typing import Any

import uvicorn

from bot.config.settings import Settings
from bot.forges.github.webhooks.receiver import GitHubReceiver
from bot.storage.store import Store
from bot.web.app import WebApp
from bot.worker.processes import free_port

SECRET = b"a-webhook-secret"
LABELS = ("agent:implement", "agent:spec")


class Running:
    """The web app in its own thread under uvicorn; `controlled` are the runs whose workers were woken."""

    def __init__(self, store: Store, ring: Any, **settings: Any) -> None:
        port = free_port()
        self.controlled: list[str] = []
        web = WebApp(
            store,
            ring,
            self.controlled.append,
            receivers={"github": GitHubReceiver(LABELS, SECRET), "local": GitHubReceiver(LABELS)},
            settings=Settings.model_validate({"max_body_bytes": 100_000, "pages": "public", **settings}),
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                web,
                host="127.0.0.1",
                port=port,
                log_level="critical",
                loop="uvloop",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> "Running":
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
