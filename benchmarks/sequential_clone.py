"""A simple script that clones a folder, one recording after the other: the peer of `onetake clone`.

Usage: ``python benchmarks/sequential_clone.py FOLDER`` with onetake's settings in the environment.
"""

from __future__ import annotations

import os
import sys
import uuid
import warnings
from pathlib import Path

import boto3
import requests
from botocore.config import Config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pydub import AudioSegment


def main() -> None:
    """Decode each recording, check its duration, upload it, presign, call, and delete it."""
    storage = boto3.client(
        "s3",
        endpoint_url=os.environ["ONETAKE_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=os.environ["ONETAKE_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["ONETAKE_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    bucket = os.environ["ONETAKE_BUCKET"]
    for path in sorted(Path(sys.argv[1]).iterdir()):
        sound = AudioSegment.from_file(path)
        if not 10 <= sound.duration_seconds <= 300 or sound.dBFS == float("-inf"):
            continue
        key = f"{uuid.uuid4()}{path.suffix}"
        storage.upload_file(str(path), bucket, key)
        url = storage.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=3600)
        answer = requests.post(
            f"{os.environ['ONETAKE_BASE_URL']}/v3/minimax-voice-cloning",
            json={"audio_url": url},
            headers={"Authorization": f"Bearer {os.environ['ONETAKE_API_KEY']}"},
            timeout=180,
        )
        answer.raise_for_status()
        storage.delete_object(Bucket=bucket, Key=key)
        print(path, answer.json()["voice_id"])


if __name__ == "__main__":
    main()
