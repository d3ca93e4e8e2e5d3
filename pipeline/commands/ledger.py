"""`hotspots ledger`: what has been released from which data, and closing a ledger that binds nobody any more."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from pipeline.commands.terminal import open_console, open_table, print_json
from pipeline.config import load_config
from pipeline.errors import ConfigError, InputError
from pipeline.publish.words import say
from pipeline.release.ledger import Ledger, ledger_roots, ledgers_in
from pipeline.storage.files import read_json

__all__ = ["Listed", "forget", "listed", "print_forgotten", "print_ledgers"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A ledger as it is listed.

    Attributes
    ----------
    id, name
        Which it is.
    used
        Whether the last run of the configuration belongs to it.
    folders
        Where its copies stand.
    releases
        One record per line: run, profile, audience, headline, data_to, version, reissue, or `closed` with the reason.
    """

    id: str
    name: str
    used: bool
    folders: tuple[str, ...]
    releases: tuple[dict[str, Any], ...]


def listed(config_path: Path) -> list[Listed]:
    """List the ledgers beside the outputs of a configuration and in the user's state folder.

    Raises
    ------
    ConfigError
        If the configuration cannot be used.
    DisclosureError
        If a ledger is damaged or cannot be read.
    """
    ledgers, used = _ledgers(config_path)
    return [
        Listed(
            one.identity,
            one.name,
            one.identity == used,
            tuple(str(folder) for folder in one.folders if folder.is_dir()),
            tuple(map(_told, one.lines())),
        )
        for one in ledgers
    ]


def _ledgers(config_path: Path) -> tuple[list[Ledger], str]:
    """Return the ledgers, and the id of the one that the last run of the configuration belongs to."""
    config = load_config(config_path)
    outputs = config_path.resolve().parent / config.run.output_dir
    roots = ledger_roots(outputs, synthetic=config.run.synthetic)
    pending = outputs / config.run.name / "work" / "release" / "ledger.json"
    used = str(read_json(pending)["ledger"]["identity"]) if pending.is_file() else ""
    return [c.ledger for c in ledgers_in(roots)], used


def _told(line: dict[str, Any]) -> dict[str, Any]:
    if "closed" in line:
        return {"closed": line["closed"]}
    names = ("run", "profile", "audience", "headline", "data_to", "reissue")
    return {"version": line.get("version", 1)} | {name: line[name] for name in names if line.get(name)}


def forget(config_path: Path, *, name: str | None, reason: str) -> Listed:
    """Close a ledger: what it lists no longer counts, and the next release says that earlier ones are unknown.

    Parameters
    ----------
    config_path
        The configuration, for the folder of outputs.
    name
        Name of the ledger or the first characters of its id; None for that of the configuration's last run.
    reason
        Why; kept in the ledger.

    Raises
    ------
    ConfigError
        If no reason is given, or the name fits several ledgers.
    InputError
        If there is no such ledger.
    DisclosureError
        If it cannot be read or written.
    """
    if not reason.strip():
        raise ConfigError(
            "forgetting a ledger needs --reason TEXT: later releases say that earlier ones are unknown, and somebody "
            "will ask why"
        )
    ledgers, used = _ledgers(config_path)
    fitting = [one for one in ledgers if (one.identity == used if name is None else _called(one, name)) and one.lines()]
    if not fitting:
        there = ", ".join(f"{one.name} ({one.identity[:8]})" for one in ledgers) or "none"
        what = "the configuration's last run has none" if name is None else f'none is called "{name}"'
        raise InputError(f"there is no such ledger: {what}. There are: {there}")
    if len(fitting) > 1:
        there = ", ".join(f"{one.name} ({one.identity[:8]})" for one in fitting)
        raise ConfigError(f"several ledgers fit: {there}. Give the characters behind the name")
    fitting[0].close(reason.strip())
    return next(one for one in listed(config_path) if one.id == fitting[0].identity)


def _called(ledger: Ledger, name: str) -> bool:
    return name == ledger.name or (len(name) >= 4 and ledger.identity.startswith(name))


def print_ledgers(ledgers: Sequence[Listed], *, as_json: bool) -> None:
    """Print the ledgers and their releases."""
    if as_json:
        print_json([asdict(one) for one in ledgers], ensure_ascii=False)
        return
    console = open_console()
    if not ledgers:
        console.print(say("terminal.ledger.none"))
    for one in ledgers:
        mark = f" {say('terminal.ledger.used')}" if one.used else ""
        console.print(f"[bold]{escape(one.name)}[/bold] {one.id[:8]}{escape(mark)}")
        for folder in one.folders:
            console.print(f"  {escape(folder)}")
        table = open_table("profile", "audience", "headline", "data_to", "run", "note")
        for line in one.releases:
            if "closed" in line:
                table.add_row(say("terminal.ledger.closed"), "", "", "", "", escape(str(line["closed"])))
                continue
            month = str(line.get("data_to", ""))
            note = str(line.get("reissue", "")) or (say("terminal.ledger.before_steps") if line["version"] == 1 else "")
            texts = (line["profile"], line["audience"], line["headline"], f"{month[:4]}-{month[4:]}".strip("-"))
            table.add_row(*map(escape, texts), escape(str(line["run"])), escape(note))
        console.print(table)


def print_forgotten(ledger: Listed, *, as_json: bool) -> None:
    """Say what was closed and what follows."""
    if as_json:
        print_json(asdict(ledger), ensure_ascii=False)
        return
    number = sum("closed" not in line for line in ledger.releases)
    console = open_console()
    console.print(escape(say("terminal.ledger.forgotten", n=number, name=ledger.name, id=ledger.id[:8])))
    console.print(escape(say("terminal.ledger.next")))
