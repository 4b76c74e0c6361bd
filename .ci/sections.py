"""Runs sections of README.md as pasted: each in a folder of its own, with nothing but that language's usual tools.

    sections.py FOLDER URL PACKAGES SECTION...

FOLDER holds `root.jwk` and `app.jwt`, URL is the running server that issued them, PACKAGES the folder of built packages. Of a
section, `bash` blocks are run, a block in a language is a file that its first line names, and a `text` block is what the block
before it prints, `…` standing for anything.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
# No cargo, no checkout: what a user of the package has.
TOOLS = "/usr/local/bin:/usr/bin:/bin"


def section(name):
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##)", text, re.M | re.S)
    if not found:
        sys.exit(f"README.md has no section {name}")
    return re.findall(r"^```(\w+)\n(.*?)^```$", found.group(1), re.M | re.S)


def run(script, folder, url):
    environment = {"PATH": TOOLS, "HOME": str(folder), "LANG": "C.UTF-8"}
    # A variable of the shell, as in the sections before, and not of the environment.
    script = f"URL={url}\n{script}"
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout


def matches(printed, shown):
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip()) is not None


def walk(name, given, url, packages):
    blocks = section(name)
    kinds = [kind for kind, _ in blocks]
    if kinds.count("bash") < 2 or "text" not in kinds:
        sys.exit(f"{name}: the section shows {kinds}, and no installation, run and answer")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for file in (*given.iterdir(), *packages.iterdir()):
            if file.is_file():
                shutil.copy(file, folder)
        printed = ""
        for kind, text in blocks:
            if kind == "bash":
                code, printed = run(text, folder, url)
                if code != 0:
                    sys.exit(f"{name}: exit code {code} from\n{text}\nwhich printed\n{printed}")
            elif kind == "text":
                if not matches(printed, text):
                    sys.exit(f"{name}: printed\n{printed}\ninstead of\n{text}")
            else:
                first = text.split("\n", 1)[0]
                file = re.search(r"[\w.-]+\.\w+", first)
                if not file:
                    sys.exit(f"{name}: the first line names no file: {first}")
                (folder / file.group()).write_text(text, encoding="utf-8")
    print(f"README.md, {name}: works as pasted")


if __name__ == "__main__":
    given, url, packages, *names = sys.argv[1:]
    for name in names:
        walk(name, Path(given), url, Path(packages))
