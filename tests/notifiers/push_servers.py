"""Firebase and a browser's push service, each checking what its documents ask for; the browser can really read."""

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.notifiers.servers import Answer, Request, json_answer

FCM_TOKEN = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"
PROJECT = "acme-service"
AUTH_SECRET = bytes(range(16))


@cache
def service_key() -> rsa.RSAPrivateKey:
    """The service account's key, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(url: str) -> bytes:
    """The account's JSON file, its token endpoint at ``url``."""
    pem = service_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    data = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "key-1",
        "private_key": pem,
        "client_email": "gateway@acme-service.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }
    return json.dumps(data).encode()


@dataclass
class Firebase:
    """Google's token endpoint and FCM's ``messages:send`` of one project."""

    url: str = ""
    installed: set[str] = field(default_factory=lambda: {FCM_TOKEN})
    tokens_given: int = 0
    revoked: set[str] = field(default_factory=set)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        return self._token(request) if request.path == "/token" else self._send(request)

    def _token(self, request: Request) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return json_answer(400, {"error": "unsupported_grant_type"})
        try:
            claims = jwt.decode(form["assertion"], service_key().public_key(), ["RS256"], audience=f"{self.url}/token")
        except jwt.InvalidTokenError:
            return json_answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        if claims["scope"] != "https://www.googleapis.com/auth/firebase.messaging":
            return json_answer(400, {"error": "invalid_scope"})
        self.tokens_given += 1
        return json_answer(200, {"access_token": f"ya29.{self.tokens_given}", "expires_in": 3599})

    def _send(self, request: Request) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not re.fullmatch(r"ya29\.\d+", token) or token in self.revoked:
            return fcm_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if (request.method, request.path) != ("POST", f"/v1/projects/{PROJECT}/messages:send"):
            return fcm_error(404, "NOT_FOUND", "Requested entity was not found.")
        message = json.loads(request.body)["message"]
        if not all(isinstance(value, str) for value in message.get("data", {}).values()):
            return fcm_error(400, "INVALID_ARGUMENT", "Invalid value at 'message.data[0].value' (TYPE_STRING)")
        if not re.fullmatch(r"\d+s", message["android"]["ttl"]) or int(message["android"]["ttl"][:-1]) > 2_419_200:
            return fcm_error(400, "INVALID_ARGUMENT", "Invalid value at 'message.android.ttl'")
        if len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()) > 4096:
            return fcm_error(400, "INVALID_ARGUMENT", "Android message is too big", fcm="INVALID_ARGUMENT")
        if message["token"] not in self.installed:
            return fcm_error(404, "NOT_FOUND", "Requested entity was not found.", fcm="UNREGISTERED")
        self.messages.append(message)
        return json_answer(200, {"name": f"projects/{PROJECT}/messages/{len(self.messages)}"})


def fcm_error(status: int, word: str, message: str, fcm: str | None = None, *headers: tuple[str, str]) -> Answer:
    """A refusal as FCM words it."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": fcm}] if fcm else []
    error = {"code": status, "message": message, "status": word, "details": details}
    return json_answer(status, {"error": error}, *headers)


def vapid_pem() -> bytes:
    """A key as ``openssl ecparam -genkey -name prime256v1 -noout`` makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@dataclass
class Browser:
    """One subscription, and the push service in front of it."""

    url: str = ""
    ended: bool = False
    shown: list[dict[str, Any]] = field(default_factory=list)
    """What the service worker read."""
    claims: list[dict[str, Any]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def subscription(self) -> str:
        """As the page's script sends it: ``JSON.stringify(subscription)``."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": _base64url(point), "auth": _base64url(AUTH_SECRET)}
        return json.dumps({"endpoint": f"{self.url}/wpush/v2/gAAAA", "expirationTime": None, "keys": keys})

    def __call__(self, request: Request) -> Answer:
        """Take one push as RFC 8030 and RFC 8292 ask."""
        if request.method != "POST" or not request.path.startswith("/wpush/"):
            return Answer(404)
        if self.ended:
            return Answer(410)
        if "ttl" not in request.headers or request.headers.get("content-encoding") != "aes128gcm":
            return Answer(400)
        topic = request.headers.get("topic", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,32}", topic) or len(request.body) > 4096:
            return Answer(413)
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        parts = dict(one.strip().split("=", 1) for one in rest.split(","))
        point = base64.urlsafe_b64decode(parts["k"] + "==")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        try:
            claims = jwt.decode(parts["t"], key, ["ES256"], audience=self.url, options={"require": ["exp", "sub"]})
        except jwt.InvalidTokenError:
            return Answer(403)
        if scheme != "vapid":
            return Answer(401)
        self.claims.append(claims)
        opened = http_ece.decrypt(request.body, private_key=self.key, auth_secret=AUTH_SECRET, version="aes128gcm")
        self.shown.append(json.loads(opened) | {"_headers": request.headers})
        return Answer(201, headers=(("Location", f"{self.url}/m/{len(self.shown)}"),))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
