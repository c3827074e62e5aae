"""Private objects in Cloudflare R2, or any S3. The only module that knows how an object is put on the wire."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from soulseer.domain.errors import VendorError

# R2 takes this name for its one region; an S3 that has others tells them apart by its address.
REGION = "us-east-1"
TIMEOUT_SECONDS = 15
ATTEMPTS = 2


class StorageUnavailable(VendorError):
    """The storage refused or did not answer; the same call may be made again."""

    code, status, title = "storage_unavailable", 503, "Files cannot be kept or fetched right now"


@dataclass(frozen=True)
class StoredObject:
    """What stands under a key."""

    content: bytes
    content_type: str


class StorageGateway:
    """Objects of one bucket. Every method raises StorageUnavailable where the storage does not do it."""

    def __init__(self, endpoint_url: str, access_key_id: str, secret_access_key: str, bucket: str) -> None:
        self.endpoint_url, self.bucket = endpoint_url, bucket
        self._keys = (access_key_id, secret_access_key)
        self.configured = all((endpoint_url, access_key_id, secret_access_key, bucket))

    @cached_property
    def _client(self) -> Any:
        # Here, not above: the SDK takes a third of a second to import, and few processes store files.
        import boto3
        from botocore.config import Config

        key_id, secret = self._keys
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(
                signature_version="s3v4",
                connect_timeout=TIMEOUT_SECONDS,
                read_timeout=TIMEOUT_SECONDS,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                s3={"addressing_style": "path"},
                # R2 does not know the trailing checksums that the SDK would add by itself.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store ``content`` under ``key``; the same again replaces it."""
        self._call("put_object", Key=key, Body=content, ContentType=content_type)

    def get(self, key: str) -> StoredObject | None:
        """What stands under ``key``; None where nothing does."""
        answer = self._call("get_object", Key=key)
        if answer is None:
            return None
        with answer["Body"] as body:
            return StoredObject(self._read(body), str(answer["ContentType"]))

    def size(self, key: str) -> int | None:
        """The bytes under ``key`` counted, without fetching them; None where there is nothing."""
        answer = self._call("head_object", Key=key)
        return None if answer is None else int(answer["ContentLength"])

    def delete(self, key: str) -> None:
        """Have nothing under ``key``, whether or not there was something."""
        self._call("delete_object", Key=key)

    def check(self) -> str:
        """That our bucket is there and our keys open it, in words for ``flask doctor``."""
        if self._call("head_bucket") is None:
            raise StorageUnavailable(f"There is no bucket “{self.bucket}” at {self.endpoint_url}.")
        return f"bucket {self.bucket} at {self.endpoint_url}"

    def _read(self, body: Any) -> bytes:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            return bytes(body.read())
        except (BotoCoreError, HTTPError) as error:
            raise StorageUnavailable(f"The storage broke off: {error}") from error

    def _call(self, operation: str, **arguments: Any) -> Any | None:
        """The answer; None where there is no such thing."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.configured:
            raise StorageUnavailable("No storage for files is set up.")
        try:
            return getattr(self._client, operation)(Bucket=self.bucket, **arguments)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 404:
                return None
            raise StorageUnavailable(f"The storage refused: {error}") from error
        except (BotoCoreError, ValueError) as error:
            # ValueError: an address that is none.
            raise StorageUnavailable(f"The storage did not answer: {error}") from error
