"""Compares the verdicts of the differential run. Takes the folder with the tokens (`lines`) and a file of verdicts for each reader.

Ends with 1 if Nexa accepts what the three others refuse, or if the C library answers anything else than the Rust crate.
"""

import base64
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

OTHERS = ("jose", "jsonwebtoken", "pyjwt")
# `LicenseExpectations::MAX_LIFETIME_S`, which nobody changes here.
MAX_LIFETIME_S = 400 * 86_400


def verdicts(folder: Path, reader: str) -> list[tuple[bool, str]]:
    """Whether the reader accepts each token, and why or why not."""
    found = []
    for line in (folder / reader).read_text(encoding="utf-8").splitlines():
        verdict, _, why = line.partition("\t")
        if verdict not in ("accept", "refuse"):
            sys.exit(f"{reader}: {line!r} is no verdict")
        found.append((verdict == "accept", why))
    return found


def is_grace(token: str, now: int, nexa: tuple[bool, str], others: dict[str, tuple[bool, str]]) -> bool:
    """Whether the licence has expired and its signed grace has not: the others know no grace. jose looks at `exp` last, so with
    this reason it finds nothing else wrong; whether the grace holds is reckoned here once more."""
    if nexa != (True, "expired") or others["jose"] != (False, "ERR_JWT_EXPIRED"):
        return False
    try:
        payload = decoded(token).split(b".")[1].decode("ascii")
        claims = json.loads(decoded(payload))
        exp, iat, grace_s = claims["exp"], claims["iat"], claims["lic"]["grace_s"]
    except (ValueError, LookupError, TypeError):
        return False
    return exp <= now < min(exp + grace_s, iat + MAX_LIFETIME_S)


def decoded(text: str) -> bytes:
    """The bytes that base64url without padding stands for."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def table(head: list[str], rows: list[list[object]]) -> None:
    """Prints a Markdown table: text on the left, numbers on the right."""
    print(f"\n| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def main(folder: Path) -> int:
    """Compares and prints; the answer is the exit code."""
    setup, *lines = (folder / "lines").read_text(encoding="ascii").splitlines()
    now = json.loads(setup)["now"]
    fields = [line.split("\t") for line in lines]
    readers = {reader: verdicts(folder, reader) for reader in ("nexa", "c_library", *OTHERS)}
    for reader, found in readers.items():
        if len(found) != len(lines):
            sys.exit(f"{reader} has {len(found)} verdicts for {len(lines)} tokens")

    alone, other_codes, grace = [], [], 0
    stricter: dict[str, Counter[str]] = defaultdict(Counter)
    looser: dict[str, Counter[str]] = defaultdict(Counter)
    for number, (name, _, token) in enumerate(fields):
        nexa = readers["nexa"][number]
        others = {reader: readers[reader][number] for reader in OTHERS}
        if readers["c_library"][number] != nexa:
            other_codes.append(number)
        if is_grace(token, now, nexa, others):
            grace += 1
            continue
        if nexa[0] and not any(accepts for accepts, _ in others.values()):
            alone.append(number)
        for reader, (accepts, why) in others.items():
            if accepts and not nexa[0]:
                stricter[nexa[1]][reader] += 1
            if nexa[0] and not accepts:
                looser[f"{reader}: `{why}`"][name.split("/")[0]] += 1
        if not nexa[0] and all(accepts for accepts, _ in others.values()):
            stricter[nexa[1]]["all"] += 1

    accepted = {reader: sum(accepts for accepts, _ in found) for reader, found in readers.items()}
    table(["reader", "accepts", "refuses"], [[r, n, len(lines) - n] for r, n in accepted.items()])
    print("\nNexa refuses what others accept, by Nexa's code:")
    rows = [[f"`{code}`", *(count[r] for r in OTHERS), count["all"]] for code, count in stricter.items()]
    table(["code", *OTHERS, "all three"], sorted(rows, key=lambda row: (-sum(row[1:]), row[0])))
    print("\nNexa accepts what a single library refuses, and by what name it does:")
    rows = [
        [why, sum(count.values()), ", ".join(f"{n} {name}" for name, n in count.most_common(4))]
        for why, count in looser.items()
    ]
    table(["library and reason", "tokens", "most of them of"], sorted(rows, key=lambda row: (-row[1], row[0])))
    escaped = {r: sum(why.startswith("escaped:") for _, why in readers[r]) for r in OTHERS}
    print(f"\nErrors that are not the library's own: {escaped}")

    print(f"{grace} licences that have expired are accepted within their signed grace; jose finds nothing else wrong with them.")
    for number in alone[:20]:
        whys = {r: readers[r][number][1] for r in OTHERS}
        print(f"token {number} ({fields[number][0]}): Nexa accepts it, nobody else does: {whys}")
    for number in other_codes[:20]:
        print(f"token {number}: {readers['nexa'][number]} in Rust, {readers['c_library'][number]} in C")
    print(f"{len(lines)} tokens: Nexa accepts {len(alone)} that all three refuse; Rust and C differ on {len(other_codes)}.")
    # A run in which hardly anything is accepted, or refused, would show nothing.
    is_worth_it = all(len(lines) // 10 < n < len(lines) * 9 // 10 for n in accepted.values())
    if not is_worth_it:
        print("one of the readers accepts almost nothing or almost everything: the run shows nothing")
    return int(bool(alone or other_codes) or not is_worth_it)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
