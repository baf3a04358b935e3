"""certs.py - which certificates can a test server show?

A CA is made at run time by the `openssl` command, with one good server certificate and one for each
way a certificate can be bad. The keys live as long as the folder they are made in.
"""

import pathlib
import subprocess

GOOD = "good"
NAMES = ("good", "expired", "wrong_host", "self_signed", "other_ca")

_CA_CONF = """\
[ca]
default_ca = test
[test]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""

_LEAF = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n"
_OURS = "DNS:localhost,IP:127.0.0.1,IP:::1"
_THEIRS = "DNS:elsewhere.example"


class Certs:
    """The files of a test CA: `ca_file`, and `chain(name)` and `key(name)` for each of NAMES."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca_file = str(self.folder / "ca.pem")

    def chain(self, name=GOOD):
        return str(self.folder / f"{name}.pem")

    def key(self, name=GOOD):
        return str(self.folder / f"{name}.key")

    def make(self):
        """Makes what is not there yet, and returns self."""
        if (self.folder / "made").exists():
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority("ca", "llm-broker test CA")
        self._authority("unknown", "a CA that nobody trusts")
        self._leaf("good", "ca", _OURS)
        self._leaf("wrong_host", "ca", _THEIRS)
        self._leaf("other_ca", "unknown", _OURS)
        self._expired()
        self._self_signed()
        (self.folder / "made").touch()
        return self

    def _openssl(self, *args):
        done = subprocess.run(("openssl", *args), cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.strip()}")

    def _new_key(self, name):
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-out", f"{name}.key")

    def _authority(self, name, title):
        self._new_key(name)
        self._openssl("req", "-x509", "-new", "-key", f"{name}.key", "-out", f"{name}.pem",
                      "-days", "2", "-subj", f"/CN={title}",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _request(self, name, names):
        self._new_key(name)
        (self.folder / f"{name}.ext").write_text(_LEAF.format(names=names))
        self._openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr",
                      "-subj", "/CN=llm-broker test server")

    def _leaf(self, name, authority, names):
        self._request(name, names)
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2",
                      "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial",
                      "-extfile", f"{name}.ext")

    def _expired(self):
        # `openssl x509` has no start date before OpenSSL 3.4; `openssl ca` always had one
        self._request("expired", _OURS)
        (self.folder / "ca.conf").write_text(_CA_CONF.format(folder=self.folder))
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("1000\n")
        self._openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem",
                      "-keyfile", "ca.key", "-in", "expired.csr", "-out", "expired.pem",
                      "-startdate", "20200101000000Z", "-enddate", "20210101000000Z",
                      "-extfile", "expired.ext")

    def _self_signed(self):
        self._new_key("self_signed")
        self._openssl("req", "-x509", "-new", "-key", "self_signed.key", "-out", "self_signed.pem",
                      "-days", "2", "-subj", "/CN=llm-broker test server",
                      "-addext", f"subjectAltName={_OURS}")
