"""A certificate authority for labs: a root, an intermediate authority below it, and what they issue and revoke, by the openssl command."""

import subprocess
from pathlib import Path

KEYS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ed25519": ["-algorithm", "ED25519"],
}
AUTHORITY = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
LISTS = """[ca]
default_ca = lists
[lists]
database = {database}
default_md = sha256
default_crl_days = 7
"""


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, words))}: {done.stdout.decode(errors='replace')}")


class Authority:
    """Files in a folder: `root`, `intermediate`, and for each name that issue() was asked for NAME.pem (with the intermediate's behind it) and NAME.key."""

    def __init__(self, folder, kind="ecdsa"):
        self.folder, self.serials = Path(folder), {}
        self.folder.mkdir(exist_ok=True)
        self.root, self.intermediate = self.folder / "root.pem", self.folder / "intermediate.pem"
        self.key("root", kind)
        openssl("req", "-x509", "-new", "-key", self.folder / "root.key", "-days", 30, "-subj", "/O=Example/CN=Root", "-out", self.root)
        self.key("intermediate", kind)
        self.sign("intermediate", "root", "/O=Example/CN=Intermediate", AUTHORITY)

    def key(self, name, kind):
        openssl("genpkey", *KEYS[kind], "-out", self.folder / f"{name}.key")
        (self.folder / f"{name}.key").chmod(0o600)

    def sign(self, name, issuer, subject, extensions):
        self.serials[name] = len(self.serials) + 16
        request, out = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        openssl("req", "-new", "-key", self.folder / f"{name}.key", "-subj", subject, *extensions, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.folder / f"{issuer}.pem", "-CAkey", self.folder / f"{issuer}.key", "-set_serial", self.serials[name], "-days", 20,
                "-copy_extensions", "copyall", "-out", out)

    def issue(self, name, kind="ecdsa", extensions=(), unit=""):
        """A certificate for the domain name, from the intermediate authority; further extensions as openssl's configuration has them. `unit`: OU of its subject."""
        self.key(name, kind)
        words = [word for each in (f"subjectAltName=DNS:{name}", *extensions) for word in ("-addext", each)]
        self.sign(name, "intermediate", f"/O=Example{unit and f'/OU={unit}'}/CN={name}", words)
        own = self.folder / f"{name}.pem"
        (self.folder / f"{name}-alone.pem").write_text(own.read_text())
        own.write_text(own.read_text() + self.intermediate.read_text())

    def revocation_lists(self, *revoked):
        """Lists of both authorities; those names, issued before, are revoked."""
        files = []
        for issuer, names in (("root", ()), ("intermediate", revoked)):
            database, configuration, out = self.folder / f"{issuer}.index", self.folder / f"{issuer}.cnf", self.folder / f"{issuer}.crl"
            database.write_text("".join(f"R\t350101000000Z\t250101000000Z\t{self.serials[name]:02X}\tunknown\t/CN={name}\n" for name in names))
            configuration.write_text(LISTS.format(database=database))
            openssl("ca", "-gencrl", "-config", configuration, "-keyfile", self.folder / f"{issuer}.key", "-cert", self.folder / f"{issuer}.pem", "-out", out)
            files.append(out)
        return files

    def serve_lists(self, *revoked):
        """A folder for an HTTP server with the intermediate authority's list, in DER, as distribution points have it."""
        folder = self.folder / "lists"
        folder.mkdir(exist_ok=True)
        openssl("crl", "-in", self.revocation_lists(*revoked)[1], "-outform", "DER", "-out", self.folder / "new.crl")
        (self.folder / "new.crl").rename(folder / "intermediate.crl")
        return folder

    def ocsp_responder(self, port, *revoked):
        """The command of an OCSP responder for the intermediate authority, which vouches for its key: it knows all that was issued until now."""
        if "responder" not in self.serials:
            self.key("responder", "ecdsa")
            self.sign("responder", "intermediate", "/O=Example/CN=Responder", ["-addext", "extendedKeyUsage=OCSPSigning"])
        index = self.folder / "ocsp.index"
        state = lambda name: "R\t350101000000Z\t250101000000Z" if name in revoked else "V\t350101000000Z\t"
        index.write_text("".join(f"{state(name)}\t{serial:02X}\tunknown\t/CN={name}\n" for name, serial in self.serials.items() if name != "intermediate"))
        return ["openssl", "ocsp", "-port", str(port), "-index", str(index), "-CA", str(self.intermediate), "-rsigner", str(self.folder / "responder.pem"),
                "-rkey", str(self.folder / "responder.key"), "-ndays", "1"]

    def tunnel(self, name, lists=()):
        """Keys of a tunnel that holds this name's certificate, in place of identity and psk."""
        return {"identity": None, "psk": None, "certificate": self.folder / f"{name}.pem", "private_key": self.folder / f"{name}.key",
                "ca": f'[{{ file = "{self.root}" }}]', "crl": f"[{', '.join(f'{chr(34)}{file}{chr(34)}' for file in lists)}]"}
