"""The client of the hub against one that is served on this machine."""

import hashlib
import socket
import sys
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from loopback_hub import COMMIT, LoopbackHub, git_name, serving

from beholder.errors import DigestMismatch, HubError, Offline, OutputFailed, UsageError
from beholder.zoo.hub.hub import HuggingFaceHub, check_repository
from beholder.zoo.hub.web import Web

NAME = "someone/birds"
BIG = np.random.default_rng(0).integers(0, 256, 3 * 2**20 + 17, np.uint8).tobytes()


@pytest.fixture
def birds(hub_here):
    hub_here.add(NAME, {"big.onnx": BIG, "config.json": {"a": 1}, "empty.txt": b"", "deep/folder/with space.json": {}})
    return hub_here


def fetch(client, path="big.onnx", **options):
    snapshot = client.snapshot(NAME, "main")
    return client.fetch(snapshot, snapshot.files[path], **options)


def test_a_listing_has_sizes_digests_commit_and_license(birds, client):
    birds.card_data = {"license": "apache-2.0", "datasets": ["imagenet-1k"]}
    snapshot = client.snapshot(NAME, "main")
    assert (snapshot.repository, snapshot.commit) == (NAME, COMMIT)
    assert (snapshot.license, snapshot.datasets) == ("apache-2.0", ("imagenet-1k",))
    assert snapshot.files["big.onnx"].digest == f"sha256:{hashlib.sha256(BIG).hexdigest()}"
    assert snapshot.files["big.onnx"].size == len(BIG)
    assert snapshot.files["config.json"].digest == "git:" + git_name(b'{"a": 1}')


@pytest.mark.parametrize(
    ("card", "license_"),
    [
        (None, None),
        ({}, None),
        ({"license": ["mit", "cc-by-4.0"]}, "mit, cc-by-4.0"),
        ({"license": "other", "license_name": "own", "license_link": "LICENSE"}, "other, own, LICENSE"),
    ],
)
def test_the_license_is_what_the_authors_state(birds, client, card, license_):
    birds.card_data = card
    assert client.snapshot(NAME, "main").license == license_


def test_every_kind_of_file_arrives_whole(birds, client):
    assert fetch(client).read_bytes() == BIG
    assert fetch(client, "config.json").read_bytes() == b'{"a": 1}'
    assert fetch(client, "empty.txt").read_bytes() == b""
    assert fetch(client, "deep/folder/with space.json").read_bytes() == b"{}"


def test_a_file_that_is_here_is_not_fetched_again(birds, client):
    snapshot = client.snapshot(NAME, "main")
    first = client.fetch(snapshot, snapshot.files["big.onnx"])
    asked = len(birds.requests)
    assert client.fetch(snapshot, snapshot.files["big.onnx"]) == first
    assert len(birds.requests) == asked


def test_a_damaged_file_in_the_cache_is_fetched_again(birds, client):
    path = fetch(client)
    path.write_bytes(b"x" + BIG[1:])
    assert fetch(client).read_bytes() == BIG


def test_a_dropped_connection_is_resumed_where_it_broke(birds, client):
    birds.drop_after.extend([1_000_000, 500_000])
    told = []
    assert fetch(client, progress=lambda done, total: told.append((done, total))).read_bytes() == BIG
    ranges = [request.headers.get("range") for request in birds.file_requests]
    assert ranges == [None, "bytes=1000000-", "bytes=1500000-"]
    assert all("if-range" in request.headers for request in birds.file_requests[1:])
    assert told[-1] == (len(BIG), len(BIG))
    assert told == sorted(told)


