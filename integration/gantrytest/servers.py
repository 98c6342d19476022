"""Servers that tasks' files come from: Debian's nginx and vsftpd, with certificates of the test's own."""

import http.server
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from .images import free_port, run


class Authority:
    """A certificate authority, and a certificate of 127.0.0.1 and localhost that it signed."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "ca.pem"
        self.server_certificate = directory / "server.pem"
        self.server_key = directory / "server.key"
        key = directory / "ca.key"
        self._openssl(
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=a test's authority",
            "-keyout",
            key,
            "-out",
            self.certificate,
        )
        request = directory / "server.csr"
        self._openssl("req", "-nodes", "-subj", "/CN=localhost", "-keyout", self.server_key, "-out", request)
        names = directory / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", self.certificate, "-CAkey", key,
            "-CAcreateserial", "-extfile", names, "-out", self.server_certificate)  # fmt: skip

    @staticmethod
    def _openssl(command: str, *words) -> None:
        run("openssl", command, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *words)


class _Program:
    def __init__(self, words: list, directory: Path, port: int) -> None:
        self._log = open(directory / "log", "wb")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
                return
            except OSError:
                assert self.process.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline, f"{words[0]} does not answer"
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Nginx:
    """Serves `root` over http and https. /private wants user:secret, /moved and /down redirect."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        self.root = directory / "root"
        (self.root / "private").mkdir(parents=True)
        self._requests = directory / "access.log"
        plain, tls = free_port(), free_port()
        self.http, self.https = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"
        (directory / "users").write_text("user:{PLAIN}secret\n")
        locations = """
            location /private { auth_basic "secret"; auth_basic_user_file users; }
            location /moved/ { rewrite ^/moved/(.*)$ /$1 redirect; }
            location /loop { return 302 /loop; }
            location /broken { return 500; }
            location /to-file { return 302 file:///etc/passwd; }
        """
        (directory / "nginx.conf").write_text(
            f"""
            daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
            events {{}}
            http {{
              log_format line '$request_method $uri $status';
              access_log {self._requests} line;
              client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
              fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
              root {self.root};
              server {{ listen 127.0.0.1:{plain}; {locations} location /up/ {{ rewrite ^/up/(.*)$ {self.https}/$1 redirect; }} }}
              server {{
                listen 127.0.0.1:{tls} ssl; ssl_certificate {authority.server_certificate};
                ssl_certificate_key {authority.server_key}; {locations}
                location /down/ {{ rewrite ^/down/(.*)$ {self.http}/$1 redirect; }}
              }}
            }}
        """
        )
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        words = [program, "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
        self._program = _Program(words, directory, plain)

    def requests(self, path: str) -> list[str]:
        """The statuses of what was asked for it, in order."""
        lines = [line.split() for line in self._requests.read_text().splitlines()]
        return [status for _, asked, status in lines if asked == path]

    def stop(self) -> None:
        self._program.stop()


class Vsftpd:
    """Serves `root` over ftp, or over ftps, to everybody."""

    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        self.root = directory / "root"
        self.root.mkdir()
        self.root.chmod(0o755)
        directory.chmod(0o755)
        (directory / "empty").mkdir()
        port = free_port()
        self.url = f"{'ftps' if authority else 'ftp'}://127.0.0.1:{port}"
        settings = {
            "listen": "YES",
            "listen_address": "127.0.0.1",
            "listen_port": port,
            "background": "NO",
            "anonymous_enable": "YES",
            "no_anon_password": "YES",
            "anon_root": self.root,
            "secure_chroot_dir": directory / "empty",
            "seccomp_sandbox": "NO",
            "isolate": "NO",
            "isolate_network": "NO",
        }
        if authority:
            settings |= {
                "ssl_enable": "YES",
                "implicit_ssl": "YES",
                "allow_anon_ssl": "YES",
                "require_ssl_reuse": "NO",
                "rsa_cert_file": authority.server_certificate,
                "rsa_private_key_file": authority.server_key,
            }
        configuration = directory / "vsftpd.conf"
        configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._program = _Program([shutil.which("vsftpd") or "/usr/sbin/vsftpd", str(configuration)], directory, port)

    def stop(self) -> None:
        self._program.stop()


class Scripted:
    """Answers with what `answer(handler)` does, and counts. For what no honest server would do."""

    def __init__(self, answer) -> None:
        self.requests = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                answer(self)

            do_HEAD = do_GET

            def say(self, status: int, body: bytes = b"", **headers) -> None:
                self.send_response(status)
                for name, value in ({"Content-Length": len(body)} | headers).items():
                    if value is not None:
                        self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
