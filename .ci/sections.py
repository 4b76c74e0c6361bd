"""Runs sections of README.md as pasted, each on a machine of its own: a folder with a bare system in it.

    sections.py FOLDER URL PACKAGES ROOT SECTION

FOLDER holds `root.jwk` and `app.jwt`, URL is the running server that issued them, PACKAGES is the folder of built packages, ROOT
the system: what is installed there is all that the section's reader has. `bash` blocks are run, a block in a language is a file
that its first line names, and a `text` block is what the block before it prints, `…` standing for anything.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def section(name):
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##)", text, re.M | re.S)
    if not found:
        sys.exit(f"README.md has no section {name}")
    return re.findall(r"^```(\w+)\n(.*?)^```$", found.group(1), re.M | re.S)


def run(script, root, url):
    # A variable of the shell, as in the sections before, and not of the environment.
    script = f"cd /root\nURL={url}\n{script}"
    environment = ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8"]
    command = ["/usr/sbin/chroot", str(root), *environment, "bash", "-ec", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=False)
    return done.returncode, done.stdout


def matches(printed, shown):
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip()) is not None


def walk(name, given, url, packages, root):
    blocks = section(name)
    kinds = [kind for kind, _ in blocks]
    if kinds.count("bash") < 2 or "text" not in kinds:
        sys.exit(f"{name}: the section shows {kinds}, and no installation, run and answer")
    folder = root / "root"
    for file in (*given.iterdir(), *packages.iterdir()):
        if file.is_file():
            shutil.copy(file, folder)
    printed = ""
    for kind, text in blocks:
        if kind == "bash":
            code, printed = run(text, root, url)
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
    given, url, packages, root, name = sys.argv[1:]
    walk(name, Path(given), url, Path(packages), Path(root))
