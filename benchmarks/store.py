"""Random reads of a latent (4 x 48³) from the store, one file each, HDF5 and .pt, in
one run; the files are warm. No network takes part, so it runs on the CPU alone.

python benchmarks/store.py [--latents 128] [--reads 400] [--size 48] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def first_reads(folder: Path) -> Callable[[int], object]:
    """Return a reader that compares checksums each time, as a process does the
    first time it reads a latent.
    """
    from neuromf.latents import LatentStore

    store = LatentStore(folder)

    def read(index: int) -> object:
        store._verified.clear()
        return store[index]

    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latents", type=int, default=128)
    parser.add_argument("--reads", type=int, default=400)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    measure(options)


def measure(options: argparse.Namespace) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from neuromf.autoencoder.components import image_of
    from neuromf.autoencoder.frozen import LatentSpace
    from neuromf.latents import LatentEntry, LatentStore
    from neuromf.latents.store import write_index, write_shard

    try:
        import h5py
    except ImportError:
        h5py = None

    torch.set_num_threads(1)
    shape = (4, options.size, options.size, options.size)
    vae = LatentSpace("benchmark", "", 4, 4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entries = []
        latents = [
            torch.randn(shape, generator=torch.Generator().manual_seed(i))
            for i in range(options.latents)
        ]
        for start in range(0, options.latents, 64):
            shard = f"shard-{start // 64:05d}"
            part = [
                (LatentEntry(f"s{i:05d}", f"s{i}", "train", shard), latents[i], None)
                for i in range(start, min(start + 64, options.latents))
            ]
            entries += write_shard(folder, shard, image_of(vae), part)
        write_index(folder, image_of(vae), shape, entries, sigma=False)
        for i, latent in enumerate(latents):
            save_file({"z": latent}, folder / f"one-{i}.safetensors")
            torch.save({"z": latent, "metadata": {}}, folder / f"{i}.pt")
        if h5py is not None:
            with h5py.File(folder / "all.h5", "w") as file:
                for i, latent in enumerate(latents):
                    file.create_dataset(str(i), data=latent.numpy())
        store = LatentStore(folder)
        ways: dict[str, Callable[[int], object]] = {
            "store (sharded safetensors)": lambda i: store[i],
            "store, first read: checksum too": first_reads(folder),
            "one safetensors file a subject": lambda i: load_file(folder / f"one-{i}.safetensors")[
                "z"
            ].clone(),  # it maps
            "one .pt file a subject": lambda i: torch.load(folder / f"{i}.pt", weights_only=True)[
                "z"
            ],
        }
        if h5py is not None:
            opened = h5py.File(folder / "all.h5", "r")
            ways["one HDF5 file, open"] = lambda i: torch.from_numpy(opened[str(i)][()])
        assert torch.equal(store[3], latents[3])
        rng = random.Random(0)
        order = [rng.randrange(options.latents) for _ in range(options.reads)]
        rows = {}
        for way, read in ways.items():
            for i in range(options.latents):
                read(i)  # warm
            times = []
            for i in order:
                start_time = time.perf_counter()
                value = read(i)
                times.append(1e3 * (time.perf_counter() - start_time))
                del value
            rows[way] = {
                "median_ms": round(statistics.median(times), 3),
                "p95_ms": round(sorted(times)[int(0.95 * len(times))], 3),
            }
            print(f"{way:32} {rows[way]}", flush=True)
    if options.out:
        result = {
            "machine": platform.machine(),
            "shape": shape,
            "latents": options.latents,
            "reads": options.reads,
            "ways": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
