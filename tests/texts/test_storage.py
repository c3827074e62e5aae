"""The storage's gateway, the same test against our own stand-in and against moto; and what the stand-in refuses."""

import os
from collections.abc import Iterator

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from soulseer.gateways.storage import REGION, StorageGateway, StorageUnavailable
from soulseer.sandbox.storage.shelf import Shelf
from tests.sandbox.ports import free_port
from tests.texts.conftest import BUCKET, KEY_ID, SECRET

# No name of a file, and every sign that has a meaning in an address.
ODD_KEY = "message/2026/../a b+ä%2F?&=~.webp"


def client(url: str, secret: str = SECRET) -> "boto3.client":
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )


@pytest.fixture
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client(url).create_bucket(Bucket=BUCKET)
        yield url
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["stand_in", "moto"])
def test_an_object_is_put_fetched_measured_and_removed(kind: str, request: pytest.FixtureRequest) -> None:
    gateway = StorageGateway(request.getfixturevalue(kind), KEY_ID, SECRET, BUCKET)
    assert BUCKET in gateway.check()
    content = os.urandom(300_000)
    for key in ("message/2026/11/one", ODD_KEY):
        assert gateway.get(key) is None
        assert gateway.size(key) is None
        gateway.put(key, b"first", "text/plain")
        gateway.put(key, content, "image/webp")
        found = gateway.get(key)
        assert found is not None
        assert (found.content, found.content_type) == (content, "image/webp")
        assert gateway.size(key) == 300_000
        gateway.delete(key)
        gateway.delete(key)
        assert gateway.get(key) is None
    nowhere = StorageGateway(gateway.endpoint_url, KEY_ID, SECRET, "another-bucket")
    with pytest.raises(StorageUnavailable, match="no bucket"):
        nowhere.check()


@pytest.mark.parametrize("kind", ["stand_in", "moto"])
def test_a_presigned_link_is_good_for_what_it_names(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    s3 = client(url)
    key = ODD_KEY.replace("../", "")  # which browsers resolve
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"picture", ContentType="image/webp")
    link = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key}, ExpiresIn=60)
    assert requests.get(link, timeout=5).content == b"picture"


def test_the_stand_in_takes_nothing_that_is_not_signed(stand_in: str, shelf: Shelf) -> None:
    s3 = client(stand_in)
    s3.put_object(Bucket=BUCKET, Key="one", Body=b"picture")
    link = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "one"}, ExpiresIn=60)
    assert requests.get(f"{stand_in}/{BUCKET}/one", timeout=5).status_code == 403
    assert requests.put(link, data=b"other", timeout=5).status_code == 403
    assert requests.get(link.replace("/one?", "/two?"), timeout=5).status_code == 403
    assert requests.get(link.replace("Expires=60", "Expires=600"), timeout=5).status_code == 403
    assert requests.get(link[:-1] + ("0" if link[-1] != "0" else "1"), timeout=5).status_code == 403
    gone = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "one"}, ExpiresIn=0)
    assert "expired" in requests.get(gone, timeout=5).text
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(stand_in, "another secret").put_object(Bucket=BUCKET, Key="two", Body=b"x")
    assert shelf.keys() == ["one"]
    with pytest.raises(StorageUnavailable, match="SignatureDoesNotMatch"):
        StorageGateway(stand_in, KEY_ID, "another secret", BUCKET).get("one")


def test_a_body_that_was_changed_on_its_way_is_refused(stand_in: str, shelf: Shelf) -> None:
    s3 = client(stand_in)

    def change(request: object, **_rest: object) -> None:
        request.body = b"changed"  # type: ignore[attr-defined]

    s3.meta.events.register("before-send.s3.PutObject", change)
    with pytest.raises(ClientError, match="XAmzContentSHA256Mismatch"):
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"picture")
    assert shelf.keys() == []


def test_a_storage_that_is_away_is_said_to_be() -> None:
    gateway = StorageGateway(f"http://127.0.0.1:{free_port()}", KEY_ID, SECRET, BUCKET)
    with pytest.raises(StorageUnavailable):
        gateway.put("one", b"x", "text/plain")
    with pytest.raises(StorageUnavailable, match="set up"):
        StorageGateway("", "", "", "").get("one")
