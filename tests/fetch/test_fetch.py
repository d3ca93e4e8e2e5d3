"""Fetching: polite, resumable, and never fooled by what a server sends."""

import csv
import email.utils
import hashlib
import io
import itertools
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands.fetch import boundaries, police_uk, print_fetched
from pipeline.errors import InputError
from pipeline.fetch import CSV, JSON, Client, Fetched, Kind, Limits, Source, download
from pipeline.fetch.boundaries import fetch_boundaries
from pipeline.fetch.police import COLUMNS, fetch_street
from pipeline.fetch.population import fetch_population
from pipeline.fetch.untrusted import checked_url
from tests.kit.fetch_site import Answer, Site, kept, say, serving, silent

SOURCE = Source("A publisher", "Credit to them.")
BODY = b'{"text": "' + bytes(itertools.islice(itertools.cycle(b"abcdefghij"), 150_000)) + b'"}'


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(waits: list[float]) -> Client:
    return Client(Limits(delay_s=0, timeout_s=3, attempts=4), sleep=waits.append, jitter=lambda: 0.5)


def get(client: Client, site: Site, path: Path, **how: object) -> Fetched:
    return download(client, f"{site.address}/file", path, **{"kind": JSON, "source": SOURCE, **how})  # type: ignore[arg-type]


