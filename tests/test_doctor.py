import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from neuromf import doctor


def test_report_names_machine_extras_tools_and_every_verb(monkeypatch):
    text = doctor.report(["toy"])
    for word in (
        "CPU",
        "memory",
        "GPU",
        "torch",
        *(f"[{extra}]" for extra in doctor.EXTRAS),
        *doctor.TOOLS,
    ):
        assert word in text
    assert "toy        will work" in text
    monkeypatch.setattr(doctor, "CORE", ("torch", "no_such_module"))
    assert "toy        will not work: no_such_module missing" in doctor.report(["toy"])


def test_an_apple_gpu_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "has_mps", lambda: True)
    monkeypatch.setattr(doctor.torch.mps, "recommended_max_memory", lambda: 12 * 2**30)
    assert "GPU mps    Apple, 12.0 GiB" in doctor.report(["toy"])


def test_missing_modules_are_found():
    assert doctor.missing(("torch", "no_such_module")) == ["no_such_module"]


def test_a_machine_that_lacks_a_package_is_told_so():
    """The doctor imports nothing that it says is missing."""
    code = (
        "import sys\n"
        "for name in ('nibabel', 'monai', 'pytorch_lightning', 'omegaconf', 'isal'):\n"
        "    sys.modules[name] = None\n"
        "from neuromf import doctor\n"
        "doctor.missing = lambda names: [n for n in names if n == 'nibabel']\n"
        "print(doctor.report(['prepare']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prepare    will not work: nibabel missing" in done.stdout


def test_every_package_that_is_needed_is_looked_for():
    record = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    needed = {re.match(r"[\w-]+", line)[0].lower() for line in record["project"]["dependencies"]}
    brings = metadata.packages_distributions()
    found = {package.lower() for module in doctor.CORE for package in brings[module]}
    assert needed <= {package.replace("_", "-") for package in found}
