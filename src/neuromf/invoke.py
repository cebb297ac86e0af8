"""Resolve a verb and its command-line words to a configuration; run it here or as a job."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import typer

from neuromf.verbs import Verb

PLACE = ("launch=", "slurm.")  # words that say where a command runs


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

    if words and words[0] in verb.actions:
        typer.echo(getattr(importlib.import_module(verb.module), words[0])(words[1:]))
        return

    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    where = [word for word in words if word.startswith(PLACE)]
    words = [word for word in words if not word.startswith(("out=", *PLACE))]
    if resume and overwrite:
        raise settings.ConfigError("--resume and --overwrite exclude each other")
    if outs and not outs[-1]:
        raise settings.ConfigError("out= names no folder: out=runs/mine, for example")
    out = local_path(outs[-1]) if outs else Path("runs") / name

    config = _resumed(name, verb, words, out) if resume else resolved(name, verb, words)
    if verb.beside and not outs:
        out = beside(getattr(config, verb.beside), out)
    if dry_run and verb.arms:
        typer.echo(importlib.import_module(verb.module).plan(config))
    elif dry_run:
        typer.echo(settings.to_yaml(config), nl=False)
    elif where:
        _launch(name, verb, config, out, where, resume=resume, overwrite=overwrite)
    else:
        _run(verb, config, out, resume=resume, overwrite=overwrite)


def _resumed(name: str, verb: Verb, words: list[str], out: Path) -> Any:
    """Return the configuration with which a folder is resumed: the one that its first start wrote,
    changed by the words. If a preset or a YAML file is among them, only the words count.

    Raises ConfigError where the folder has no configuration and no words give one.
    """
    from neuromf.runtime import config as settings

    path = out / "config.yaml"
    if not words and not path.is_file():
        raise settings.ConfigError(
            f"nothing to resume: {out} holds no config.yaml of an earlier start, and the command "
            "line no keys for a first one"
        )
    if not path.is_file() or any(_is_layer(word) for word in words):
        return resolved(name, verb, words)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        first = settings.load_record(schema_of(verb), text, str(path))
    except settings.ConfigError:
        if not words:
            raise
        return resolved(name, verb, words)  # perhaps of another verb: opening the folder says so
    return settings.load(schema_of(verb), _named(verb, words), name, first)


def _is_layer(word: str) -> bool:
    """Return True for a preset or a YAML file."""
    return word.startswith("preset=") or ("=" not in word and word.endswith((".yaml", ".yml")))


def resolved(name: str, verb: Verb, words: list[str]) -> Any:
    """Return the configuration of a verb that words name, as on the command line. Raises
    ConfigError where they do not fit.
    """
    from neuromf.runtime import config as settings

    words = _named(verb, words)
    if verb.preset and not any(word.startswith("preset=") or "=" not in word for word in words):
        words = [f"preset={verb.preset}", *words]
    return settings.load(schema_of(verb), words, name)


def _named(verb: Verb, words: list[str]) -> list[str]:
    """Return the words with plain ones, neither `key=value` nor a YAML file, turned into values of
    the verb's operand key, if it has one; a list takes all of them.
    """
    if not verb.operand:
        return words
    plain = [w for w in words if "=" not in w and not w.endswith((".yaml", ".yml"))]
    if not verb.operands:
        return [f"{verb.operand}={w}" if w in plain else w for w in words]
    if not plain:
        return words
    # quoted as YAML has it, since paths may hold commas and brackets
    listed = json.dumps(plain, ensure_ascii=False).replace("${", "\\\\${")
    return [*(w for w in words if w not in plain), f"{verb.operand}={listed}"]


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
    if verb.arms:
        module = importlib.import_module(verb.module)
        typer.echo(module.launch(config, out, where, resume=resume, overwrite=overwrite))
        return
    job = cluster.Job(name, verb.module, config, out)
    typer.echo(cluster.launch(job, where, overwrite=overwrite))


def _run(verb: Verb, config: Any, out: Path, *, resume: bool, overwrite: bool) -> None:
    from neuromf.runtime.run import Stopped

    module = importlib.import_module(verb.module)
    try:
        result = module.run(config, out, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        begun = (out / "config.yaml").is_file()
        how = f"--resume continues in {out}" if begun else f"nothing was begun in {out}"
        typer.echo(f"neuromf: stopped; {how}", err=True)
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
