"""The table of weights: what is read, and what is refused with words."""

from pathlib import Path

import pytest

from pipeline.config import Harm
from pipeline.errors import InputError
from pipeline.ingest import read_weights


def read(folder: Path, text: str):
    (folder / "weights.csv").write_text(text, "utf-8")
    return read_weights(Harm(weights="weights.csv"), base=folder)


def test_weights_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, 'Offence,Weight\nRobbery ,365\n"Criminal  damage",0.5\nMurder,"5,475"\nNone,0\n,\n')
    assert found.weights == {"Robbery": 365.0, "Criminal damage": 0.5, "Murder": 5475.0, "None": 0.0}
    assert found.cautions == ("harm.weights: a weight of 0 lets these offences count nothing: None.",)


def test_every_fault_is_in_one_message(tmp_path: Path) -> None:
    rows = "offence,weight\na,1\nA,2\nb,-3\nc,many\nd,\n,4\ne,inf\nf,1,5\n".replace("f,1,5", 'f,"1,5"')
    with pytest.raises(InputError) as fault:
        read(tmp_path, rows)
    for part in (
        "row 2: 'A' stands in row 1 as well",
        "row 3: the weight of 'b' is negative (-3)",
        "row 4: 'many' is no number",
        "row 5: 'd' has no weight",
        "row 6 has no offence",
        "row 7: 'inf' is no number",
        "row 8: '1,5' is no number",
    ):
        assert part in str(fault.value)
    assert fault.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("offence,weight\n", "has no row with an offence and a weight"),
        ("offence,weight\na,0\n", "every weight is 0"),
        ("crime,weight\na,1\n", "harm.offence"),
    ],
)
def test_a_table_without_use_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"harm.weights: there is no file 'w.csv'"):
        read_weights(Harm(weights="w.csv"), base=tmp_path)
