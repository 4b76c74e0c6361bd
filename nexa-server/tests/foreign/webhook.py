"""A receiver in another language: real deliveries of a server, in the hands of the official library of Standard Webhooks
and of the README's own lines.

    webhook.py URL README FOLDER

URL is a running server that may send to 127.0.0.1. The deliveries are written to FOLDER/deliveries.json, for webhook.mjs.

The official library for Python knows the symmetric scheme (v1) alone. It is given what was delivered with one more signature,
of its own making and of that scheme: it has to read our headers, our time and our list, pass over our v1a, and find its own
over our id, time and body. The Ed25519 signature itself is checked as the README says, by the package cryptography.
"""

import base64
import http.server
import json
import queue
import re
import sys
import threading
import urllib.request
from datetime import datetime, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

URL, README, FOLDER = sys.argv[1:]
posts = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        posts.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def ask(method, path, body=None, key=None):
    request = urllib.request.Request(URL + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("X-API-Key", key)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def must_fail(what, check):
    try:
        passed = check()
    except WebhookVerificationError:
        passed = False
    assert passed is False, what


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
agent = ask("POST", "/v1/account/register", {"name": "Python", "webhook_url": f"http://127.0.0.1:{server.server_port}/"})
key = agent["api_key"]
made = ask("POST", "/api/v1/api-keys", {"name": "Zoë <\"k\">", "scopes": ["signals"]}, key)
ask("DELETE", f"/api/v1/api-keys/{made['id']}", key=key)

readme = open(README, encoding="utf-8").read()
[lines] = [block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "whpk_" in block]
names = {}
exec(lines, names)
is_genuine = names["is_genuine"]
public_keys = ask("GET", "/.well-known/webhook-keys.json")["standard_webhooks"]
tenant_id = ask("GET", "/v1/account/info", key=key)["id"]

deliveries = [posts.get(timeout=30) for _ in range(3)]
kinds = []
official = Webhook("whsec_" + base64.b64encode(b"a secret of the test, 24 bytes").decode())
for headers, body in deliveries:
    assert is_genuine(public_keys, headers, body)
    assert not is_genuine(public_keys, headers, body + b" ")
    assert not is_genuine(public_keys, {**headers, "webhook-id": headers["webhook-id"][:-1] + "x"}, body)
    assert not is_genuine(public_keys, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body)
    assert not is_genuine(["whpk_" + base64.b64encode(bytes(31) + b"\x01").decode()], headers, body)

    must_fail("the library passes what it knows no signature of", lambda: official.verify(body, headers))
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=timezone.utc)
    own = official.sign(headers["webhook-id"], at, body.decode())
    signed = {**headers, "webhook-signature": headers["webhook-signature"] + " " + own}
    read = official.verify(body, signed)
    must_fail("another body", lambda: official.verify(body + b" ", signed))
    assert read["id"] == headers["webhook-id"] and read["tenant_id"] == tenant_id, read
    assert headers["content-type"] == "application/json" and headers["user-agent"].startswith("nexa-webhooks/")
    kinds.append(read["type"])
assert sorted(kinds) == ["key.created", "key.created", "key.revoked"], kinds
with open(f"{FOLDER}/deliveries.json", "w", encoding="utf-8") as file:
    json.dump({"publicKeys": public_keys, "deliveries": [{"headers": h, "body": b.decode()} for h, b in deliveries]}, file)
print(f"{len(deliveries)} webhooks are read by the official library and genuine to cryptography")
