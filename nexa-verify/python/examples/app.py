# app.py: checks its licence, fetches what it wants, and keeps what it has learnt in a file
import os
import sys
from pathlib import Path

import nexa_verify

url, device, state = sys.argv[1], {"fingerprint": "my-laptop"}, Path("app.state")
root = Path("root.jwk").read_text()  # in a program of yours: a constant
client = nexa_verify.Client(root=root, issuer=url, audience="agentyk-engine", device=device)
try:
    client.restore(state.read_bytes(), "my-laptop")
except (FileNotFoundError, nexa_verify.NexaError) as error:
    print("begins anew:", error)
report = client.update(Path("app.jwt").read_text().strip())
beside = Path(f"app.state.{os.getpid()}")
beside.write_bytes(client.save("my-laptop"))
os.replace(beside, state)  # the old state or the new one, and never half of it
for problem in report.problems:
    print(f"{problem.wanted.document}: {problem.message}")
print(f"{report.decision.value}: {report.code}, revocation {report.revocation}, {report.freshness}")
