"""How long listing and splitting a large BIDS tree takes, and how much memory.

`python benchmarks/listing.py [--subjects 30000] [--sessions 2] [--out FILE]`. The tree has scans of
2³ voxels and is written to a temporary folder. Listing is timed three times, the first of which
warms the file system's cache.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil

from machine import hardware
from neuromf.data.scans import find_scans
from neuromf.data.splits import SplitConfig, split_subjects
from neuromf.runtime.files import write_json

ROUNDS = 3


def write_tree(root: Path, subjects: int, sessions: int) -> None:
    """Write a BIDS tree of light scans."""
    scan = gzip.compress(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes())
    (root / "dataset_description.json").write_text('{"Name": "light", "BIDSVersion": "1.10.0"}')
    people = [f"sub-{i:06d}\t{20 + i % 60}\t{'MF'[i % 2]}" for i in range(subjects)]
    (root / "participants.tsv").write_text("\n".join(["participant_id\tage\tsex", *people, ""]))
    for i in range(subjects):
        for session in range(1, sessions + 1):
            folder = root / f"sub-{i:06d}" / f"ses-{session}" / "anat"
            folder.mkdir(parents=True)
            name = folder / f"sub-{i:06d}_ses-{session}_T1w"
            name.with_suffix(".nii.gz").write_bytes(scan)
            name.with_suffix(".json").write_text("{}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=30_000)
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), options.subjects, options.sessions)
        before, seconds, cpu = psutil.Process().memory_info().rss, [], []
        for _ in range(ROUNDS):
            started, worked = time.perf_counter(), time.process_time()
            scans = find_scans([folder])
            seconds.append(time.perf_counter() - started)
            cpu.append(time.process_time() - worked)
        held = psutil.Process().memory_info().rss - before
        started = time.perf_counter()
        splits = split_subjects({s.subject: s.dataset for s in scans}, SplitConfig())
        splitting = time.perf_counter() - started

    result = {
        "scans": len(scans),
        "subjects": len(splits),
        "first_seconds": seconds[0],
        "seconds": statistics.median(seconds),
        "cpu_seconds": statistics.median(cpu),
        "split_seconds": splitting,
        "bytes_a_scan": held / len(scans),
        "machine": hardware(),
    }
    print(result)
    if options.out:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
