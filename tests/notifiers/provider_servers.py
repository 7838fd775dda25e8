"""The chat providers' APIs as they document them: each checks method, path, headers and body before it accepts."""

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.notifiers.servers import Answer, Request, json_answer

TELEGRAM_TOKEN = "123456789:AAH" + "x" * 32
LINE_TOKEN = "line-channel-access-token-0123456789"
WHATSAPP_TOKEN, WHATSAPP_SENDER = "whatsapp-system-user-token", "106540352242922"
CHAT, LINE_USER, NUMBER = "987654321", "U" + "0123456789abcdef" * 2, "+5511987654321"


@dataclass
class TelegramApi:
    """``sendMessage`` of one bot, and ``getFile`` with what it was sent."""

    blocked_by: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=lambda: {CHAT})
    files: dict[str, bytes] = field(default_factory=dict)
    """By ``file_id``."""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answer one request as api.telegram.org does."""
        if request.path == f"/bot{TELEGRAM_TOKEN}/getFile":
            file_id = json.loads(request.body)["file_id"]
            if file_id not in self.files:
                return _telegram_error(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
            return json_answer(200, {"ok": True, "result": {"file_id": file_id, "file_path": f"photos/{file_id}"}})
        if request.path.startswith(there := f"/file/bot{TELEGRAM_TOKEN}/photos/"):
            return Answer(200, self.files[request.path.removeprefix(there)])
        if request.path != f"/bot{TELEGRAM_TOKEN}/sendMessage" or request.method != "POST":
            return _telegram_error(404, "Not Found")
        if request.headers.get("content-type") != "application/json":
            return _telegram_error(400, "Bad Request: message text is empty")
        message = json.loads(request.body)
        if message["chat_id"] in self.blocked_by:
            return _telegram_error(403, "Forbidden: bot was blocked by the user")
        if message["chat_id"] not in self.chats:
            return _telegram_error(400, "Bad Request: chat not found")
        if not 1 <= len(message["text"]) <= 4096:
            return _telegram_error(400, "Bad Request: message is too long")
        for row in message.get("reply_markup", {}).get("inline_keyboard", []):
            if not all(set(b) == {"text", "callback_data"} and len(b["callback_data"].encode()) <= 64 for b in row):
                return _telegram_error(400, "Bad Request: BUTTON_DATA_INVALID")
        self.messages.append(message)
        chat = {"id": int(message["chat_id"]), "type": "private"}
        result = {"message_id": len(self.messages), "date": 1741012320, "chat": chat, "text": message["text"]}
        return json_answer(200, {"ok": True, "result": result})


def _telegram_error(status: int, description: str, **parameters: int) -> Answer:
    data = {"ok": False, "error_code": status, "description": description}
    return json_answer(status, data | ({"parameters": parameters} if parameters else {}))


def telegram_flood(seconds: int) -> Answer:
    """Telegram's 429."""
    return _telegram_error(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


@dataclass
class LineApi:
    """``push`` of one channel, which carries a retry key out once."""

    users: set[str] = field(default_factory=lambda: {LINE_USER})
    accepted: dict[str, str] = field(default_factory=dict)
    """Message id by retry key."""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answer one request as api.line.me does."""
        if (request.method, request.path) != ("POST", "/v2/bot/message/push"):
            return json_answer(404, {"message": "Not found"})
        if request.headers.get("authorization") != f"Bearer {LINE_TOKEN}":
            return json_answer(401, {"message": "Authentication failed. Confirm that the access token is valid."})
        retry_key, body = request.headers.get("x-line-retry-key", ""), json.loads(request.body)
        try:
            uuid.UUID(retry_key)
        except ValueError:
            return json_answer(400, {"message": "The retry key is invalid"})
        if retry_key in self.accepted:
            sent = {"message": "The retry key is already accepted", "sentMessages": [{"id": self.accepted[retry_key]}]}
            return json_answer(409, sent, ("X-Line-Accepted-Request-Id", "550e8400"))
        if body["to"] not in self.users:
            return json_answer(
                400, {"message": "The property, 'to', in the request body is invalid (line: -, column: -)"}
            )
        for message in body["messages"]:
            items = message.get("quickReply", {}).get("items", [])
            valid = message["type"] == "text" and 1 <= len(message["text"]) <= 5000 and len(items) <= 13
            if not valid or any(len(item["action"]["label"]) > 20 for item in items):
                return json_answer(400, {"message": "The request body has 1 error(s)", "details": []})
        number = str(461230966842064897 + len(self.messages))
        self.accepted[retry_key] = number
        self.messages.append(body)
        return json_answer(200, {"sentMessages": [{"id": number, "quoteToken": "IStG5h1Tz7b"}]})


@dataclass
class WhatsAppApi:
    """``messages`` of one sender of the Cloud API."""

    in_session: set[str] = field(default_factory=set)
    """Numbers that wrote within 24 hours."""
    templates: set[tuple[str, str]] = field(default_factory=set)
    """(name, language)."""
    quick_replies: dict[str, int] = field(default_factory=dict)
    """How many a template has."""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answer one request as graph.facebook.com does."""
        if request.headers.get("authorization") != f"Bearer {WHATSAPP_TOKEN}":
            return graph_error(401, 190, "Error validating access token")
        if not re.fullmatch(rf"/v\d+\.0/{WHATSAPP_SENDER}/messages", request.path) or request.method != "POST":
            return graph_error(400, 100, "Unsupported post request")
        message = json.loads(request.body)
        if message.get("messaging_product") != "whatsapp" or not message["to"].lstrip("+").isdecimal():
            return graph_error(400, 100, "Invalid parameter")
        if len(message.get("biz_opaque_callback_data", "")) > 512:
            return graph_error(400, 100, "Invalid parameter")
        if (refusal := self._refusal(message)) is not None:
            return refusal
        self.messages.append(message)
        number = f"wamid.HBgL{len(self.messages):04d}"
        contacts = [{"input": message["to"], "wa_id": message["to"].lstrip("+")}]
        answer = {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": number}]}
        return json_answer(200, answer)

    def _refusal(self, message: dict[str, Any]) -> Answer | None:
        if message["type"] == "template":
            template = message["template"]
            if (template["name"], template["language"]["code"]) not in self.templates:
                return graph_error(404, 132001, "Template name does not exist in the translation")
            body, *buttons = template["components"]
            indexes = [button["index"] for button in buttons if button["sub_type"] == "quick_reply"]
            if indexes != [str(index) for index in range(self.quick_replies.get(template["name"], 0))]:
                return graph_error(400, 132000, "Number of parameters does not match")
            [parameter] = body["parameters"]
            broken = re.search(r"[\n\t]|    ", parameter["text"]) or len(parameter["text"]) > 1024
            return graph_error(400, 132012, "Parameter format does not match") if broken else None
        if message["to"] not in self.in_session:
            return graph_error(400, 131047, "Re-engagement message")
        if message["type"] == "interactive":
            action = message["interactive"]["action"]
            if message["interactive"]["type"] == "list":
                [section] = action["sections"]
                fits = len(section["rows"]) <= 10 and all(0 < len(row["title"]) <= 24 for row in section["rows"])
                fits &= 0 < len(action["button"]) <= 20 and len({row["id"] for row in section["rows"]}) > 1
                return None if fits else graph_error(400, 131009, "Parameter value is not valid")
            buttons = action["buttons"]
            long = len(message["interactive"]["body"]["text"]) > 1024 or any(
                len(b["reply"]["title"]) > 20 for b in buttons
            )
            return graph_error(400, 131009, "Parameter value is not valid") if long or len(buttons) > 3 else None
        return None if 1 <= len(message["text"]["body"]) <= 4096 else graph_error(400, 100, "Invalid parameter")


def graph_error(status: int, code: int, message: str) -> Answer:
    """A refusal as Meta words it; its details repeat the recipient."""
    details = {"messaging_product": "whatsapp", "details": f"{message} {NUMBER}"}
    error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "error_data": details}
    return json_answer(status, {"error": error | {"fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam"}})
