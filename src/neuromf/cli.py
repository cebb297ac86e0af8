"""The command line: a table of verbs, each a configuration dataclass and a function.

Heavy imports stay inside the verbs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from neuromf import __version__
from neuromf.invoke import resolved, run_verb, schema_of
from neuromf.verbs import VERBS, Verb

app = typer.Typer(
    name="neuromf",
    help="One-step generation of 3D brain MRI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"neuromf {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def doctor(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[preset=NAME | KEY=VALUE]...",
            help="Of `neuromf train`: which batches of that training fit here.",
        ),
    ] = None,
    shape: Annotated[
        str, typer.Option(metavar="C,D,H,W", help="Of the latents, where there are none yet.")
    ] = "",
    memory: Annotated[
        float, typer.Option(metavar="GB", help="Plan for so much, not for what is free here.")
    ] = 0.0,
) -> None:
    """Say what this machine has, and which verbs will work; of a training, what fits."""
    if words or shape or memory:
        from neuromf.training import fits

        config = resolved("train", VERBS["train"], words or [])
        typer.echo(fits.report(config, fits.read_shape(shape), memory))
    else:
        from neuromf.doctor import report

        typer.echo(report(VERBS))


@app.command(name="keys", short_help="Say what a verb's keys mean: neuromf keys train optimiser.")
def keys_command(
    name: Annotated[str, typer.Argument(metavar="VERB", help="A verb, such as train.")],
    prefix: Annotated[
        str, typer.Argument(metavar="[KEY]", help="Show only keys that begin so.")
    ] = "",
) -> None:
    """Say what a verb's keys mean: each with the value that it has if none is given."""
    from neuromf.runtime import config as settings
    from neuromf.runtime.keys import describe

    if name not in VERBS:
        raise settings.ConfigError(f"unknown verb {name!r}: {', '.join(VERBS)}")
    verb = VERBS[name]
    schema = schema_of(verb)
    # Without a preset the defaults need not be a whole configuration: a study has no steps yet.
    config = settings.load(schema, [f"preset={verb.preset}"], name) if verb.preset else schema
    lines = describe(schema, config, prefix)
    if not lines:
        raise settings.ConfigError(
            f"no key of {name} begins with {prefix!r}: `neuromf keys {name}` lists them"
        )
    typer.echo("\n".join(lines))


weights = typer.Typer(help="Fetch the weights of other projects, checked.", no_args_is_help=True)
app.add_typer(weights, name="weights")


@weights.command("list")
def weights_list() -> None:
    """Say which weights are known, and which are here."""
    from neuromf.pretrained.download import describe

    typer.echo(describe())


@weights.command("get")
def weights_get(
    name: Annotated[
        str,
        typer.Argument(
            help="maisi-v1, maisi-v2 (non-commercial), radimagenet, medicalnet10, medicalnet50."
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A file fetched before, for machines without a network."),
    ] = None,
) -> None:
    """Fetch weights from their hub, or take them from a file; check
    them; keep them as safetensors.
    """
    from neuromf.fetch import fetch
    from neuromf.pretrained.download import REMOTES

    path = fetch(name, source)
    remote = REMOTES[name]
    typer.echo(f"{path} ({remote.licence})")
    if remote.notice:
        typer.echo(remote.notice)


def _command(name: str, verb: Verb) -> Callable[..., None]:
    def command(
        words: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="[CONFIG.yaml | preset=NAME | out=FOLDER | launch=slurm | KEY=VALUE]..."
            ),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print the resolved configuration and stop.")
        ] = False,
        resume: Annotated[
            bool, typer.Option("--resume", help="Continue in a folder that an earlier start left.")
        ] = False,
        overwrite: Annotated[
            bool,
            typer.Option(
                "--overwrite",
                help="Replace what an earlier run of this verb wrote, once this one is done.",
            ),
        ] = False,
    ) -> None:
        run_verb(name, verb, words or [], dry_run=dry_run, resume=resume, overwrite=overwrite)

    command.__doc__ = verb.help
    return command


def _epilog(name: str, verb: Verb) -> str:
    """Return an example, how to list the keys, and the names of the presets."""
    folder = Path(__file__).parent / "presets" / name
    names = sorted(p.stem for p in folder.glob("*.yaml"))
    lines = [
        f"Example: neuromf {name} {verb.example} out=FOLDER (out is runs/{name} if not given)."
    ]
    lines.append(f"What the keys mean: neuromf keys {name}. All values: neuromf {name} --dry-run.")
    if names:
        lines.append(f"Presets: {', '.join(names)}.")
    return "\n\n".join(lines)


for _name, _verb in VERBS.items():
    app.command(_name, short_help=_verb.help, epilog=_epilog(_name, _verb))(_command(_name, _verb))


class _Unbreakable:
    """Standard output that ignores a reader that has gone: `| head -1` does not end a run."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def main() -> None:
    """Run the command line; a refusal is one line on stderr and exit code 2, with
    the traceback in the run's log.
    """
    stdout = sys.stdout
    for stream in (stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console of Windows has few letters
            stream.reconfigure(errors="replace")
    sys.stdout = _Unbreakable(stdout)
    try:
        app()
        sys.stdout.flush()
    except (ValueError, TypeError, OSError) as error:
        typer.echo(f"neuromf: {error}", err=True)
        sys.exit(2)
    finally:
        sys.stdout = stdout


if __name__ == "__main__":
    main()
