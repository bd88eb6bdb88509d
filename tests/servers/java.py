"""Java, for the servers and programs of the tests that are written in it."""

import re
import subprocess

from tests.servers.required import MissingPartError, executable

BRIEF = ("-XX:TieredStopAtLevel=1",)
"""For a short life: half of its processor time went into compiling what is never hot."""
_GET_JAVA = "apt install openjdk-17-jdk-headless"
_OLDEST = 17


def java() -> str:
    """Find Java.

    Raises: MissingPartError without Java 17 or later.
    """
    found = executable("java", _GET_JAVA)
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST:
        raise MissingPartError(f"Java {_OLDEST} or later", _GET_JAVA)
    return found
