"""What Home Assistant keeps between starts, as if a person had set it up: an owner, the broker."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

TOKEN_ID, KEY, OWNER = "a" * 32, "b" * 128, "c" * 32
CREATED = "2026-01-01T00:00:00+00:00"
AUTH = {
    "users": [
        {
            "id": OWNER,
            "group_ids": ["system-admin"],
            "is_owner": True,
            "is_active": True,
            "name": "Tests",
            "system_generated": False,
            "local_only": False,
        }
    ],
    "groups": [],
    "credentials": [],
    "refresh_tokens": [
        {
            "id": TOKEN_ID,
            "user_id": OWNER,
            "client_id": None,
            "client_name": "tests",
            "client_icon": None,
            "token_type": "long_lived_access_token",
            "created_at": CREATED,
            "access_token_expiration": 315360000.0,
            "token": "d" * 128,
            "jwt_key": KEY,
            "last_used_at": None,
            "last_used_ip": None,
            "expire_at": None,
            "credential_id": None,
            "version": None,
        }
    ],
}


def write(folder: Path, broker_port: int) -> None:
    """Makes the folder ``.storage``."""
    folder.mkdir()
    _write(folder, "auth", 1, AUTH)
    entry: dict[str, Any] = {
        "created_at": CREATED,
        "data": {"broker": "127.0.0.1", "port": broker_port},
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "mqtt",
        "entry_id": "mqtt",
        "minor_version": 1,
        "modified_at": CREATED,
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": "broker",
        "unique_id": None,
        "version": 2,
    }
    _write(folder, "core.config_entries", 5, {"entries": [entry]})


def _write(folder: Path, key: str, minor_version: int, data: dict[str, Any]) -> None:
    body = {"version": 1, "minor_version": minor_version, "key": key, "data": data}
    (folder / key).write_text(json.dumps(body))


def token() -> str:
    """A long-lived token: a JSON web token signed with the key that ``.storage/auth`` holds."""
    now_s = int(time.time())
    claims = {"iss": TOKEN_ID, "iat": now_s, "exp": now_s + 86400}
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims)]
    signature = hmac.new(KEY.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _base64(signature)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
