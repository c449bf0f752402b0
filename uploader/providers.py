"""The presets of the S3-compatible providers, as data.

Every preset has the page that it is taken from, and the month in which it was last checked. Signature V4 and
`when_required` checksums are right for all of them, so they are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Addressing = Literal["path", "virtual", "domain"]
"""Where URLs contain the bucket: in the path, before the host, or nowhere (the host is bound to the bucket)."""

_WEEK_S = 604_800
_S3_NAME = r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_DOTLESS_NAME = r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"
# A bucket of Ceph can belong to a tenant: https://docs.ceph.com/en/latest/radosgw/multitenancy/
_LOOSE_NAME = r"(?:[A-Za-z0-9_]{1,64}:)?(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]"


@dataclass(frozen=True, slots=True)
class Provider:
    """The preset of one provider.

    Attributes:
        name: The value of the setting `provider`.
        title: The provider's name for messages and pages.
        endpoint: Template of the endpoint's URL; None if boto3 knows it. `{region}` is replaced by the region. Any
            other placeholder must be filled in by the user, which makes the setting `endpoint` required.
        region: The default region for signatures; None if the user must set one.
        region_in_host: Pattern whose first group is the region in an endpoint's host name.
        signing_region: Template of the region's name in signatures.
        addressing: The supported addressing styles, the default first.
        own_hosts: Pattern of the provider's own hosts, if any other host is a domain bound to one bucket.
        max_url_expires_s: The longest lifetime of a presigned URL, in seconds.
        bucket_name: Pattern of a valid bucket name.
        bucket_rule: The same in words.
        source: The provider's page.
        checked: Year and month in which the page was last checked.
        notes: What users of this provider must know.
    """

    name: str
    title: str
    endpoint: str | None
    region: str | None
    addressing: tuple[Addressing, ...]
    source: str
    region_in_host: str | None = None
    signing_region: str = "{region}"
    own_hosts: str | None = None
    max_url_expires_s: int = _WEEK_S
    bucket_name: str = _S3_NAME
    bucket_rule: str = "3 to 63 lower-case letters, digits, hyphens and dots"
    checked: str = "2026-11"
    notes: str = ""

    @property
    def endpoint_from_region(self) -> bool:
        """Whether the region alone determines the endpoint."""
        return self.endpoint is not None and self.endpoint.replace("{region}", "").count("{") == 0


_TABLE = (
    Provider(
        name="aws",
        title="AWS S3",
        endpoint=None,
        region=None,
        region_in_host=r"s3[.-](?:dualstack\.|fips\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?",
        addressing=("virtual", "path"),
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html",
        notes="Buckets outside us-east-1 need their own region; URLs signed with temporary keys expire with them.",
    ),
    Provider(
        name="r2",
        title="Cloudflare R2",
        endpoint="https://{account}.r2.cloudflarestorage.com",
        region="auto",
        addressing=("path", "virtual"),
        source="https://developers.cloudflare.com/r2/api/s3/presigned-urls/",
        notes="If the bucket has a jurisdiction, the host contains it: ACCOUNT.eu.r2.cloudflarestorage.com.",
    ),
    Provider(
        name="b2",
        title="Backblaze B2",
        endpoint="https://s3.{region}.backblazeb2.com",
        region=None,
        region_in_host=r"s3\.([a-z0-9-]+)\.backblazeb2\.com",
        addressing=("path", "virtual"),
        bucket_name=_DOTLESS_NAME,
        bucket_rule="6 to 63 lower-case letters, digits and hyphens",
        source="https://www.backblaze.com/docs/cloud-storage-s3-compatible-api",
        notes="Buckets are versioned by default; the master application key does not work with S3.",
    ),
    Provider(
        name="minio",
        title="MinIO",
        endpoint="https://{host}:9000",
        region="us-east-1",
        addressing=("path", "virtual"),
        source="https://min.io/docs/minio/linux/reference/minio-mc/mc-share-download.html",
        notes="Virtual addressing works only if MINIO_DOMAIN is set.",
    ),
    Provider(
        name="wasabi",
        title="Wasabi",
        endpoint="https://s3.{region}.wasabisys.com",
        region=None,
        region_in_host=r"s3\.([a-z0-9-]+)\.wasabisys\.com",
        addressing=("virtual", "path"),
        source="https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabis-different-storage-regions",
        notes="Objects are billed for a minimum time even if they are deleted at once.",
    ),
    Provider(
        name="spaces",
        title="DigitalOcean Spaces",
        endpoint="https://{region}.digitaloceanspaces.com",
        region=None,
        region_in_host=r"([a-z0-9]+)\.digitaloceanspaces\.com",
        addressing=("virtual", "path"),
        bucket_name=_DOTLESS_NAME,
        bucket_rule="3 to 63 lower-case letters, digits and hyphens",
        source="https://docs.digitalocean.com/products/spaces/reference/s3-sdk-examples/",
        notes="Presigned URLs work on the origin's host only, not on the CDN's.",
    ),
    Provider(
        name="gcs",
        title="Google Cloud Storage (interoperability)",
        endpoint="https://storage.googleapis.com",
        region="auto",
        addressing=("path", "virtual"),
        bucket_name=r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]",
        bucket_rule="3 to 63 lower-case letters, digits, hyphens, underscores and dots",
        source="https://cloud.google.com/storage/docs/interoperability",
        notes="The keys are HMAC keys, created under Settings > Interoperability.",
    ),
    Provider(
        name="oss",
        title="Alibaba Cloud OSS",
        endpoint="https://s3.oss-{region}.aliyuncs.com",
        region=None,
        region_in_host=r"(?:s3\.)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com",
        signing_region="oss-{region}",
        own_hosts=r"(?:.+\.)?aliyuncs\.com",
        addressing=("virtual", "domain"),
        bucket_name=_DOTLESS_NAME,
        bucket_rule="3 to 63 lower-case letters, digits and hyphens",
        source="https://www.alibabacloud.com/help/en/oss/developer-reference/use-amazon-s3-sdks-to-access-oss",
        notes="Accounts opened since March 2025 cannot use the default domains of mainland regions: bind a domain to "
        "the bucket and set s3_endpoint to it, together with region.",
    ),
    Provider(
        name="cos",
        title="Tencent Cloud COS",
        endpoint="https://cos.{region}.myqcloud.com",
        region=None,
        region_in_host=r"cos\.([a-z0-9-]+)\.(?:myqcloud\.com|tencentcos\.(?:cn|com))",
        own_hosts=r"(?:.+\.)?(?:myqcloud\.com|tencentcos\.(?:cn|com))",
        addressing=("virtual", "domain"),
        bucket_name=r"[a-z0-9][a-z0-9-]{0,49}-\d{5,12}",
        bucket_rule="lower-case letters, digits and hyphens, ending in -<APPID>",
        source="https://www.tencentcloud.com/document/product/436/32537",
        notes="A bucket's name ends in -<APPID>; path addressing is refused for buckets created since 2024. The "
        "endpoint can also be https://cos.REGION.tencentcos.cn.",
    ),
    Provider(
        name="seaweedfs",
        title="SeaweedFS",
        endpoint="http://{host}:8333",
        region="us-east-1",
        addressing=("path", "virtual"),
        source="https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API",
        notes="An admin key creates a missing bucket on first use unless auto-creation is off.",
    ),
    Provider(
        name="custom",
        title="another S3-compatible storage",
        endpoint="https://{host}",
        region="us-east-1",
        addressing=("path", "virtual", "domain"),
        bucket_name=_LOOSE_NAME,
        bucket_rule="3 to 63 letters, digits, hyphens, underscores and dots; with Ceph also tenant:bucket",
        source="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html",
        notes="Strict services require virtual addressing and answer 400 to path style. The endpoint may have a path, "
        "like Supabase's (https://PROJECT.supabase.co/storage/v1/s3).",
    ),
)

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _TABLE}
"""Every preset, by the name that the setting `provider` uses."""
