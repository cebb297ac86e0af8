"""Commands as they are typed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys


def typed(*words: str) -> str:
    """Return words as a line that the shell of this system takes as it stands: quoted where they
    hold spaces or what a shell reads otherwise.
    """
    # Windows' shell takes single quotes for letters of a word
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def item(text: str) -> str:
    """Return a text as an element of a list on the command line, `key=[a,b]`: in quotes of YAML
    where it has a comma, a space, or another character that means something there.
    """
    return text if re.fullmatch(r"[\w./~@%+-]+", text) else json.dumps(text, ensure_ascii=False)
