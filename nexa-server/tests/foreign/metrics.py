"""A real /metrics answer in the hands of Prometheus' own parser. Takes the URL of the page."""
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1]) as answer:
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4", answer.headers
    families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}

requests = families["nexa_http_requests"]
assert requests.type == "counter", requests
routes = {sample.labels["route"] for sample in requests.samples}
assert "/api/licenses/issue" in routes or "/.well-known/jwks.json" in routes, routes
durations = families["nexa_http_request_duration_seconds"]
assert durations.type == "histogram", durations
counted = {s.labels["route"]: s.value for s in durations.samples if s.name.endswith("_count")}
for sample in durations.samples:
    if sample.labels.get("le") == "+Inf":
        assert sample.value == counted[sample.labels["route"]], sample
assert families["nexa_build_info"].samples[0].value == 1
untold = [name for name, family in families.items() if not family.documentation or family.type == "unknown"]
assert not untold, untold
print(f"Prometheus' parser reads {len(families)} metrics, each with its help and type")