def test_an_interrupted_download_is_resumed_by_the_next_command(birds, client, cache):
    birds.drop_after.extend([700_000] * 3)
    birds.length = len(BIG)
    impatient = HuggingFaceHub(Web(birds.url, attempts=1))
    with pytest.raises(HubError, match="closed early, 1 times; try again later: what has arrived is kept"):
        fetch(impatient)
    (part,) = (cache / "hub").glob("*.part")
    assert part.stat().st_size == 700_000
    birds.drop_after.clear()
    birds.length = None
    birds.requests.clear()
    assert fetch(client).read_bytes() == BIG
    assert [request.headers.get("range") for request in birds.file_requests] == ["bytes=700000-"]
    assert not part.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_two_commands_do_not_write_one_file(birds, client, cache):
    import fcntl

    snapshot = client.snapshot(NAME, "main")
    part = cache / "hub" / f"{snapshot.files['big.onnx'].digest.replace(':', '-')}.part"
    part.parent.mkdir(parents=True)
    with open(part, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(HubError, match="is being fetched by another process"):
            client.fetch(snapshot, snapshot.files["big.onnx"])
    assert client.fetch(snapshot, snapshot.files["big.onnx"]).read_bytes() == BIG


def test_a_cache_that_cannot_be_written_is_named(birds, client, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BEHOLDER_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputFailed, match="cannot be written"):
        fetch(client)


def test_a_server_that_has_less_than_it_announced_is_refused(birds, client, cache):
    snapshot = client.snapshot(NAME, "main")
    file = replace(snapshot.files["big.onnx"], size=len(BIG) + 100)
    part = cache / "hub" / f"{file.digest.replace(':', '-')}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG + b"x" * 50)
    with pytest.raises(HubError, match="must send 3,145,845 bytes, but announces 3145745"):
        client.fetch(snapshot, file)


@pytest.mark.parametrize("fault", ["ignore_ranges", "wrong_range"])
def test_a_server_that_does_not_resume_properly_is_asked_for_all_of_it(birds, client, fault):
    setattr(birds, fault, True)
    birds.drop_after.append(1_000_000)
    assert fetch(client).read_bytes() == BIG


def test_leftovers_of_another_file_are_thrown_away(birds, client, cache):
    snapshot = client.snapshot(NAME, "main")
    file = snapshot.files["big.onnx"]
    part = cache / "hub" / f"{file.digest.replace(':', '-')}.part"
    part.parent.mkdir(parents=True)
    for leftover in (b"y" * 1000, b"y" * len(BIG), b"y" * (len(BIG) + 5)):
        part.write_bytes(leftover)
        path = client.fetch(snapshot, file)
        assert path.read_bytes() == BIG
        path.unlink()


def test_what_is_not_what_was_announced_is_refused_and_not_kept(birds, client, cache):
    birds.lie = True
    with pytest.raises(DigestMismatch, match=r"big\.onnx must be sha256:\w+, found sha256:\w+"):
        fetch(client)
    with pytest.raises(DigestMismatch, match=r"config\.json must be git:\w+, found git:\w+"):
        fetch(client, "config.json")
    assert list((cache / "hub").iterdir()) == []


def test_another_size_than_was_announced_is_refused(birds, client):
    birds.length = len(BIG) + 1
    with pytest.raises(HubError, match="must send 3,145,745 bytes, but announces 3145746"):
        fetch(client)


def test_a_file_over_the_limit_is_not_fetched(birds, client):
    small = HuggingFaceHub(client.web, max_bytes=1000)
    with pytest.raises(HubError, match="must be at most 1,000 bytes, found 3,145,745"):
        fetch(small)
    assert birds.file_requests == []


def test_passing_failures_are_asked_again(birds, client):
    birds.statuses.extend([(503, {"Retry-After": "0"}), (500, {})])
    assert client.snapshot(NAME, "main").commit == COMMIT
    birds.statuses.extend([(429, {})] * 3)
    with pytest.raises(HubError, match="answers 429, 3 times"):
        client.snapshot(NAME, "main")


@pytest.mark.parametrize(
    ("name", "revision", "statuses", "words"),
    [
        ("someone/nothing", "main", [], "not found on .*; check the name, or if it is private, set HF_TOKEN"),
        (NAME, "v9", [], "has no revision 'v9'"),
        (NAME, "main", [(401, {"X-Error-Code": "GatedRepo"})], "must be asked for on"),
        (NAME, "main", [(403, {})], "must be asked for on"),
        (NAME, "main", [(418, {})], "answers 418"),
    ],
)
def test_a_no_of_the_hub_says_what_to_do(birds, client, name, revision, statuses, words):
    birds.statuses.extend(statuses)
    with pytest.raises(HubError, match=words):
        client.snapshot(name, revision)
    assert len(birds.requests) == 1


def test_a_branch_with_a_slash_is_one_revision(birds, client):
    assert client.snapshot(NAME, "v1/with-slash").commit == COMMIT
    assert birds.requests[0].path == f"/api/models/{NAME}/revision/v1%2Fwith-slash?blobs=true"


def listed(change):
    def changed(listing):
        change(listing)
        return listing

    return changed


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (lambda _: [1, 2], "must be a JSON object, found"),
        (lambda _: {"sha": "main", "siblings": []}, 'sha must be a commit, found "main"'),
        (lambda _: {"sha": "../../x" + COMMIT[7:], "siblings": []}, "sha must be a commit"),
        (lambda _: {"sha": COMMIT}, "siblings must be a list of objects, found nothing"),
        (listed(lambda x: x["siblings"].append("text")), "siblings must be a list of objects"),
        (listed(lambda x: x["siblings"][0].update(size=-1)), "size must be an integer from 0"),
        (listed(lambda x: x["siblings"][0].update(size="12")), "size must be an integer from 0"),
        (listed(lambda x: x["siblings"][0]["lfs"].update(sha256="../../etc/passwd")), "must be a digest"),
        (listed(lambda x: x["siblings"][0]["lfs"].update(sha256=5)), "sha256 must be a string"),
        (listed(lambda x: x["siblings"][1].update(blobId="zz")), "blobId must be a digest"),
        (listed(lambda x: x.update(cardData={"license": {"a": 1}})), "license must be a list of strings"),
        (listed(lambda x: x.update(cardData={"license": "\x1b[31mred"})), "license must be a list of strings"),
    ],
)
def test_a_listing_that_is_not_one_is_refused(birds, client, listing, words):
    birds.listing = listing
    with pytest.raises(HubError, match=words):
        client.snapshot(NAME, "main")


