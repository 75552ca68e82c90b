"""Prints which credentials the default chain of boto3 gives, as often as it is told to."""
import json
import sys
import time

import boto3

times, pause = (int(sys.argv[1]), int(sys.argv[2]) / 1000) if len(sys.argv) > 2 else (1, 0)
session = boto3.Session()
credentials = session.get_credentials()
if credentials is None:
    sys.exit("Unable to locate credentials")
for n in range(times):
    if n > 0:
        time.sleep(pause)
    frozen = credentials.get_frozen_credentials()
    print(json.dumps({"key": frozen.access_key, "token": (frozen.token or "")[-8:], "region": session.region_name}), flush=True)
