"""The command line: a table of verbs, each a configuration dataclass and a function.

Heavy imports stay inside the verbs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from neuromf import __version__
from neuromf.verbs import VERBS, Verb

PLACE = ("launch=", "slurm.")  # words that say where a command runs

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
def doctor() -> None:
    """Say what this machine has, and which verbs will work."""
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
    lines = describe(
        schema,
        settings.load(schema, [f"preset={verb.preset}"] if verb.preset else [], name),
        prefix,
    )
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
    """Return an example, where the keys are told, and the presets."""
    folder = Path(__file__).parent / "presets" / name
    names = sorted(p.stem for p in folder.glob("*.yaml"))
    lines = [
        f"Example: neuromf {name} {verb.example} out=FOLDER (out is runs/{name} if not given)."
    ]
    lines.append(f"What the keys mean: neuromf keys {name}. All values: neuromf {name} --dry-run.")
    if names:
        lines.append(f"Presets: {', '.join(names)}.")
    return "\n\n".join(lines)


def run_verb(
    name: str,
    verb: Verb,
    words: list[str],
    *,
    dry_run: bool = False,
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Resolve the configuration of a verb and call its function; with `dry_run`
    print the configuration instead.
    """
    from neuromf.runtime import config as settings
    from neuromf.runtime.folders import local_path

    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    where = [word for word in words if word.startswith(PLACE)]
    words = [word for word in words if not word.startswith(("out=", *PLACE))]
    if resume and overwrite:
        raise settings.ConfigError("--resume and --overwrite exclude each other")
    if outs and not outs[-1]:
        raise settings.ConfigError("out= names no folder: out=runs/mine, for example")
    out = local_path(outs[-1]) if outs else Path("runs") / name

    config = _resolved(name, verb, words, out if resume else None)
    if verb.beside and not outs:
        out = beside(getattr(config, verb.beside), out)
    if dry_run:
        typer.echo(settings.to_yaml(config), nl=False)
    elif where:
        _launch(name, verb, config, out, where, resume=resume, overwrite=overwrite)
    else:
        _run(verb, config, out, resume=resume, overwrite=overwrite)


def _resolved(name: str, verb: Verb, words: list[str], resumed: Path | None) -> Any:
    """Return the configuration that words name; without any, that of the folder to resume."""
    from neuromf.runtime import config as settings

    schema = schema_of(verb)
    if not words and resumed is not None and (resumed / "config.yaml").is_file():
        path = resumed / "config.yaml"
        return settings.load_record(schema, path.read_text(encoding="utf-8"), str(path))
    if verb.operand:
        words = [
            f"{verb.operand}={w}" if "=" not in w and not w.endswith((".yaml", ".yml")) else w
            for w in words
        ]
    if verb.preset and not any(word.startswith("preset=") or "=" not in word for word in words):
        words = [f"preset={verb.preset}", *words]
    return settings.load(schema, words, name)


def _launch(
    name: str,
    verb: Verb,
    config: Any,
    out: Path,
    words: list[str],
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    """Show or submit the command as a job; with launch=here run it."""
    from neuromf.runtime import cluster
    from neuromf.runtime.config import load

    where = load(cluster.Launch, words, name)
    if where.launch == "here":
        _run(verb, config, out, resume=resume, overwrite=overwrite)
        return
    job = cluster.Job(name, verb.module, config, out)
    typer.echo(cluster.launch(job, where, overwrite=overwrite))


def _run(verb: Verb, config: Any, out: Path, *, resume: bool, overwrite: bool) -> None:
    from neuromf.runtime.run import Stopped

    module = importlib.import_module(verb.module)
    try:
        result = module.run(config, out, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        typer.echo(f"neuromf: stopped; --resume continues in {out}", err=True)
        raise typer.Exit(130) from None
    except Stopped as reason:
        typer.echo(f"neuromf: {reason} in {out}", err=True)
        return
    if isinstance(result, int) and result > 0:  # so many items failed, the rest is done
        raise typer.Exit(1)


def schema_of(verb: Verb) -> Any:
    """Return the class of a verb's configuration."""
    module, name = verb.schema
    return getattr(importlib.import_module(module), name)


def beside(folder: str, otherwise: Path) -> Path:
    """Return FOLDER-inspection beside a folder; `otherwise` for a URL,
    or where no folder is given.
    """
    path = Path(folder)
    if not folder or "://" in folder:
        return otherwise
    name = path.name if path.name not in ("", "..") else path.resolve().name
    return (path if path.name else path.resolve()).with_name(f"{name}-inspection")


for _name, _verb in VERBS.items():
    app.command(_name, short_help=_verb.help, epilog=_epilog(_name, _verb))(_command(_name, _verb))


class _Unbreakable:
    """Standard output that goes on when its reader has gone: `| head -1` ends no run."""

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