def test_paths_that_lead_out_of_the_repository_are_not_listed(birds, client):
    bad = ["../x.onnx", "/etc/passwd", "a//b", "a\\b", "a\x1b[0m", "x" * 501, "."]
    birds.listing = listed(lambda x: x["siblings"].extend({**x["siblings"][1], "rfilename": path} for path in bad))
    assert set(client.snapshot(NAME, "main").files) == set(birds.repositories[NAME])


def test_a_listing_that_never_ends_is_cut_off(birds, client, monkeypatch):
    monkeypatch.setattr("beholder.zoo.hub.hub._MAX_LISTING_BYTES", 100)
    with pytest.raises(HubError, match="must be at most 100 bytes, found more"):
        client.snapshot(NAME, "main")


@pytest.mark.parametrize(
    "name",
    ["birds", "a/b/c", "../birds", "a/..", "./a", "a/b?x=1", "a/b#c", "a b/c", "a/b\n", "-a/b", "a/", "/a/b", "a--b/c"],
)
def test_names_that_are_not_of_a_repository_are_refused(name):
    with pytest.raises(UsageError, match="must be like organization/name"):
        check_repository(name)


def test_the_address_of_a_page_is_understood():
    with pytest.raises(UsageError, match=r"; try google/vit$"):
        check_repository("https://huggingface.co/google/vit/tree/main")


@pytest.mark.parametrize("revision", ["", "../x", "a b", "a\nb", "-x", "a..b"])
def test_revisions_that_are_none_are_refused(birds, client, revision):
    with pytest.raises(UsageError, match="must be a branch, a tag or a commit"):
        client.snapshot(NAME, revision)
    assert birds.requests == []


# Redirects and the token


@pytest.fixture
def two_hubs(birds):
    """The hub and another host, as a network of caches is."""
    other = LoopbackHub()
    other.add(NAME, birds.repositories[NAME])
    with serving(other):
        yield birds, other


def test_redirects_on_this_machine_are_followed_without_the_token(two_hubs):
    birds, other = two_hubs
    birds.required_token = "hf_secret"
    birds.redirect = other.url + "{path}"
    client = HuggingFaceHub(Web(birds.url, "hf_secret", pause_seconds=0.01))
    birds_before = len(birds.requests)
    other.drop_after.append(1000)
    assert fetch(client).read_bytes() == BIG
    assert all(request.headers["authorization"] == "Bearer hf_secret" for request in birds.requests[birds_before:])
    assert len(other.requests) == 2
    assert all("authorization" not in request.headers for request in other.requests)
    assert other.requests[1].headers["range"] == "bytes=1000-"


