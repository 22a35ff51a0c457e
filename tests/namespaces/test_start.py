"""How naved starts and refuses to: each error says what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import BUILD, take_down_orphans, wait_until


def setup(lab):
    lab.namespace("hub")
    lab.namespace("wan")
    lab.link("hub", "eth0", "wan", "w-hub")
    lab.link("hub", "lan0", "wan", "w-lan")


def refusal(lab, text, *words, command=(), environment=None):
    """Starts naved, which must end by itself with status 1 or 2 and say every one of the words."""
    file = lab.directory / "refused.toml"
    file.write_text(text)
    file.chmod(0o644 if command else 0o600)
    done = subprocess.run(["ip", "netns", "exec", lab.full("hub"), *command, str(BUILD / "naved"), "--config", str(file)], capture_output=True, timeout=30,
                          check=False, env={**os.environ, **(environment or {})})
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode in (1, 2), (done.returncode, said)
    for word in words:
        assert word in said, (word, said)


def a_missing_interface_is_named(lab):
    refusal(lab, lab.configuration("hub").replace("af_packet:eth0", "af_packet:eth7"), "port wan", "no interface eth7", "eth0, lan0")


def an_unknown_device_kind_names_the_accepted_ones(lab):
    refusal(lab, lab.configuration("hub").replace("af_packet:eth0", "af_paket:eth0"), "af_paket", "af_packet")


def a_port_that_another_naved_uses_is_refused(lab):
    lab.gateway("hub")
    assert wait_until(lambda: lab.ctl("hub", "show", "ports") is not None, 10), lab.log("hub")
    other = lab.configuration("hub").replace("hub.sock", "other.sock").replace('name = "hub"', 'name = "other"')
    refusal(lab, other, "eth0", "naved")
    assert lab.stop("hub") == 0


def an_interface_with_an_address_of_its_own_is_refused(lab):
    lab.run("hub", "ip addr add 192.0.2.1/24 dev eth0")
    refusal(lab, lab.configuration("hub"), "eth0", "ip address flush dev eth0")
    lab.run("hub", "ip addr flush dev eth0")


def without_privilege_it_says_so(lab):
    lab.directory.chmod(0o755)
    # A sanitized naved reads its suppressions as nobody, too, who may have no access to the checkout.
    suppressions = shutil.copy(Path(__file__).resolve().parent.parent / "lsan.supp", lab.directory)
    refusal(lab, lab.configuration("hub"), "root", command=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
            environment={"LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"})


def required_hugepages_that_are_not_there_are_refused(lab):
    # More than any machine has free, whatever it has.
    refusal(lab, lab.configuration("hub").replace('hugepages = "off"', 'hugepages = "required"\nmemory = "1TiB"'), "nr_hugepages")


def an_unknown_key_names_the_place_and_the_nearest_known_one(lab):
    text = lab.configuration("hub").replace("underlay = ", "underlai = ")
    line = next(number for number, content in enumerate(text.splitlines(), 1) if "underlai" in content)
    refusal(lab, text, f":{line}:", "underlai", "underlay")


def check_judges_a_file_without_starting(lab):
    file = lab.directory / "good.toml"
    file.write_text(lab.configuration("hub"))
    file.chmod(0o600)
    done = subprocess.run([BUILD / "naved", "--check", "--config", file], capture_output=True, check=False)
    assert done.returncode == 0 and b"ok" in done.stdout and b"peers take" in done.stdout, done
    file.write_text(lab.configuration("hub").replace("af_packet:eth0", "af_packet:"))
    done = subprocess.run([BUILD / "naved", "--check", "--config", file], capture_output=True, check=False)
    assert done.returncode == 1 and b"port.wan.device" in done.stdout, done


def a_gateway_that_was_killed_starts_again_at_once(lab):
    for _ in range(2):
        lab.gateway("hub")
        assert wait_until(lambda: lab.ctl("hub", "show", "ports") is not None, 10), lab.log("hub")
        lab.kill("hub")
    lab.gateway("hub")
    assert wait_until(lambda: lab.ctl("hub", "show", "ports") is not None, 10), lab.log("hub")


def without_an_address_it_says_what_it_waits_for(lab):
    text = lab.configuration("hub").replace('address = "192.0.2.1/24"\n', "").replace('gateway = "192.0.2.254"\n', "")
    lab.stop("hub")
    (lab.directory / "hub.log").unlink()
    lab.gateway("hub", text=text)
    assert wait_until(lambda: "port wan has no address" in lab.log("hub"), 10), lab.log("hub")
    lab.run("hub", "ip address add 192.0.2.7/24 dev wan")
    assert wait_until(lambda: "underlay address of port wan: none -> 192.0.2.7" in lab.log("hub"), 10), lab.log("hub")
    assert lab.ctl("hub", "show", "ports")[0]["addresses"] == ["192.0.2.7/24"]


def a_hub_that_no_route_or_neighbour_leads_to_is_told(lab):
    text = lab.configuration("spoke1").replace("spoke1.sock", "hub.sock")
    for spoke, words in ((text.replace('gateway = "192.168.1.1"\n', ""), "port wan: no route to 192.0.2.1: give the port a gateway"),
                         (text, "port wan: 192.168.1.1 does not answer, the next hop to 192.0.2.1: check")):
        lab.stop("hub")
        lab.gateway("hub", text=spoke)
        assert wait_until(lambda words=words: words in lab.log("hub"), 15), lab.log("hub")[-1500:]


def shutdown_ends_the_gateway_politely(lab):
    assert lab.ctl("hub", "shutdown") is not None
    assert lab.gateways["hub"].wait(timeout=10) == 0, lab.log("hub")[-1500:]


def what_a_killed_lab_leaves_is_taken_down_by_the_next(lab):
    script = ("import os, time; from lab import Lab; lab = Lab(f'navek{os.getpid()}'); lab.namespace('one'); lab.start('one', 'sleep 60', 'log'); "
              "print(lab.directory, lab.full('one'), lab.processes[0].pid, flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parent, stdout=subprocess.PIPE) as killed:
        directory, namespace, process = killed.stdout.readline().decode().split()
        take_down_orphans("navek")
        assert Path(directory).exists(), "a lab that lives was taken down"
        killed.kill()
    take_down_orphans("navek")
    left = [path for path in (directory, f"/run/netns/{namespace}", f"/proc/{process}/ns/net") if wait_until(lambda path=path: not Path(path).exists(), 3) is False]
    assert not left, left
