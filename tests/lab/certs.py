# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Certificates by openssl(1): an authority in a directory, and what it signs."""
import os
import subprocess

NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']


def _openssl(*argv):
    subprocess.run(['openssl', *argv], check=True, capture_output=True)


class Authority:
    """ca = Authority(DIRECTORY); ca.sign('node') -> (path of certificate, path of key)"""

    def __init__(self, directory, name='ca'):
        os.makedirs(directory, exist_ok=True)
        self.dir, self.serial = directory, 1
        self.file, self.key = f'{directory}/ca.pem', f'{directory}/ca.key'
        _openssl('req', '-x509', *NEW_KEY, '-days', '2', '-subj', f'/CN={name}',
                 '-keyout', self.key, '-out', self.file)

    def sign(self, name, days=2, usage='serverAuth,clientAuth', subject=None):
        """days=-1: its time was over yesterday. Alternative names fit the lab's node."""
        stem = f'{self.dir}/{name}'
        self.serial += 1
        _openssl('req', '-new', *NEW_KEY, '-subj', subject or f'/CN={name}',
                 '-keyout', f'{stem}.key', '-out', f'{stem}.csr')
        with open(f'{stem}.ext', 'w') as f:
            f.write(f'subjectAltName=IP:10.53.0.2,IP:fd53::2\nextendedKeyUsage={usage}\n')
        _openssl('x509', '-req', '-in', f'{stem}.csr', '-CA', self.file, '-CAkey', self.key,
                 '-set_serial', str(self.serial), '-days', str(days), '-extfile', f'{stem}.ext',
                 '-out', f'{stem}.pem')
        return f'{stem}.pem', f'{stem}.key'
