"""A model server that replies at once, with OpenAI's chat completions API: model_server.py PORT TOOL.

Each reply calls TOOL with a different command. All programs that are measured get the same replies.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one packet an answer: a second would wait for the client's delayed acknowledgement

    def log_message(self, *_args: Any) -> None:
        pass

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        function = {"name": sys.argv[2], "arguments": json.dumps({"command": f"echo {turn}"})}
        call = {"index": 0, "id": f"call_{turn}", "type": "function", "function": function}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        head = {"id": "1", "created": 1, "model": "instant"}
        if request.get("stream"):
            first = {
                "index": 0,
                "delta": {"role": "assistant", "content": "", "tool_calls": [call]},
                "finish_reason": None,
            }
            last = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
            chunks = [
                {**head, "object": "chat.completion.chunk", "choices": [first]},
                {**head, "object": "chat.completion.chunk", "choices": [last]},
                {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage},
            ]
            body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": "", "tool_calls": [call]}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
            body = json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            kind = "application/json"
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    server.serve_forever()
