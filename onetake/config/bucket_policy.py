"""The IAM policy and the lifecycle rules that a bucket needs, in the format of AWS.

The actions are those that `uploader` uses: put, get (for presigned URLs), head, delete, and in buckets with versioning
listing and deleting versions. Formats: IAM policy grammar, S3 PutBucketLifecycleConfiguration.
"""

from __future__ import annotations

from typing import Any


def key_policy(bucket: str, prefix: str, kms_key: str | None = None) -> dict[str, Any]:
    """The minimal IAM policy for onetake's access key.

    Args:
        bucket: The name of the bucket.
        prefix: The prefix of object keys.
        kms_key: The key of SSE-KMS: an ARN, an id or an alias; None without SSE-KMS.
    """
    arn = f"arn:aws:s3:::{bucket}"
    policy: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Recordings",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
                "Resource": f"{arn}/{prefix}*",
            },
            {
                "Sid": "Listing",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
            },
        ],
    }
    if kms_key is not None:
        # GenerateDataKey to upload, Decrypt for multipart uploads and presigned URLs:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        rights = {"Sid": "Encryption", "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"]}
        policy["Statement"].append({**rights, "Resource": _key_resource(kms_key)})
    return policy


def _key_resource(kms_key: str) -> str:
    if kms_key.startswith("arn:"):
        return kms_key
    # A policy names keys by ARN only; an alias can point to any key, hence the wildcard.
    return f"arn:aws:kms:*:*:key/{'*' if kms_key.startswith('alias/') or kms_key == '*' else kms_key}"


def lifecycle(prefix: str) -> dict[str, Any]:
    """Lifecycle rules that delete recordings, old versions and incomplete multipart uploads after one day.

    Args:
        prefix: The prefix of object keys.
    """
    return {
        "Rules": [
            {
                "ID": "onetake-recordings",
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                "Expiration": {"Days": 1},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
        ]
    }