def files(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


# One file.


def test_a_file_and_where_it_came_from(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(BODY)
    got = get(client, site, tmp_path / "a.json")
    assert got.changed
    assert got.path.read_bytes() == BODY
    record = json.loads((tmp_path / "a.json.source.json").read_text("utf-8"))
    assert record["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert (record["bytes"], record["url"]) == (len(BODY), f"{site.address}/file")
    assert record["licence"]["name"] == "Open Government Licence v3.0"
    assert (record["publisher"], record["attribution"]) == ("A publisher", "Credit to them.")
    assert record["retrieved"].endswith("+00:00")
    assert files(tmp_path) == {"a.json", "a.json.source.json"}
    assert site.asked[0][1]["User-Agent"].startswith("hotspots/")


def test_what_is_the_same_is_not_sent_again(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(BODY)
    first = get(client, site, tmp_path / "a.json")
    again = get(client, site, tmp_path / "a.json")
    assert site.asked[1][1]["If-None-Match"] == '"v1"'
    assert not again.changed
    assert again.record == first.record
    site.pages["/file"] = kept(b"{}", etag='"v2"')
    assert get(client, site, tmp_path / "a.json").changed
    assert (tmp_path / "a.json").read_bytes() == b"{}"


def test_a_file_damaged_here_is_fetched_again(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(BODY)
    get(client, site, tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"{broken")
    get(client, site, tmp_path / "a.json")
    assert "If-None-Match" not in site.asked[1][1]
    assert (tmp_path / "a.json").read_bytes() == BODY


def test_a_date_serves_where_there_is_no_etag(client: Client, site: Site, tmp_path: Path) -> None:
    day = "Wed, 01 May 2024 00:00:00 GMT"
    site.pages["/file"] = [say(b"{}", Last_Modified=day), say(kind=None, status=304)]
    get(client, site, tmp_path / "a.json")
    assert not get(client, site, tmp_path / "a.json").changed
    assert site.asked[1][1]["If-Modified-Since"] == day


def test_a_file_cut_off_goes_on_where_it_broke(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = [kept(BODY, cut=100_000), kept(BODY)]
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == BODY
    assert site.asked[1][1]["Range"] == "bytes=100000-"
    assert site.asked[1][1]["If-Range"] == '"v1"'
    assert files(tmp_path) == {"a.json", "a.json.source.json"}


def test_the_next_command_goes_on_too(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = [kept(BODY, cut=70_000), kept(b"", cut=0), kept(BODY)]
    with pytest.raises(InputError, match=r"cut off after 70,000 of .* continues from there"):
        get(client, site, tmp_path / "a.json", limits=Limits(delay_s=0, attempts=1))
    assert files(tmp_path) == {"a.json.part", "a.json.part.json"}
    site.pages["/file"] = kept(BODY)
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == BODY
    assert site.asked[-1][1]["Range"] == "bytes=70000-"


def test_a_part_of_another_edition_is_not_continued(client: Client, site: Site, tmp_path: Path) -> None:
    newer = BODY.replace(b"abc", b"xyz")
    site.pages["/file"] = [kept(BODY, cut=90_000), kept(newer, etag='"v2"')]
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == newer


@pytest.mark.parametrize(
    "rude",
    [
        say(BODY[5:], status=206, Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}"),
        say(BODY[5:], status=206),
        say(b"", status=416),
    ],
    ids=["another piece", "no range", "not satisfiable"],
)
def test_a_wrong_piece_starts_again(rude: Answer, client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = [kept(BODY, cut=90_000), rude, kept(BODY)]
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == BODY
    assert "Range" not in site.asked[2][1]


def test_without_a_validator_nothing_is_pieced_together(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = say(BODY, cut=100_000)
    with pytest.raises(InputError, match="cut off"):
        get(client, site, tmp_path / "a.json")
    assert len(site.asked) == 4
    assert not any("Range" in headers for _, headers in site.asked)
    assert not (tmp_path / "a.json").exists()


def test_a_last_good_file_survives_every_failure(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(b"{}")
    get(client, site, tmp_path / "a.json")
    for bad in (
        say(BODY, cut=9),
        say("<html>", "text/html"),
        say("", status=500),
        say("nonsense"),
        say("", status=404),
    ):
        site.pages["/file"] = bad
        with pytest.raises(InputError):
            get(client, site, tmp_path / "a.json")
        assert (tmp_path / "a.json").read_bytes() == b"{}"


# Patience.


def test_retry_after_is_obeyed(client: Client, site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.pages["/file"] = [say("", status=429, Retry_After="7"), kept(BODY)]
    get(client, site, tmp_path / "a.json")
    assert waits == [7.0]


def test_retry_after_may_be_a_date(client: Client, site: Site, tmp_path: Path, waits: list[float]) -> None:
    at = email.utils.formatdate(time.time() + 60, usegmt=True)
    site.pages["/file"] = [say("", status=503, Retry_After=at), kept(BODY)]
    get(client, site, tmp_path / "a.json")
    assert 50 < waits[0] <= 60


def test_a_wait_of_hours_is_left_to_the_reader(client: Client, site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.pages["/file"] = say("", status=429, Retry_After="7200")
    with pytest.raises(InputError, match="try again in 7,200 s"):
        get(client, site, tmp_path / "a.json")
    assert waits == []


def test_errors_of_the_server_are_waited_out(client: Client, site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.pages["/file"] = [say("", status=500), say("", status=502), say("", status=504), kept(BODY)]
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == BODY
    assert waits == [0.75, 1.5, 3.0]  # 1, 2 and 4 seconds, of which jitter takes up to half


def test_patience_ends(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = say("", status=500)
    with pytest.raises(InputError, match=r"127\.0\.0\.1 did not give /file: it answered 500 .*attempt 4"):
        get(client, site, tmp_path / "a.json")
    assert len(site.asked) == 4


def test_a_refusal_is_not_repeated(client: Client, site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="404"):
        get(client, site, tmp_path / "a.json")
    assert len(site.asked) == 1


def test_silence_ends(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = [silent(0.6), kept(BODY)]
    assert get(client, site, tmp_path / "a.json", limits=Limits(delay_s=0, timeout_s=0.2)).changed
    site.pages["/other"] = silent(0.6)
    with pytest.raises(InputError, match="timed out"):
        download(client, f"{site.address}/other", tmp_path / "b.json", kind=JSON, source=SOURCE,
                 limits=Limits(delay_s=0, timeout_s=0.1, attempts=2))  # fmt: skip


def test_a_server_that_drips_cannot_hold_on(site: Site, tmp_path: Path) -> None:
    ticks = itertools.count(step=10.0)  # every look at the clock is ten seconds later
    client = Client(Limits(delay_s=0, deadline_s=60), sleep=lambda _s: None, clock=lambda: next(ticks))
    site.pages["/file"] = kept(BODY)
    with pytest.raises(InputError, match=r"still sending|did not give"):
        get(client, site, tmp_path / "a.json", progress=lambda *_: [next(ticks) for _ in range(3)] and None)


def test_nobody_there(client: Client, tmp_path: Path) -> None:
    with serving() as gone:
        address = gone.address
    with pytest.raises(InputError, match="cannot be reached"):
        download(client, f"{address}/file", tmp_path / "a.json", kind=JSON, source=SOURCE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here to make a certificate")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text("ascii") + path.with_suffix(".crt").read_text("ascii"), "ascii")
    return path


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.slow
def test_a_server_that_does_not_prove_who_it_is_is_not_asked_again(
    client: Client, certificate: Path, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as site:
        site.pages["/file"] = kept(BODY)
        with pytest.raises(InputError, match=r"cannot be verified \(self-signed certificate\)"):
            get(client, site, tmp_path / "a.json")
        assert (site.asked, waits) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # as an office adds its own authority to the system's
        patient = Client(Limits(delay_s=0, timeout_s=3))
        assert get(patient, site, tmp_path / "a.json").path.read_bytes() == BODY


def test_a_proxy_that_cannot_be_used(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://127.0.0.1:1")
    with pytest.raises(InputError, match="HTTPS_PROXY"):
        download(client, "https://example.org/file", tmp_path / "a.json", kind=JSON, source=SOURCE)


def test_connections_are_closed_one_after_another(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(BODY)
    get(client, site, tmp_path / "a.json")
    get(client, site, tmp_path / "b.json")
    assert {headers["Accept-Encoding"] for _, headers in site.asked} == {"identity"}
    assert not client._session._transport._pool.connections


def test_requests_keep_their_distance(site: Site, tmp_path: Path, waits: list[float]) -> None:
    client = Client(Limits(delay_s=2.0), sleep=waits.append, clock=lambda: 0.0)
    site.pages["/file"] = kept(BODY)
    get(client, site, tmp_path / "a.json")
    get(client, site, tmp_path / "b.json")
    assert waits == [2.0, 2.0]  # robots.txt, the first file, the second


# Robots.


def test_robots_txt_is_a_closed_door(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = say("User-agent: hotspots\nDisallow: /file\n", "text/plain")
    site.pages["/file"] = kept(BODY)
    with pytest.raises(InputError, match=r"robots\.txt .* by hand"):
        get(client, site, tmp_path / "a.json")
    assert site.asked == []


def test_robots_txt_sets_the_pace(site: Site, tmp_path: Path, waits: list[float]) -> None:
    client = Client(Limits(delay_s=1.0), sleep=waits.append, clock=lambda: 0.0)
    site.pages["/robots.txt"] = say("User-agent: *\nCrawl-delay: 9\nDisallow: /private\n", "text/plain")
    site.pages["/file"] = kept(BODY)
    get(client, site, tmp_path / "a.json")
    assert waits == [9.0]


def test_robots_txt_that_fails_is_waited_for(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = say("", status=503)
    site.pages["/file"] = kept(BODY)
    with pytest.raises(InputError, match="503"):
        get(client, site, tmp_path / "a.json")
    assert site.asked == []


def test_robots_txt_without_end_is_read_in_part(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = say(b"User-agent: *\nAllow: /\n" + b"#" * 3_000_000, "text/plain")
    site.pages["/file"] = kept(BODY)
    assert get(client, site, tmp_path / "a.json").changed


# What is refused.


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (say("<html>sorry</html>", "text/html"), "sent text/html where JSON was expected"),
        (say(b"\x1f\x8b", Content_Encoding="gzip"), "packed with gzip"),
        (say("<html>", "text/plain"), "not JSON"),
        (say(b""), "not JSON"),
        (say(b"{}", stated=10**12), "longer than 1 MB"),
        (say(b"{" * 2_000_000, stated=-1), "longer than 1 MB"),
        (say("", status=403), "answered 403"),
        (say("", status=301, Location="file:///etc/passwd"), "not an address"),
        (say("", status=302, Location="http://example.org/x"), "not encrypted"),
        (say("", status=302, Location="/file"), "without end"),
        (say("", status=302, Location="https://me:secret@example.org/"), "names a user"),
    ],
)
def test_refused(answer: Answer, words: str, client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = answer
    with pytest.raises(InputError, match=words) as error:
        get(client, site, tmp_path / "a.json", limits=Limits(delay_s=0, max_bytes=1_000_000))
    assert "\n" not in str(error.value)
    assert files(tmp_path) <= {"a.json.part", "a.json.part.json"}
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 1_000_000


def test_a_move_within_reach_is_followed(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = say("", status=301, Location="/new")
    site.pages["/new"] = kept(BODY)
    assert get(client, site, tmp_path / "a.json").path.read_bytes() == BODY


def test_a_move_does_not_lead_past_robots_txt(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/robots.txt"] = say("User-agent: *\nDisallow: /new\n", "text/plain")
    site.pages["/file"] = say("", status=301, Location="/new")
    with pytest.raises(InputError, match=r"robots\.txt"):
        get(client, site, tmp_path / "a.json")


def test_a_checksum_that_differs_is_not_kept(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = kept(BODY)
    with pytest.raises(InputError, match="has the checksum"):
        get(client, site, tmp_path / "a.json", sha256="0" * 64)
    assert files(tmp_path) == set()
    assert get(client, site, tmp_path / "a.json", sha256=hashlib.sha256(BODY).hexdigest().upper()).changed


def test_a_status_line_cannot_paint_the_terminal(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages["/file"] = lambda r: r.send_response(404, "gone \x1b[31mred\x1b[0m") or r.end_headers()
    with pytest.raises(InputError) as error:
        get(client, site, tmp_path / "a.json")
    assert "\x1b" not in str(error.value)


def test_a_folder_that_cannot_be_written(client: Client, site: Site, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    site.pages["/file"] = kept(BODY)
    with pytest.raises(InputError, match="cannot be written"):
        get(client, site, tmp_path / "out" / "a.json")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://data.police.uk", "not encrypted"),
        ("ftp://127.0.0.1/x", "not an address"),
        ("file:///etc/passwd", "not an address"),
        ("data.police.uk", "not an address"),
        ("https://", "not an address"),
        ("https://[::1", "not an address"),
        ("https://user@host/x", "names a user"),
        ("https://user:key@host/x", "names a user"),
    ],
)
def test_addresses_that_are_not_asked(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        checked_url(url)
    assert ":key@" not in str(error.value)


def test_addresses_that_are() -> None:
    assert checked_url("https://data.police.uk/") == "https://data.police.uk"
    assert checked_url("http://localhost:8000/x") == "http://localhost:8000/x"


# Boundaries: an ArcGIS feature service.

WARDS = "/Wards_December_2022_Boundaries_UK_BGC/FeatureServer/0/query"


def ward(number: int, **changes: object) -> dict[str, object]:
    west = -0.1 + number / 100
    ring = [[west, 51.5], [west + 0.01, 51.5], [west + 0.01, 51.51], [west, 51.51], [west, 51.5]]
    properties = {"WD22CD": f"E0500000{number}", "WD22NM": f"Ward {number}", "LAD22CD": "E09000001", "LAD22NM": "City"}
    return {"type": "Feature", "id": number, "geometry": {"type": "Polygon", "coordinates": [ring]},
               "properties": {**properties, **changes}}  # fmt: skip


def arcgis(features: list[dict[str, object]], *, count: int | None = None, fail_from: int | None = None) -> Answer:
    """Answer as a feature service does: the count, or one page in order, with an ETag."""

    def answer(request: object) -> None:
        asked = Site.query(_One(request.path))  # type: ignore[attr-defined]
        if "returnCountOnly" in asked:
            body: object = {"count": len(features) if count is None else count}
        else:
            first, size = int(asked["resultOffset"]), int(asked["resultRecordCount"])
            if fail_from is not None and first >= fail_from:
                return say("", status=500)(request)  # type: ignore[arg-type]
            page = features[first : first + size]
            more = {"exceededTransferLimit": True} if first + size < len(features) else {}
            body = {"type": "FeatureCollection", "properties": more, "features": page}
        text = json.dumps(body)
        kind = "application/geo+json; charset=utf-8"
        return kept(text, kind, etag=f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"')(request)  # type: ignore[arg-type]

    return answer


class _One(Site):
    def __init__(self, path: str) -> None:
        self.asked = [(path, {})]


def fetch_wards(client: Client, site: Site, out: Path, **how: object) -> Fetched:
    return fetch_boundaries(client, out, **{"levels": ("wards",), "base": site.address, "page_size": 2, **how})[0]  # type: ignore[arg-type]


def test_wards_come_in_pages_with_our_columns(client: Client, site: Site, tmp_path: Path) -> None:
    import geopandas as gpd

    site.pages[WARDS] = arcgis([ward(n) for n in (3, 1, 5, 2, 4)])
    got = fetch_wards(client, site, tmp_path)
    frame = gpd.read_file(got.path)
    assert list(frame["area_code"]) == [f"E0500000{n}" for n in range(1, 6)]
    assert list(frame.columns) == ["area_code", "area_name", "parent_code", "parent_name", "geometry"]
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry.is_valid.all()
    assert [site.query(n).get("resultOffset") for n in range(4)] == [None, "0", "2", "4"]
    assert site.query()["where"] == "LAD22CD LIKE 'E09%'"
    assert site.query()["orderByFields"] == "WD22CD"
    assert (got.record["areas"], got.record["edition"]) == (5, "Wards_December_2022_Boundaries_UK_BGC")
    assert "Crown copyright" in got.record["attribution"]


def test_wards_once_fetched_are_the_same(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[WARDS] = arcgis([ward(n) for n in range(1, 6)])
    first = fetch_wards(client, site, tmp_path)
    again = fetch_wards(client, site, tmp_path)
    assert (first.changed, again.changed) == (True, False)
    assert again.record["retrieved"] == first.record["retrieved"]
    assert all("If-None-Match" in headers for _, headers in site.asked[4:])


def test_pages_that_came_are_not_asked_for_again(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[WARDS] = arcgis([ward(n) for n in range(1, 6)], fail_from=4)
    with pytest.raises(InputError, match="500"):
        fetch_wards(client, site, tmp_path)
    assert not (tmp_path / "wards.geojson").exists()
    before = len(site.asked)
    site.pages[WARDS] = arcgis([ward(n) for n in range(1, 6)])
    fetch_wards(client, site, tmp_path)
    assert [bool(h.get("If-None-Match")) for _, h in site.asked[before:]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (say('{"error": {"code": 400, "message": "Cannot perform query. \\u001b[31m"}}'), "Cannot perform query"),
        (say("[]"), "expected"),
        (say('{"count": 0}'), "check --within"),
        (say('{"count": 99999999}'), "expected 1 to 20,000"),
        (say('{"count": "many"}'), "expected 1 to 20,000"),
        (say('{"count": 2'), "not whole JSON"),
        (say('{"count": ' + "[" * 100_000), "not whole JSON"),
        (arcgis([ward(1)], count=2), "said it has 2 areas but sent 1"),
        (arcgis([ward(1), ward(1)]), "changed while it was read"),
        (arcgis([ward(1, WD22NM="a\x1b[31mb")]), "expected a name"),
        (arcgis([ward(1, WD22NM=None)]), "expected a name"),
        (arcgis([ward(1, LAD22CD="x" * 500)]), "expected a name"),
        (arcgis([{**ward(1), "geometry": None}]), "not an area"),
        (arcgis([{**ward(1), "geometry": {"type": "Point", "coordinates": [0, 51]}}]), "not an area"),
        (arcgis([{**ward(1), "geometry": {"type": "Polygon", "coordinates": [[[530000, 180000]]]}}]), "not longitude"),
        (arcgis([{**ward(1), "geometry": {"type": "Polygon", "coordinates": [[["0", "51"]]]}}]), "not longitude"),
        (arcgis([{**ward(1), "geometry": {"type": "Polygon", "coordinates": []}}]), "not longitude"),
        (arcgis([{**ward(1), "geometry": {"type": "Polygon", "coordinates": [[[float("nan"), 51]]]}}]), "NaN"),
    ],
)
def test_what_is_no_set_of_wards(answer: Answer, words: str, client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[WARDS] = answer
    with pytest.raises(InputError, match=words) as error:
        fetch_wards(client, site, tmp_path)
    assert "\x1b" not in str(error.value)
    assert not (tmp_path / "wards.geojson").exists()


@pytest.mark.parametrize("within", ["E09%' OR 1=1 --", "E09", "", "*", "E0900000'"])
def test_filters_are_codes_and_nothing_else(within: str, client: Client, site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a district"):
        fetch_wards(client, site, tmp_path, within=[within])
    assert site.asked == []


def test_other_editions_by_name(client: Client, site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no feature service is known for wards of 2019: choose 2022, 2024"):
        fetch_wards(client, site, tmp_path, year=2019)
    with pytest.raises(InputError, match="no feature service"):
        fetch_wards(client, site, tmp_path, services={"wards": "../../secrets"})
    with pytest.raises(InputError, match="there is no level"):
        fetch_wards(client, site, tmp_path, levels=("ward",))
    with pytest.raises(InputError, match="--level"):
        boundaries(tmp_path, year=2022, within=["E09*"], level="both", service="X", address=None, client=client)
    site.pages["/Mine/FeatureServer/0/query"] = arcgis(
        [{**ward(1), "properties": {"WD19CD": "E1", "WD19NM": "N", "LAD19CD": "E2", "LAD19NM": "M"}}]
    )
    done = boundaries(
        tmp_path, year=2019, within=["E09000001"], level="wards", service="Mine", address=site.address, client=client
    )
    assert done[0].record["edition"] == "Mine"
    assert site.query()["where"] == "LAD19CD = 'E09000001'"


# Residents: a table from Nomis.

NOMIS = "/NM_2021_1.data.csv"


def nomis(rows: list[str]) -> Answer:
    def answer(request: object) -> None:
        asked = Site.query(_One(request.path))  # type: ignore[attr-defined]
        first, size = int(asked["RecordOffset"]), int(asked["RecordLimit"])
        text = "\n".join(['"DATE_NAME","GEOGRAPHY_CODE","OBS_VALUE"', *rows[first : first + size]]) + "\n"
        return say(text, "text/csv")(request)  # type: ignore[arg-type]

    return answer


def test_residents_in_pages(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[NOMIS] = nomis([f'"2021","E0500000{n}",{1000 * n}' for n in (2, 3, 1, 5, 4)])
    got = fetch_population(client, tmp_path, base=site.address, page_rows=2)
    rows = list(csv.DictReader(io.StringIO(got.path.read_text("utf-8"))))
    assert [(r["area_code"], r["population"], r["year"]) for r in rows] == [
        (f"E0500000{n}", str(1000 * n), "2021") for n in range(1, 6)
    ]
    assert site.query(0)["geography"] == "TYPE153"
    assert got.record["areas"] == 5
    assert not fetch_population(client, tmp_path, base=site.address, page_rows=2).changed


def test_residents_of_the_areas_at_hand(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[WARDS] = arcgis([ward(n) for n in (1, 2)])
    outlines = fetch_wards(client, site, tmp_path).path
    site.pages[NOMIS] = nomis([f'"2021","E0500000{n}",{n}' for n in range(1, 6)])
    got = fetch_population(client, tmp_path, base=site.address, only=outlines)
    assert got.path.read_text("utf-8") == "area_code,population,year\nE05000001,1,2021\nE05000002,2,2021\n"
    site.pages[NOMIS] = nomis(['"2021","E05000001",1'])
    with pytest.raises(InputError, match=r"1 of 2 areas.*E05000002.*wards of 2022"):
        fetch_population(client, tmp_path, base=site.address, only=outlines)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "A,B\n1,2\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,E05000001,many\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,E05000001,-5\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,=cmd(),5\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,E05000001,5\n2021,E05000001,6\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,E05000001\n",
        'DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,"E05000001',
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n2021,E05000001,9999999999\n",
        "DATE_NAME,GEOGRAPHY_CODE,OBS_VALUE\n",
    ],
)
def test_what_is_no_table_of_residents(body: str, client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[NOMIS] = say(body, "text/csv")
    with pytest.raises(InputError, match="Nomis"):
        fetch_population(client, tmp_path, base=site.address)
    assert not (tmp_path / "population-wards.csv").exists()


# Crimes of one area: the street-level interface. Its answer has the shape printed in the site's documentation.

STREET = "/api/crimes-street/all-crime"
TRIANGLE = "52.268,0.543:52.794,0.238:52.130,0.478"


def crime(**changes: object) -> dict[str, object]:
    return {
        "category": "violent-crime",
        "location_type": "Force",
        "location": {"latitude": "52.640961", "street": {"id": 884343, "name": "On or near Wharf Street"},
                     "longitude": "-1.126371"},
        "context": "",
        "outcome_status": {"category": "Under investigation", "date": "2024-02"},
        "persistent_id": "4f8e06f8",
        "id": 54164419,
        "location_subtype": "",
        "month": "2024-01",
        **changes,
    }  # fmt: skip


def street(client: Client, site: Site, out: Path, **how: str) -> list[Fetched]:
    return fetch_street(
        client, out, base=site.address, **{"polygon": TRIANGLE, "first": "2024-01", "last": "2024-01", **how}
    )


def test_crimes_take_the_layout_of_the_archive(client: Client, site: Site, tmp_path: Path) -> None:
    nowhere = crime(location=None, persistent_id="", outcome_status=None, category="burglary")
    site.pages[STREET] = say(json.dumps([crime(), nowhere]))
    (got,) = street(client, site, tmp_path)
    assert got.path == tmp_path / "street" / "2024-01-area-street.csv"
    rows = list(csv.DictReader(io.StringIO(got.path.read_text("utf-8"))))
    assert [r["Location"] for r in rows] == ["No Location", "On or near Wharf Street"]
    assert rows[1] == {
        "Crime ID": "4f8e06f8", "Month": "2024-01", "Reported by": "", "Falls within": "", "Longitude": "-1.126371",
        "Latitude": "52.640961", "Location": "On or near Wharf Street", "LSOA code": "", "LSOA name": "",
        "Crime type": "Violence and sexual offences", "Last outcome category": "Under investigation", "Context": "",
    }  # fmt: skip
    assert site.query() == {"poly": TRIANGLE, "date": "2024-01"}
    assert got.record["crimes"] == 2


def test_a_span_of_months(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[STREET] = say("[]")
    got = street(client, site, tmp_path, first="2023-11", last="2024-02")
    assert [f.path.name[:7] for f in got] == ["2023-11", "2023-12", "2024-01", "2024-02"]


def test_crimes_that_a_spreadsheet_would_run(client: Client, site: Site, tmp_path: Path) -> None:
    bad = crime(context='=HYPERLINK("http://x")', category="@SUM(A1)")
    site.pages[STREET] = say(json.dumps([bad]))
    text = street(client, site, tmp_path)[0].path.read_text("utf-8")
    assert all(not cell.startswith(("=", "@", "+")) for row in csv.reader(io.StringIO(text)) for cell in row)


def test_too_many_crimes_for_the_interface(client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[STREET] = say("", status=503)
    with pytest.raises(InputError, match="more than 10,000 crimes"):
        street(client, site, tmp_path)


@pytest.mark.parametrize(
    "body",
    [{}, [1], [crime(month="2023-01")], [crime(location={"latitude": "x"})], [{}],
     [crime(location={"latitude": "999", "longitude": "0", "street": {"name": "x"}})]],
)  # fmt: skip
def test_what_is_no_list_of_crimes(body: object, client: Client, site: Site, tmp_path: Path) -> None:
    site.pages[STREET] = say(json.dumps(body))
    with pytest.raises(InputError, match=r"police\.uk sent"):
        street(client, site, tmp_path)
    assert not (tmp_path / "street").exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"polygon": "51,0:52,1"}, "not an area"),
        ({"polygon": "51,0:52,1:53,1&date=x"}, "not an area"),
        ({"polygon": ":".join(["51.123456,0.123456"] * 400)}, "simplify"),
        ({"first": "2024-13"}, "not a month"),
        ({"first": "2024-02"}, "not a range"),
        ({"first": "2000-01"}, "not a range"),
    ],
)
def test_questions_that_make_no_sense(
    how: dict[str, str], words: str, client: Client, site: Site, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        street(client, site, tmp_path, **how)
    assert site.asked == []


# The command.


def test_the_answer_for_programs_and_for_people(
    client: Client, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.pages["/file"] = kept(BODY)
    got = get(client, site, tmp_path / "a.json")
    print_fetched([got], as_json=True)
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["path"], answer["changed"]) == ((tmp_path / "a.json").as_posix(), True)
    print_fetched([got], as_json=False)
    said = capsys.readouterr().out
    assert hashlib.sha256(BODY).hexdigest()[:12] in said
    assert "Credit to them." in said


@pytest.mark.parametrize(("forces", "polygon"), [([], None), (["metropolitan"], TRIANGLE)])
def test_forces_or_a_polygon(forces: list[str], polygon: str | None, client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not both"):
        police_uk(tmp_path, forces=forces, polygon=polygon, first="2024-01", last="2024-01", archive="latest",
                  sha256=None, address=None, client=client)  # fmt: skip


def test_every_kind_names_itself() -> None:
    assert all(isinstance(kind, Kind) and kind.types for kind in (JSON, CSV))


@pytest.mark.real
def test_the_layout_is_that_of_the_real_files(real_data: Path) -> None:
    for path in sorted((real_data / "police_uk" / "city_of_london").glob("*-street.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            assert tuple(next(csv.reader(file))) == COLUMNS
