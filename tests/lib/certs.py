# SPDX-License-Identifier: BSD-2-Clause
"""Keys and certificates for tests, made with the openssl command on a simulated day."""
import base64
import hashlib
import itertools
import os
import pathlib
import subprocess
from dataclasses import dataclass

from lib import clock, paths

BEGIN = "2020-01-01 00:00:00"
DAYS = 9131  # to the end of 2044


@dataclass
class Cert:
    pem: pathlib.Path
    key: pathlib.Path

    @property
    def pin(self):
        public = subprocess.run(["openssl", "x509", "-in", self.pem, "-noout", "-pubkey"],
                                check=True, capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public,
                             check=True, capture_output=True).stdout
        return "sha256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


class Certs:
    """One folder of certificates; cheap enough to be made for every test run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count = itertools.count(1)
        self.authority = self.self_signed("Test Authority", [], ca=True)

    def _openssl(self, *args, begin=BEGIN):
        done = subprocess.run(["openssl", *map(str, args)], env={**os.environ, **clock.environment(begin)},
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _new(self, rsa):
        number = next(self.count)
        cert = Cert(self.folder / f"{number}.pem", self.folder / f"{number}.key")
        kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if rsa else \
               ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl("genpkey", *kind, "-out", cert.key)
        cert.key.chmod(0o600)
        paths.give(cert.key)
        return cert

    def self_signed(self, name, san, ca=False, begin=BEGIN, days=DAYS, rsa=False):
        cert = self._new(rsa)
        extra = ["-addext", "subjectAltName=" + ",".join(san)] if san else []
        if not ca:
            extra += ["-addext", "basicConstraints=critical,CA:FALSE"]
        self._openssl("req", "-x509", "-new", "-key", cert.key, "-subj", "/CN=" + name, "-days", days, *extra,
                      "-out", cert.pem, begin=begin)
        return cert

    def issue(self, name, san=None, issuer=None, begin=BEGIN, days=DAYS, rsa=False):
        """A certificate for NAME, carrying SAN (default DNS:NAME; [] for none)."""
        issuer = issuer or self.authority
        cert = self._new(rsa)
        request = cert.pem.with_suffix(".csr")
        extensions = cert.pem.with_suffix(".ext")
        san = ["DNS:" + name] if san is None else san
        extensions.write_text("basicConstraints=critical,CA:FALSE\n" +
                              ("subjectAltName=" + ",".join(san) + "\n" if san else ""))
        self._openssl("req", "-new", "-key", cert.key, "-subj", "/CN=" + name, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", issuer.pem, "-CAkey", issuer.key, "-CAcreateserial",
                      "-days", days, "-extfile", extensions, "-out", cert.pem, begin=begin)
        return cert
