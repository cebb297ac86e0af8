import torch

from neuromf.verification.machine import machine


def test_it_names_processor_memory_and_versions():
    said = machine()
    assert torch.__version__ in said
    assert " GiB, " in said
    assert " threads, " in said
