"""Peak memory and seconds of decoding at 192³ (latents 4 x 48³), whole and in tiles,
a process each.

python benchmarks/decode_memory.py [--size 48] [--vae small maisi-random FOLDER]
[--bounds 2 4 8] [--device cuda] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import add_device, hardware, use_device


def measure(vae_name: str, size: int, bound: float | None, name: str) -> dict[str, Any]:
    import torch

    from machine import high_water_gb, name_of, timed, use_device
    from neuromf.autoencoder.load import load_vae
    from neuromf.autoencoder.tiling import tile_size

    device = use_device(name)
    vae = load_vae(vae_name, device)
    z = torch.randn(
        1, vae.channels, size, size, size, generator=torch.Generator().manual_seed(0)
    ).to(device)
    vae.decode(z[..., :8, :8, :8])
    if bound is not None:
        vae.decode(z[..., :16, :16, :16], bound)  # imports what tiles need
    before = high_water_gb(device)
    seconds, y = timed(lambda: vae.decode(z, bound))
    after = high_water_gb(device)
    torch.save(y.cpu(), decoded(vae_name, size, bound))
    return {
        "vae": vae_name,
        "bound_gb": bound,
        "tile": tile_size((size,) * 3, vae.factor, vae.decode_bytes, bound),
        "seconds": round(seconds, 3),
        "peak_gb": round(after - before, 2),
        "bytes_a_latent_voxel": round((after - before) * 2**30 / size**3),
        "device": name_of(device),
    }


def decoded(vae_name: str, size: int, bound: float | None) -> Path:
    """Return where a process leaves its volume for the comparison."""
    return Path(tempfile.gettempdir()) / f"neuromf-decode-{Path(vae_name).name}-{size}-{bound}.pt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--vae", nargs="+", default=["small", "maisi-random"])
    parser.add_argument("--bounds", nargs="*", type=float, default=[2.0, 4.0, 8.0])
    parser.add_argument("--one", help="measure in this process: VAE:BOUND")
    parser.add_argument("--out", type=Path)
    add_device(parser)
    options = parser.parse_args()
    if options.one:
        name, _, bound = options.one.partition(":")
        print(
            json.dumps(measure(name, options.size, float(bound) if bound else None, options.device))
        )
        return
    import torch

    rows = []
    for name in options.vae:
        for bound in (None, *options.bounds):
            command = [
                sys.executable,
                __file__,
                "--size",
                str(options.size),
                "--one",
                f"{name}:{bound or ''}",
                "--device",
                options.device,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                rows.append(
                    {
                        "vae": name,
                        "bound_gb": bound,
                        "failed": (done.stderr.strip().splitlines() or ["killed"])[-1],
                    }
                )
                print(rows[-1], flush=True)
                continue
            row = json.loads(done.stdout.strip().splitlines()[-1])
            whole = decoded(name, options.size, None)
            if bound is not None and whole.is_file():
                a, b = torch.load(whole), torch.load(decoded(name, options.size, bound))
                row["largest_difference"] = float((a - b).abs().max())
                row["mean_difference"] = float((a - b).abs().mean())
                row["range_of_values"] = float(a.max() - a.min())
            rows.append(row)
            print(row, flush=True)
    if options.out:
        options.out.write_text(
            json.dumps({"hardware": hardware(use_device(options.device)), "rows": rows}, indent=1)
            + "\n"
        )


if __name__ == "__main__":
    main()
