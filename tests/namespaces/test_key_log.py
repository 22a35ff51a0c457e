"""What the key log is for: tshark, given the keys and a capture of the wide area, reads a whole run of the DMVPN and finds nothing malformed."""

import csv
import os
import re
import subprocess
import time

from lab import BUILD, wait_until

# Without extended sequence numbers, as tshark 4.0 leaves their upper half out of the checksum. One spoke with an AEAD, one with CBC and HMAC.
GCM = {"ike_proposals": '["aes-gcm-256/prf-sha384/x25519", "aes-cbc-256/sha384/prf-sha384/p256"]',
       "esp_proposals": '["aes-gcm-256/no-esn/x25519", "aes-cbc-128/sha256/no-esn/x25519"]'}
CBC = {"ike_proposals": '["aes-cbc-256/sha384/prf-sha384/p256"]', "esp_proposals": '["aes-cbc-128/sha256/no-esn/x25519"]'}
# Linux's NAT gives port 500 another one below 512, which may be that of another protocol; DHCP is on the wire as well.
NAT_PORTS = ["-d", "udp.port==1-66,isakmp", "-d", "udp.port==69-499,isakmp"]
LIFETIMES = {"child_lifetime": "25s", "ike_lifetime": "40s", "shortcut_idle": "60s", "holding_time": "30s"}


def setup(lab):
    lab.underlay()
    capture = lab.start("wan", ["tcpdump", "-i", "any", "-Q", "in", "-U", "-w", str(lab.directory / "run.pcap")], "tcpdump.log")
    assert wait_until(lambda: "listening on" in lab.log("tcpdump"), 5), lab.log("tcpdump")
    lab.dhcp_server("203.0.113.150", "203.0.113.159")
    for name, suites in (("hub", GCM), ("spoke1", GCM), ("spoke2", CBC)):
        text = lab.configuration(name, **suites, **LIFETIMES).replace("[control]", f'[control]\nkey_log = "{keys(lab)}"')
        lab.gateway(name, text)
    wait_until(lambda: "wan" in lab.run("spoke2", "ip -br link", check=False), 10)
    lab.dhcp_client("spoke2", "wan")
    assert wait_until(lab.registered, 20, 0.2), lab.log("hub")[-2000:]
    ping = lab.ping("host1", "172.16.12.10", count=1)
    assert ping.ttls == [61], ping.output  # by the hub
    assert lab.shortcut(12), lab.log("spoke1")[-2000:]
    rekeyed = lambda: all("rekeyed by" in lab.log(name) for name in ("hub", "spoke1", "spoke2"))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not rekeyed():
        lab.ping("host1", "172.16.12.10", count=5)
    assert rekeyed(), lab.log("hub")[-2000:]
    lab.ping("host1", "172.16.1.10", count=3)
    for name in ("spoke1", "spoke2", "hub"):
        lab.stop(name)
    capture.terminate()
    capture.wait(timeout=5)


def keys(run):
    """The folder of the key log that the three gateways share."""
    return run.directory / "keys"


def tshark(lab, display, *fields, capture=None):
    """The fields of every packet that the filter takes, decrypted with our key log as Wireshark's own configuration folder."""
    words = ["tshark", "-r", capture or lab.directory / "run.pcap", "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE",
             "-o", "esp.do_esp_sequence_analysis:FALSE", "-Y", display,
             *NAT_PORTS, "-T", "fields", "-E", "occurrence=a", "-E", "separator=;"]
    for field in fields:
        words += ["-e", field]
    done = subprocess.run(words, env={**os.environ, "WIRESHARK_CONFIG_DIR": str(keys(lab))}, capture_output=True, check=False, timeout=120)
    complaints = [line for line in done.stderr.decode().splitlines() if "Running as user" not in line]
    assert done.returncode == 0 and not complaints, complaints
    return [line.split(";") for line in done.stdout.decode().splitlines()]


def the_gateways_warn_that_keys_are_written(lab):
    for name in ("hub", "spoke1", "spoke2"):
        assert re.search(r"warning .*key_log is on: all keys of IKE and ESP, and IKE in clear, are written", lab.log(name)), lab.log(name)[:2000]
    check = lab.run("hub", [str(BUILD / "naved"), "--check", "--config", str(lab.directory / "hub.toml")])
    assert re.search(r"hub.toml:\d+:\d+: control.key_log: all keys of IKE and ESP are written .* \(warning\)", check), check