def test_a_redirect_to_the_hub_itself_keeps_the_token(birds):
    birds.required_token = "hf_secret"
    birds.statuses.append((307, {"Location": f"/api/models/{NAME}/revision/main?blobs=true"}))
    client = HuggingFaceHub(Web(birds.url, "hf_secret"))
    assert client.snapshot("old/name", "main").commit == COMMIT


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "http://example.com/x", "https://example.com/x", "ftp://127.0.0.1/x", "http://[::1", "http://a@127.0.0.1/",
     "data:text/plain,x", "http://127.0.0.1:0/"],
)  # fmt: skip
def test_redirects_away_from_this_machine_are_not_followed(birds, client, target):
    birds.redirect = target
    with pytest.raises(HubError, match="redirects to another machine than this one"):
        fetch(client)
    assert len(birds.file_requests) == 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://example.com/x", "http://127.0.0.1/x"])
def test_a_hub_elsewhere_redirects_to_https_only(target):
    with pytest.raises(HubError, match="redirects to something else than https"):
        Web("https://hub.example")._redirected("https://hub.example/x", target)
    assert Web("https://hub.example")._redirected("https://hub.example/x", "/y") == "https://hub.example/y"


def test_redirects_in_a_circle_end(birds, client):
    birds.redirect = "{path}"
    with pytest.raises(HubError, match="redirects more than 5 times"):
        fetch(client)


@pytest.mark.parametrize(
    "endpoint",
    ["http://hub.example", "ftp://hub.example", "file:///", "huggingface.co", "https://", "https://a:b@hub.example",
     "https://hub.example?x", "https://hub example", "https://hub.example:x"],
)  # fmt: skip
def test_addresses_that_are_not_safe_are_refused(endpoint):
    with pytest.raises(UsageError, match="the address of a hub must be like"):
        Web(endpoint)


def test_the_token_is_never_shown_and_must_be_one():
    assert "hf_secret" not in repr(HuggingFaceHub(Web("https://hub.example", "hf_secret")))
    with pytest.raises(UsageError, match="characters that no token has") as caught:
        Web("https://hub.example", "hf_secret\r\nX: y")
    assert "hf_secret" not in str(caught.value)


def test_the_environment_names_the_hub_and_the_token(monkeypatch):
    assert HuggingFaceHub.from_environment().web.endpoint == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    monkeypatch.setenv("HF_TOKEN", " hf_x\n")
    client = HuggingFaceHub.from_environment()
    assert (client.name, client.web.endpoint, client.web.token) == ("mirror.example", "https://mirror.example", "hf_x")


# Offline


@pytest.mark.parametrize("variable", ["BEHOLDER_OFFLINE", "HF_HUB_OFFLINE"])
@pytest.mark.parametrize("value", ["1", "true", "YES", "on", "anything"])
def test_offline_opens_no_socket(birds, client, monkeypatch, variable, value):
    snapshot = client.snapshot(NAME, "main")
    monkeypatch.setenv(variable, value)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(socket, "socket", forbidden)
        patch.setattr(socket, "create_connection", forbidden)
        with pytest.raises(Offline, match=f"{variable} is set"):
            client.snapshot(NAME, "main")
        with pytest.raises(Offline, match=f"{variable} is set"):
            client.fetch(snapshot, snapshot.files["big.onnx"])


@pytest.mark.parametrize("value", ["", "0", "false", "No", " off "])
def test_offline_can_be_off(birds, client, monkeypatch, value):
    monkeypatch.setenv("BEHOLDER_OFFLINE", value)
    assert client.snapshot(NAME, "main").commit == COMMIT


def forbidden(*_args, **_options):
    pytest.fail("a socket was opened")


def test_a_hub_that_is_not_there_is_said_to_be_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(HubError, match="Connection refused, 2 times"):
        HuggingFaceHub(Web(url, attempts=2, pause_seconds=0.01)).snapshot(NAME, "main")


def test_a_silent_hub_is_given_up(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(HubError, match="no answer came in time, 1 times"):
            HuggingFaceHub(Web(url, attempts=1, timeout_seconds=0.1)).snapshot(NAME, "main")
