"""Words that cannot be right: each is refused in one line that says what came and what to do, and nothing is made."""

import os

import pytest

from hostile.support import EVALUATED

CASES = [
    # values that pass comparisons unseen, or mean nothing
    ("prepare", "input={w}/scans split.val=nan", "split.val is nan"),
    ("prepare", "input={w}/scans split.val=-0.1", "split"),
    ("prepare", "input={w}/scans split.val=0.6 split.test=0.5", "below 1 together"),
    ("prepare", "input={w}/scans preprocessing.spacing=1e-9", "spacing"),
    ("prepare", "input={w}/scans preprocessing.spacing=-2", "spacing"),
    ("prepare", "input={w}/scans preprocessing.smallest_ml=nan", "smallest_ml is nan"),
    ("prepare", "input={w}/scans preprocessing.smallest_ml=-5", "smallest_ml"),
    ("prepare", "input={w}/scans preprocessing.shape=[8,8]", "shape"),
    ("prepare", "input={w}/scans preprocessing.shape=[9,9,9]", "shape"),
    ("prepare", "input={w}/scans preprocessing.percentiles=[60,40]", "percentiles"),
    ("prepare", "input={w}/scans preprocessing.strip.timeout=nan", "timeout"),
    ("prepare", "input={w}/scans preprocessing.strip.method=magic", "method"),
    ("prepare", "input={w}/scans workers=-1", "workers"),
    ("prepare", "input={w}/scans assume_orientation=RRS", "assume_orientation"),
    ("prepare", "", "input= is empty"),
    ("prepare", "input={w}/nowhere", "no such file"),
    ("prepare", "input={w}/thesis", "no scan found"),
    ("prepare", "input={w}/scans preset=huge", "unknown preset"),
    ("prepare", "input={w}/scans spacing=2", "did you mean 'preprocessing.spacing'"),
    ("prepare", "input={w}/nowhere.yaml nothing.yaml", "is no file"),
    ("phantom", "n=0", "n is 0"),
    ("phantom", "n=-3", "n is -3"),
    ("phantom", "spacing=0", "spacing"),
    ("phantom", "deformation.warp_mm=nan", "warp_mm is nan"),
    ("phantom", "deformation.warp_mm=-1", "warp_mm"),
    ("phantom", "appearance.noise=-1", "noise"),
    ("phantom", "source={w}/nowhere", "no such file"),
    ("train-vae", "volumes={w}/volumes kl=nan", "kl is nan"),
    ("train-vae", "volumes={w}/volumes kl=-1", "kl"),
    ("train-vae", "volumes={w}/volumes check_volumes=0", "check_volumes is 0"),
    ("train-vae", "volumes={w}/volumes check_every=0", "check_every is 0"),
    ("train-vae", "volumes={w}/volumes ema=1", "ema"),
    ("train-vae", "volumes={w}/volumes patch=30", "patch"),
    ("train-vae", "volumes={w}/volumes patch=480", "at most"),
    ("train-vae", "volumes={w}/volumes precision=bf16", "precision"),
    ("train-vae", "volumes={w}/scans", "holds no manifest.csv"),
    ("train-decoder", "volumes={w}/volumes patch=16 vae=nothing", "vae=nothing: small"),
    ("train-decoder", "volumes={w}/volumes latent_noise=-1", "latent_noise is -1"),
    ("train-decoder", "volumes={w}/volumes patch=480", "at most"),
    ("train-decoder", "volumes={w}/volumes vae=small patch=16 latents={w}/store", "fingerprint"),
    ("train-mask-autoencoder", "patch=30", "a multiple of 4"),
    ("train-mask-autoencoder", "network.channels=0", "widths are 1 or more"),
    ("train-skullstrip", "", "labels= names no folder"),
    ("train-skullstrip", "labels={w}/nowhere", "no folder there"),
    ("mask-test", "", "masks= names no masks"),
    ("mask-test", "masks={w}/nowhere", "no volumes are there"),
    ("mask-test", "masks={w}/scans codes=[magic]", "mask code 'magic'"),
    ("usefulness", "", "real= is empty"),
    ("usefulness", "real={w}/scans", "holds neither a manifest.csv"),
    ("usefulness", "real={w}/volumes", "none of its images has a lesion mask"),
    ("usefulness", "real={w}/volumes arms=[magic]", "arm 'magic': real, generated, simulated"),
    ("usefulness", "real={w}/volumes patch=30", "a multiple of 4"),
    ("validate-vae", "volumes={w}/volumes splits=[all]", "splits"),
    ("validate-vae", "volumes={w}/volumes vae=/etc/passwd", "not readable as a torch file"),
    ("validate-vae", "volumes={w}/volumes vae={w}/scans", "vae="),
    ("validate-vae", "volumes={w}/volumes vae={w}/vae latents={w}/scans", "holds no index.json"),
    ("encode", "volumes={w}/volumes vae=nothing", "vae=nothing"),
    ("encode", "volumes={w}/volumes vae={w}/vae shard=0", "shard 0"),
    ("encode", "volumes={w}/volumes vae={w}/vae precision=fp16", "precision"),
    ("encode", "volumes={w}/volumes vae={w}/vae device=mps", "device=mps"),
    ("encode", "volumes={w}/volumes vae={w}/vae device=cuda:9", "torch sees"),
    ("encode", "volumes={w}/volumes vae={w}/vae device=toaster", "device=toaster"),
    ("encode", "volumes=/etc", "holds no manifest.csv"),
    ("encode", "", "volumes= is empty"),
    ("encode", "volumes={w}/volumes vae=maisi", "neuromf weights get"),
    ("import-dicom", "", "a folder of DICOM files is needed"),
    ("import-dicom", "input={w}/nowhere", "a folder of DICOM files is needed"),
    ("import-dicom", "input={w}/scans names=all", "names"),
    ("import-dicom", "input={w}/scans series=(", "series is"),
    ("export-bids", "", "volumes= names no folder"),
    ("export-bids", "volumes={w}/scans", "holds no manifest.csv"),
    ("import-maisi", "size=[190,192,192]", "multiples of 32"),
    ("import-maisi", "spacing=[1,0,1]", "spacing is"),
    ("deploy", "format=tensorflow", "format"),
    ("deploy", "model={w}/scans", "model="),
    ("deploy", "decoder={w}/nowhere", "vae="),
    ("import-latents", "files={w}/scans vae=x", "a folder or glob of .pt files is needed"),
    ("import-latents", "files={w}/pt", "vae= is empty"),
    ("import-latents", "files={w}/pt vae=x factor=0", "factor 0"),
    ("baselines", "", "latents= names no folder"),
    ("baselines", "latents={w}/volumes", "holds prepared volumes"),
    ("baselines", "latents={w}/store kinds=[magic]", "one or more of principal"),
    ("baselines", "latents={w}/store kinds=[]", "one or more of principal"),
    ("baselines", "latents={w}/store n=0", "n is 0"),
    ("baselines", "latents={w}/store decoder=nothing", "vae=nothing"),
    ("report", "", "needs a folder of `neuromf train`"),
    ("report", "{w}/gone", "is no folder"),
    ("report", "{w}/scans", "no run.json"),
    ("report", "{w}/volumes", "no run.json"),
    ("report", "{w}/volumes evaluations=[a,b]", "one evaluation for each run"),
    ("inspect", "", "name a latent store"),
    ("inspect", "{w}/volumes", "holds prepared volumes"),
    ("inspect", "s3://bucket/latents", "Install s3fs"),
    ("inspect", "gopher://bucket/latents", "gopher"),
    ("train", "latents=s3://bucket/latents", "Install s3fs"),
    ("train", "", "latents= names no folder"),
    ("train", "latents={w}/store augmentation.noise=nan", "augmentation.noise is nan"),
    ("train", "latents={w}/store guard.factor=-1", "factor is -1"),
    ("train", "latents={w}/store evaluation.patience=-1", "patience is -1"),
    ("train", "latents={w}/store latent_scale=0", "latent_scale is 0"),
    ("train", "latents={w}/store ema=1.0", "ema"),
    ("train", "latents={w}/store optimiser.lr=0", "lr 0"),
    ("train", "latents={w}/store optimiser.lr=nan", "optimiser.lr is nan"),
    ("train", "latents={w}/store updates=0", "updates is 0"),
    ("train", "latents={w}/store updates=1e400", "updates"),
    ("train", "latents={w}/store seed=99999999999999999999", "2\\*\\*63"),
    ("train", "latents={w}/store seed=-1", "seed is -1"),
    ("train", "latents={w}/store num_workers=-1", "num_workers -1"),
    ("train", "latents={w}/store objective.p=nan", "objective.p is nan"),
    ("train", "latents={w}/store launch=moon", "launch"),
    ("train", "latents={w}/store equal_fraction.start=2", "equal_fraction"),
    ("train", "latents={w}/store network.norm_groups=7", "norm_groups"),
    ("train", "latents={w}/store start={w}/nowhere", "no folder with config.json"),
    ("train", "latents={w}/volumes", "holds prepared volumes"),
    ("export", "", "run= names no folder"),
    ("export", "run={w}/samples", "no such checkpoint"),
    ("export", "run={w}/training checkpoint=worst", "there are last"),
    ("export", "run={w}/training ema=0.5", "the run kept"),
    ("generate", "", "model= names no model"),
    ("generate", "model={w}/model n=0", "n is 0"),
    ("generate", "model={w}/model nfe=-1", "nfe is -1"),
    ("generate", "model={w}/model seed=-1", "seed is -1"),
    ("generate", "model={w}/model decode_memory_gb=nan", "decode_memory_gb is nan"),
    ("generate", "model={w}/model suffix=T1/w", "suffix"),
    ("generate", "model={w}/model decoder=/etc/passwd", "not readable as a torch file"),
    ("generate", "model={w}/model decoder=small", "fingerprint"),
    ("generate", "model={w}/model vae=small", "called 'decoder' now"),
    ("generate", "model=embeddd", "did you mean embedded"),
    ("generate", "model={w}/scans", "no folder with config.json"),
    ("generate", "model={w}/model age=70", "known here are model, adapter, n"),
    ("generate", "model={w}/model precision=bf16", "precision"),
    ("evaluate", f"{EVALUATED} reference={{w}}/volumes", "samples= names no folder"),
    ("evaluate", f"{EVALUATED} samples={{w}}/samples", "reference= names no folder"),
    (
        "evaluate",
        f"{EVALUATED} samples={{w}}/samples reference={{w}}/volumes splits=train",
        "training data",
    ),
    ("evaluate", "extractors=[magic] samples={w}/samples reference={w}/volumes", "magic"),
    (
        "evaluate",
        f"{EVALUATED} samples={{w}}/samples reference={{w}}/volumes bootstrap=0",
        "bootstrap",
    ),
    ("evaluate", f"{EVALUATED} samples={{w}}/samples reference={{w}}/volumes part=9/8", "part"),
    ("evaluate", f"{EVALUATED} samples={{w}}/pt reference={{w}}/volumes", "no scan found"),
    ("compare", f"{EVALUATED} sets=[{{w}}/samples] reference={{w}}/volumes", "two or more"),
    ("compare", f"{EVALUATED} sets=[] reference={{w}}/volumes", "sets"),
    (
        "compare",
        f"{EVALUATED} sets=[{{w}}/samples,{{w}}/samples] reference={{w}}/volumes",
        "named twice",
    ),
    ("demo", "phantoms=3", "20 phantoms or more"),
    ("demo", "brains=0", "brains 0"),
    ("toy", "only=[r9]", "the arms are"),
    ("toy", "arms.r4-x.objectve.p=1.5", "did you mean 'arms.r4-x.objective'"),
    ("toy", "arms.r4-x.lr=nan", "lr is nan"),
]


