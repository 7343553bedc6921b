"""How the web app refuses a request: a stable code, what happened, what to do."""

import json

# How a request can be refused, and what to do: codes of `docs/errors.md`.
REFUSALS = {
    "SCN-1200": (
        "No webhook secret is configured for this forge.",
        "Set the forge's webhook secret on the web app; docs/settings.md names the variable.",
    ),
    "SCN-1201": (
        "The signature of a delivery does not match the webhook secret.",
        "Give the forge and the web app the same secret; docs/settings.md names the variable.",
    ),
    "SCN-1202": (
        "The payload of a delivery cannot be read.",
        "Look at it in the forge's list of deliveries; report it if the forge sent it.",
    ),
    "SCN-1203": ("The body of a delivery is too large.", "Raise SCENARIST_MAX_BODY_BYTES."),
    "SCN-1204": (
        "A delivery lacks its event name or GUID.",
        "Let the forge itself send it: the answer names the headers that are needed.",
    ),
    "SCN-1205": (
        "A delivery could not be stored.",
        "Check the database, then have the forge send it again. Where the forge keeps a list of deliveries, "
        "Scenarist also asks for it by itself.",
    ),
    "SCN-1206": ("A delivery was not a POST request.", "Enter this address as a webhook's URL."),
    "SCN-1207": (
        "A control of a run came without the operator's token.",
        "Send the header `Authorization: Bearer` with the value of SCENARIST_CONTROL_TOKEN.",
    ),
    "SCN-1209": (
        "A form did not come from a page of this session.",
        "Reload the page of the run, then press the button there.",
    ),
    "SCN-1210": (
        "Somebody without write access tried to control a run.",
        "Ask somebody who may write to the repository.",
    ),
    "SCN-1211": (
        "The metrics were asked for without a token.",
        "Send the header `Authorization: Bearer` with the value of SCENARIST_METRICS_TOKEN.",
    ),
    "SCN-1208": (
        "The webhook sends forms instead of JSON.",
        "Set the webhook's content type to application/json.",
    ),
}


def error_body(code: str, message: str = "") -> bytes:
    message = message or " ".join(REFUSALS[code])
    return json.dumps({"error": {"code": code, "message": message}}).encode()
