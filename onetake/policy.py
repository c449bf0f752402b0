"""What a bucket should allow, in the words of AWS, which the other providers translate.

Sources: the actions are those that `uploader` asks for (put, get for the presigned URL, head, delete, and where there
are versions their list and deletion); the forms are IAM's policy grammar and S3's lifecycle configuration.
"""

from __future__ import annotations

from typing import Any


def key_policy(bucket: str, prefix: str) -> dict[str, Any]:
    """The fewest rights that are needed.

    Args:
        bucket: Its name.
        prefix: What the objects' names begin with.
    """
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RecordingsOnTheirWay",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"],
                "Resource": f"{arn}/{prefix}*",
            },
            {
                "Sid": "WhetherTheyAreGone",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": [f"{prefix}*"]}},
            },
        ],
    }


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