def only_the_owner_may_read_the_keys(lab):
    for path, mode in ((keys(lab), 0o700), (keys(lab) / "ikev2_decryption_table", 0o600), (keys(lab) / "esp_sa", 0o600), (keys(lab) / "ike.pcap", 0o600)):
        assert path.stat().st_mode & 0o7777 == mode, (path, oct(path.stat().st_mode))


def both_ends_write_the_same_keys(lab):
    rows = list(csv.reader((keys(lab) / "ikev2_decryption_table").open()))
    spis = {tuple(row[:2]) for row in rows}
    assert len(spis) >= 5, rows  # three pairs of gateways, at least two of them rekeyed
    assert all(len({tuple(row) for row in rows if tuple(row[:2]) == pair}) == 1 for pair in spis), "one IKE SA with different keys"


def every_protected_ike_message_is_decrypted(lab):
    sealed = tshark(lab, "isakmp.enc.data", "frame.number", "isakmp.exchangetype", "isakmp.enc.decrypted")
    assert len(sealed) > 20 and all(row[2] for row in sealed), [row for row in sealed if not row[2]][:5]
    assert {"35", "36", "37"} <= {row[1] for row in sealed}, sealed[:5]


def ike_auth_shows_the_identities_and_the_proof(lab):
    rows = tshark(lab, "isakmp.exchangetype == 35 && isakmp.auth.data", "isakmp.id.data.fqdn", "isakmp.auth.method", "isakmp.prop.number")
    names = {name for row in rows for name in row[0].split(",")}
    assert {"hub.example", "spoke1.example", "spoke2.example"} <= names, rows
    assert all(row[1] == "2" and row[2] for row in rows), rows


def the_trace_holds_every_message_in_clear(lab):
    trace = keys(lab) / "ike.pcap"
    rows = tshark(lab, "isakmp", "isakmp.exchangetype", "isakmp.enc.data", "isakmp.id.data.fqdn", "isakmp.auth.method", capture=trace)
    assert {"34", "35", "36", "37"} <= {row[0] for row in rows}, rows[:5]
    assert not [row for row in rows if row[1]], "something of it is encrypted"
    assert {"hub.example", "spoke1.example", "spoke2.example"} <= {name for row in rows for name in row[2].split(",")}, rows
    wrong = tshark(lab, "!isakmp || _ws.malformed || _ws.expert.severity >= 4194304", "frame.number", "frame.protocols", "_ws.expert.message", capture=trace)
    assert not wrong, wrong[:5]


def rekeys_of_child_and_ike_sas_are_decrypted(lab):
    protocols = {row[0] for row in tshark(lab, "isakmp.exchangetype == 36 && isakmp.prop.protoid", "isakmp.prop.protoid")}
    assert any(row.startswith("1") for row in protocols) and any(row.startswith("3") for row in protocols), protocols


def every_esp_packet_is_decrypted_down_to_gre_with_a_good_checksum(lab):
    rows = tshark(lab, "esp", "frame.number", "esp.spi", "esp.icv_good", "esp.icv_bad", "esp.protocol", "gre.proto")
    assert len(rows) > 100, len(rows)
    bad = [row for row in rows if row[2] not in ("1", "True") or row[3] in ("1", "True") or row[4] != "47" and row[4] != "0x2f" or not row[5]]
    assert not bad, (len(bad), len(rows), bad[:5])


def nhrp_is_read_request_by_request(lab):
    rows = tshark(lab, "nhrp", "nhrp.hdr.op.type")
    kinds = {kind for row in rows for kind in row[0].split(",")}
    assert {"1", "2", "3", "4", "8"} <= kinds, kinds  # resolution, registration, their replies, traffic indication


def hosts_traffic_is_read_inside_of_gre(lab):
    assert len(tshark(lab, "gre && icmp && ip.addr == 172.16.12.10", "frame.number")) > 20


def nothing_is_malformed(lab):
    rows = tshark(lab, "_ws.malformed || _ws.expert.severity >= 8388608", "frame.number", "frame.protocols", "_ws.expert.message")
    assert not rows, (len(rows), rows[:5])


def nothing_of_nhrp_or_ike_is_even_doubted(lab):
    rows = tshark(lab, "(isakmp || nhrp) && _ws.expert.severity >= 4194304 && !icmp", "frame.number", "frame.protocols", "_ws.expert.severity", "_ws.expert.message")
    assert not rows, (len(rows), rows[:5])
