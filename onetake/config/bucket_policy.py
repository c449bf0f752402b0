"""What a bucket should allow, in the words of AWS, which the other providers translate.

Sources: the actions are those that `uploader` asks for (put, get for the presigned URL, head, delete, and where there
are versions their list and deletion); the forms are IAM's policy grammar and S3's lifecycle configuration.
"""

from __future__ import annotations

from typing import Any


def key_policy(bucket: str, prefix: str, kms_key: str | None = None) -> dict[str, Any]:
    """The fewest rights that are needed.

    Args:
        bucket: Its name.
        prefix: What the objects' names begin with.
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
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: to write, and to read a link
        rights = {"Sid": "Encryption", "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"]}
        policy["Statement"].append({**rights, "Resource": _key_resource(kms_key)})
    return policy


def _key_resource(kms_key: str) -> str:
    if kms_key.startswith("arn:"):
        return kms_key
    # A statement names keys by their ARN only; an alias stands for whatever key it points to.
    return f"arn:aws:kms:*:*:key/{'*' if kms_key.startswith('alias/') or kms_key == '*' else kms_key}"


def lifecycle(prefix: str) -> dict[str, Any]:
    """Rules that delete what was left behind after a day, unfinished uploads and old versions too.

    Args:
        prefix: What the objects' names begin with.
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
