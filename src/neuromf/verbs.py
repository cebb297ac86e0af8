"""The verbs: each a configuration and a module, imported when it is used and not before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One verb. `run(config, out, resume=..., overwrite=...)` of its module reads folders and
    writes the new folder `out`.
    """

    help: str
    module: str  # holds `run`
    config: str  # the configuration's class; in the module, where no other is named
    preset: str | None = None  # taken where no YAML and no preset is named
    example: str = ""
    operand: str | None = None  # the key that a word without `=` sets, unless it is a YAML file
    operands: bool = False  # the operand is a list: it takes every such word
    beside: str | None = None  # if `out` is not given, it lies beside the folder of this key
    # many runs in one: the module has `plan` for --dry-run and `launch` for a cluster
    arms: bool = False
    actions: tuple[str, ...] = ()  # first words that ask for a function of the module instead

    @property
    def schema(self) -> tuple[str, str]:
        """Module and name of the configuration's class."""
        module, _, name = self.config.rpartition(".")
        return module or self.module, name


VERBS = {
    "prepare": Verb(
        "Scans (NIfTI, MGZ, BIDS) to volumes: RAS, stripped, resampled "
        "once, scaled, centred on the brain, split.",
        "neuromf.data.prepare",
        "PrepareConfig",
        preset="small2mm",
        example="input=scans/ preset=small2mm",
    ),
    "export-bids": Verb(
        "Prepared volumes and their lesion masks as a BIDS derivative.",
        "neuromf.data.derivative",
        "ExportBidsConfig",
        example="volumes=volumes",
    ),
    "import-dicom": Verb(
        "DICOM folders to a BIDS tree, with dcm2niix: one series a session, chosen by description "
        "and geometry.",
        "neuromf.data.import_dicom",
        "ImportDicomConfig",
        example="input=dicom/ contrast=T1w",
    ),
    "phantom": Verb(
        "Brains of real anatomy without data: MNI152, a prepared "
        "cohort or label maps, deformed; any number.",
        "neuromf.phantoms.command",
        "neuromf.phantoms.config.PhantomConfig",
        preset="small2mm",
        example="source=volumes n=500",
    ),
    "train-vae": Verb(
        "Train the small VAE on prepared volumes; one ships with the package.",
        "neuromf.training.vae",
        "neuromf.training.vae_config.TrainVAEConfig",
        example="volumes=[volumes,copies] updates=4000",
    ),
    "train-decoder": Verb(
        "Train a fast decoder for the latents of a VAE, whose encoder stays as it is.",
        "neuromf.training.decoder",
        "neuromf.training.decoder_config.TrainDecoderConfig",
        example="vae=small volumes=[volumes,copies]",
    ),
    "train-mask-autoencoder": Verb(
        "Train a light autoencoder for lesion masks on random shapes; one ships with the package.",
        "neuromf.training.mask_autoencoder",
        "neuromf.training.mask_config.TrainMaskAutoencoderConfig",
        example="updates=3000",
    ),
    "train-skullstrip": Verb(
        "Train the network that finds the brain in a head of any contrast, on label maps alone.",
        "neuromf.training.strip",
        "neuromf.training.strip_config.TrainSkullstripConfig",
        example="labels=labels",
    ),
    "validate-vae": Verb(
        "Reconstruct held-out volumes with a VAE: SSIM, PSNR and more, and a page to look at.",
        "neuromf.evaluation.reconstruction",
        "ValidateVAEConfig",
        example="volumes=volumes vae=small",
    ),
    "mask-test": Verb(
        "Lesion masks through several mask codes and back: Dice, Hausdorff distance and volume by "
        "lesion size, and the best code.",
        "neuromf.evaluation.mask_test",
        "MaskTestConfig",
        example="masks=masks/ codes=[distance,average,autoencoder]",
    ),
    "encode": Verb(
        "Prepared volumes to latents on disk, with their statistics.",
        "neuromf.latents.encode",
        "EncodeConfig",
        example="volumes=[volumes,copies] vae=small",
    ),
    "import-latents": Verb(
        "Latents that other code saved as .pt files, to latents on disk.",
        "neuromf.latents.imports",
        "ImportConfig",
        example="files=folder/ vae=maisi-v1",
    ),
    "inspect": Verb(
        "Print and draw the statistics of latents on disk: neuromf inspect FOLDER.",
        "neuromf.latents.inspection",
        "InspectConfig",
        operand="latents",
        beside="latents",
        example="latents/",
    ),
    "train": Verb(
        "Train on latents: a network that draws a brain in one call.",
        "neuromf.training.command",
        "neuromf.training.config.TrainConfig",
        preset="small2mm",
        example="latents=latents",
    ),
    "train-stages": Verb(
        "Train a rectified flow and turn it into a model of one call: several trainings in order.",
        "neuromf.training.stages",
        "StagesConfig",
        example="latents=latents",
    ),
    "export": Verb(
        "A training's weights as a model folder to give away, float16.",
        "neuromf.training.export",
        "ExportConfig",
        example="run=runs/train checkpoint=best",
    ),
    "deploy": Verb(
        "A model for programs without this package: torch.export, ONNX, or a MONAI bundle.",
        "neuromf.generation.deploy",
        "DeployConfig",
        example="model=embedded format=onnx",
    ),
    "import-maisi": Verb(
        "NVIDIA's flow of brain MRI, fetched with `neuromf weights get maisi-brain`, as a model "
        "folder for volumes of any size and spacing.",
        "neuromf.generation.maisi",
        "ImportMaisiConfig",
        example="spacing=[1,1,1] size=[192,224,192]",
    ),
    "generate": Verb(
        "Draw brains from a model: NIfTI, one seed a sample, one network call each.",
        "neuromf.generation.command",
        "GenerateConfig",
        example="model=embedded n=8",
    ),
    "velocity": Verb(
        "The velocity of a model on held-out latents beside a linear filter's: what it has "
        "learned from near the data to near the noise.",
        "neuromf.generation.velocity",
        "VelocityConfig",
        example="model=embedded latents=latents",
    ),
    "baselines": Verb(
        "Volumes from closed-form models of training latents: the sets that every model "
        "has to be better than.",
        "neuromf.generation.baselines",
        "BaselinesConfig",
        example="latents=latents n=100",
    ),
    "conditions": Verb(
        "Samples of a model with conditions: asked against predicted, beside real people.",
        "neuromf.evaluation.conditions",
        "ConditionsConfig",
        example="model=runs/train latents=latents n=64",
    ),
    "evaluate": Verb(
        "Samples against held-out people: metrics with references and "
        "intervals, copies, anatomy; a page to look at.",
        "neuromf.evaluation.command",
        "EvaluateConfig",
        example="samples=samples reference=volumes train=volumes:train",
    ),
    "compare": Verb(
        "Several sets of samples in one table: same people, features "
        "and numbers, significance of differences.",
        "neuromf.evaluation.command",
        "CompareConfig",
        example="sets=[samples1,samples5] reference=volumes",
    ),
    "usefulness": Verb(
        "Whether generated pairs of image and lesion mask help to segment lesions: Dice on real "
        "people left out, of networks trained with and without them.",
        "neuromf.evaluation.usefulness",
        "UsefulnessConfig",
        example="real=volumes generated=samples simulated=copies",
    ),
    "sweep": Verb(
        "A grid of runs: every combination of values and seeds, here or as an array of jobs.",
        "neuromf.study.sweep",
        "neuromf.study.config.SweepConfig",
        example="study.yaml",
        arms=True,
        actions=("status", "stop"),
    ),
    "tabulate": Verb(
        "The tables of a study: every group over its seeds, tests with effect sizes, and what "
        "cannot be told.",
        "neuromf.study.tabulate",
        "TabulateConfig",
        operand="study",
        example="study=studies/x",
    ),
    "report": Verb(
        "A page of a training: what was set, losses, samples, evaluation, warnings; of several "
        "runs one that compares them too.",
        "neuromf.report.command",
        "neuromf.report.config.ReportConfig",
        operand="runs",
        operands=True,
        example="runs/train",
    ),
    "paper": Verb(
        "The figures and tables of the paper from runs, each number with its run's folder and "
        "hash; what was not run is drawn as missing.",
        "neuromf.paper.command",
        "neuromf.paper.config.PaperConfig",
        example="sources=benchmarks/results/paper/sources.yaml",
    ),
    "demo": Verb(
        "The whole chain without data: phantoms, latents, a "
        "short training, brains in one call, a page.",
        "neuromf.demo",
        "DemoConfig",
    ),
    "verify": Verb(
        "What the project is held to, measured on this machine: a table of tests and figures with "
        "their criteria, and the gate of each phase.",
        "neuromf.verification.verify",
        "neuromf.verification.config.VerifyConfig",
        example="volumes=volumes",
    ),
    "toy": Verb(
        "Prove the method on a torus: one call of a network against five, x- against u-prediction.",
        "neuromf.torus",
        "ToyConfig",
        preset="quick",
        example="preset=quick",
    ),
}
