"""FRR's daemons in a namespace of the lab, beside a gateway, with the configurations of conf/frr."""

import re
import shutil
import socket
import subprocess

from lab import ROOT, wait_until

DAEMONS = "/usr/lib/frr"
CONFIGURATIONS = ROOT / "conf" / "frr"
TABLE = 100  # of the tunnel, as the configurations for BGP have it


def configuration(name, number, hub):
    """A file of conf/frr with the lab's own addresses in it: ours is 10.255.0.NUMBER, the hub's 10.255.0.HUB."""
    text = (CONFIGURATIONS / f"{name}.conf").read_text()
    if name.startswith("spoke"):
        text = text.replace("neighbor 10.255.0.1 ", f"neighbor 10.255.0.{hub} ")
    return re.sub(r"(router-id 10\.255\.0\.)\d+", rf"\g<1>{number}", text)


class Frr:
    """zebra and the daemons named, in the namespace `site`; each keeps its sockets and its log in a folder of its own. `changes` are lines of
    configuration that follow on those of the file, which is how a test lowers timers."""

    def __init__(self, lab, site, text, daemons, changes=()):
        self.lab, self.site, self.name, self.processes = lab, site, f"FRR of {site}", {}
        self.folder = lab.directory / f"frr-{site}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        shutil.chown(self.folder, "frr", "frr")
        lab.directory.chmod(0o711)  # the daemons give up root
        (self.folder / "frr.conf").write_text("\n".join([text, *changes]) + "\n")
        (self.folder / "vtysh.conf").touch()
        for daemon in ("zebra", *daemons):
            self.start(daemon)
        self.vtysh("-b")

    def start(self, daemon):
        command = [f"{DAEMONS}/{daemon}", "-f", "/dev/null", "-i", f"{self.folder}/{daemon}.pid", "-z", f"{self.folder}/zserv.api",
                   "--vty_socket", f"{self.folder}", "--log", f"file:{self.folder}/{daemon}.log", "-P", "0"]
        command += ["--bfdctl", f"{self.folder}/bfdd.sock"] if daemon == "bfdd" else []
        self.processes[daemon] = self.lab.start(self.site, command, f"frr-{self.site}.out")
        if not wait_until((self.folder / f"{daemon}.vty").exists, 20, 0.02):
            raise RuntimeError(f"{daemon} in {self.site} did not start: {self.evidence()}")

    def vtysh(self, *words):
        command = ["ip", "netns", "exec", self.lab.full(self.site), "vtysh", "--vty_socket", str(self.folder), "--config_dir", str(self.folder), *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"vtysh {words} in {self.site} failed with {done.returncode}: {done.stdout.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def show(self, what):
        return self.vtysh("-c", f"show {what}")

    def ask(self, daemon, command):
        """A daemon's answer over its own socket, within a millisecond or two: for whoever asks often."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / f"{daemon}.vty"))
            for each in ("enable", command):
                line.sendall(each.encode() + b"\0")
                answer = b""
                while answer[-4:-1] != b"\0\0\0" and (piece := line.recv(65536)):  # a status follows them
                    answer += piece
        return answer.decode(errors="replace")

    def configure(self, *lines):
        self.vtysh(*(word for line in ("configure terminal", *lines) for word in ("-c", line)))

    def stop(self):
        """Ends the daemons; zebra last, which takes its routes out of the kernel."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
                process.wait(10)

    def evidence(self):
        logs = "".join(f"{path.name}: {path.read_text(errors='replace')[-800:]}\n" for path in sorted(self.folder.glob("*.log")))
        out = self.lab.directory / f"frr-{self.site}.out"
        return logs + (out.read_text(errors="replace")[-800:] if out.exists() else "")