@pytest.mark.parametrize(("verb", "words", "said"), CASES, ids=[f"{v}: {w}" for v, w, _ in CASES])
def test_refused_in_one_line_with_nothing_made(made, neuromf, tmp_path, verb, words, said):
    (tmp_path / "thesis").mkdir()
    world = {"w": made}
    filled = [
        word.format(**world) if "thesis" not in word else word.format(w=tmp_path)
        for word in words.split(" ")
        if word
    ]
    code, out, error = neuromf(verb, *filled, f"out={tmp_path / 'out'}")
    assert code == 2, (out, error)
    line = error.strip().splitlines()[-1]
    assert line.startswith("neuromf: ")
    assert pytest.importorskip("re").search(said, line), line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words", [("out=",), ("--resume", "--overwrite"), ("out={file}",), ("out={file}/deeper",)]
)
def test_no_folder_to_write_into(made, neuromf, tmp_path, words):
    file = tmp_path / "file"
    file.write_text("mine")
    code, _, error = neuromf(
        "generate", f"model={made / 'model'}", *(w.format(file=file) for w in words)
    )
    assert (code, error.count("\n")) == (2, 1)
    assert file.read_text() == "mine"


def test_a_pipe_among_the_scans_is_not_waited_for(world, neuromf):
    os.mkfifo(world / "scans" / "sub-9_T1w.nii.gz")
    steps = ("preprocessing.spacing=6", "preprocessing.shape=[32,32,32]", "workers=1")
    code, _, _ = neuromf("prepare", f"input={world / 'scans'}", *steps, f"out={world / 'out'}")
    assert code == 1
    assert "pipe" in (world / "out" / "rejected.csv").read_text()


def test_fewer_samples_than_are_there(made, world, neuromf):
    words = (f"model={made / 'model'}", f"out={world / 'samples'}", "device=cpu", "--resume")
    code, _, error = neuromf("generate", "n=2", *words)
    assert code == 2
    assert "n=3 keeps them" in error
    assert neuromf("generate", "n=4", *words)[0] == 0
