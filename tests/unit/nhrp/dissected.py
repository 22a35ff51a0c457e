"""Runs the plays of unit_nhrp with a capture of all that its stations send, and has tshark dissect it: nothing may be malformed or doubted, every sum must be right."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FAMILY_MIXES = 4
KINDS = {str(number) for number in range(1, 9)}
ERROR_INDICATION = "7"  # quotes what made it necessary, broken as it was
FIELDS = ["frame.number", "nhrp.hdr.op.type", "nhrp.hdr.chksum.status", "nhrp.hdr.afn", "nhrp.hdr.pro.type", "_ws.malformed", "_ws.expert.message"]
GOOD = "1"
NO_EXTENSIONS = "Extensions not allowed"


def dissect(capture):
    # As Cisco and FRR do, we send no source address in front of the authentication word.
    words = ["tshark", "-r", str(capture), "-o", "nhrp.auth_ext_has_addr:FALSE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for field in FIELDS:
        words += ["-e", field]
    done = subprocess.run(words, capture_output=True, check=True, timeout=200)
    return [dict(zip(FIELDS, line.split("|"))) for line in done.stdout.decode().splitlines()]


def complaint(row):
    kind, status = (row[field].split(",")[0] for field in ("nhrp.hdr.op.type", "nhrp.hdr.chksum.status"))
    if kind not in KINDS:
        return "is no NHRP"
    if status != GOOD:
        return "has a wrong checksum"
    if kind == ERROR_INDICATION:
        return "has extensions" if NO_EXTENSIONS in row["_ws.expert.message"] else None
    return "is malformed or doubted" if row["_ws.malformed"] or row["_ws.expert.message"] else None


def main():
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "nhrp.pcap"
        subprocess.run([sys.argv[1], "-o", os.devnull], env={**os.environ, "NAVE_NHRP_CAPTURE": str(capture)}, check=True, timeout=200)
        rows = dissect(capture)
    wrong = [(complaint(row), row) for row in rows if complaint(row)]
    for reason, row in wrong[:10]:
        print(f"packet {row['frame.number']} {reason}: {row}")
    seen = {tuple(row[field].split(",")[0] for field in ("nhrp.hdr.op.type", "nhrp.hdr.afn", "nhrp.hdr.pro.type")) for row in rows}
    missing = [kind for kind in sorted(KINDS) if len([each for each in seen if each[0] == kind]) < FAMILY_MIXES]
    print(f"{len(rows)} packets, {len(wrong)} wrong, kinds that lack a mix of address families: {missing or 'none'}")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
