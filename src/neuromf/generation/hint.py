"""Commands that are printed to be copied."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess


def hint(*words: str) -> str:
    """Return `neuromf` and its words as the shell of this system takes them, with quotes where a
    folder's name has spaces.
    """
    line = ["neuromf", *words]
    # cmd.exe knows no single quotes, and a backslash there is no reason for any
    return subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)


def item(text: str) -> str:
    """Return a text as an element of a list on the command line, `key=[a,b]`: in quotes of YAML
    where it has a comma, a space, or another character that means something there.
    """
    return text if re.fullmatch(r"[\w./~@%+-]+", text) else json.dumps(text, ensure_ascii=False)
