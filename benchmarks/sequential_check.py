"""A simple script that downloads objects and measures them with ffmpeg, one after the other: the peer of `--on dask`.

Usage: ``python benchmarks/sequential_check.py PREFIX FIRST COUNT FILTERS``, with onetake's settings in the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import boto3
from botocore.config import Config


def main() -> None:
    """Download each object from the first one on, and run ffmpeg's meters on it."""
    prefix, first, count, filters = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    storage = boto3.client(
        "s3",
        endpoint_url=os.environ["ONETAKE_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=os.environ["ONETAKE_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["ONETAKE_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    bucket = os.environ["ONETAKE_BUCKET"]
    pages = storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = (entry["Key"] for page in pages for entry in page["Contents"])
    with tempfile.TemporaryDirectory() as folder:
        for key in islice(keys, first, first + count):
            path = Path(folder, "take.wav")
            storage.download_file(bucket, key, str(path))
            command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-af", filters, "-f", "null", "-"]
            subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
