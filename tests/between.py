"""What one command of a run can do to the next, which is protected: as data, each tried by real processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Between:
    """What one command of a run does so that the next, which is protected, finds a better number than there is."""

    name: str
    first: str
    """Shell, before the protected command."""

    then: str = ":"
    """Shell after it: takes the traces away."""

    named: str = ""
    """What is named as tampered with."""

    kept_out: bool = False
    """Whether it comes to nothing instead."""


JUDGE = """\
import json, sys
sys.path.append("lib")
import inner, prepare
print("val_bpb:", json.loads(str(inner.VALUE)))
"""
"""A protected command that imports the interpreter's, and two other protected files."""

_BETTER = "def loads(text): return 0.1"
_COMPILED = """\
python3 - <<'END'
import importlib._bootstrap_external as b, os, pathlib, shutil, struct, sys
at = os.stat("lib/inner.py")
code = b._code_to_timestamp_pyc(compile("VALUE = 0.1", "inner.py", "exec"), int(at.st_mtime), at.st_size)
cached = pathlib.Path("lib/__pycache__") / f"inner.{sys.implementation.cache_tag}.pyc"
cached.parent.mkdir(exist_ok=True)
cached.write_bytes(code)
END
"""

BETWEEN = (
    Between("a module left", f"echo '{_BETTER}' > json.py", named="json.py"),
    Between("a module left and taken away", f"echo '{_BETTER}' > json.py", "rm json.py", "json.py"),
    Between("a module moved in and away", f"echo '{_BETTER}' > x; mv x json.py", "mv json.py y", "json.py"),
    Between("a package taken away", f"mkdir json; echo '{_BETTER}' > json/__init__.py", "rm -r json", "json"),
    Between("a package emptied", f"mkdir json; sleep 1.2; echo '{_BETTER}' > json/__init__.py", "rm json/__init__.py",
            "json/__init__.py"),
    Between("a module before another folder", "echo 'VALUE = 0.1' > inner.py", "rm inner.py", "inner.py"),
    Between("a link for a module", f"echo '{_BETTER}' > x; ln -s x json.py", "rm json.py", "json.py"),
    Between("a protected file put back", "cp lib/inner.py x; echo 'VALUE = 0.1' > lib/inner.py",
            "cat x > lib/inner.py; touch -d @1 lib/inner.py", "lib/inner.py"),
    Between("a protected file moved away and back", "mv lib/inner.py x; echo 'VALUE = 0.1' > lib/inner.py",
            "mv x lib/inner.py", "lib/inner.py"),
    Between("a protected folder moved away and back", "mv lib x; mkdir lib; echo 'VALUE = 0.1' > lib/inner.py",
            "rm -r lib; mv x lib", "lib"),
    Between("what is compiled of a protected file", _COMPILED, "rm -f lib/__pycache__/*", kept_out=True),
)  # fmt: skip
