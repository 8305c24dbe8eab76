"""The file of compressed images: magic, version, header, payload, checksum. What the payload means is not known here.

| bytes | what |
|---|---|
| 8 | `MAGIC` |
| 2 | version |
| 4 | length of the header |
| … | header: JSON, UTF-8 |
| … | payload |
| 16 | BLAKE2b of all bytes before |

Numbers are little-endian. The checksum covers every byte, so that whatever was damaged, cut off or appended is refused
before anything is decoded.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textae.core.autoencoder import Autoencoder

MAGIC, VERSION = b"\x89TEXTAEI", 1
FRONT = struct.Struct("<8sHI")
DIGEST = 16  # bytes
# Of a config: what says nothing about what the model computes. The prior is fitted afterwards and codes nothing.
NOT_THE_MODEL = ("transformers_version", "architectures", "dtype", "torch_dtype", "_name_or_path", "prior", "prior_options")


def digest(data: bytes) -> bytes:
    """Sixteen bytes of BLAKE2b."""
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def pack(header: Mapping[str, Any], payload: bytes) -> bytes:
    """The bytes of a file."""
    words = json.dumps(header, separators=(",", ":")).encode()
    content = FRONT.pack(MAGIC, VERSION, len(words)) + words + payload
    return content + digest(content)


def unpack(content: bytes, where: str) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a file's bytes.

    Args:
        content: The whole file.
        where: Its name, for messages.

    Raises:
        ValueError: Another kind of file, another version, or not a byte more or less than was written.
    """
    if not content.startswith(MAGIC):
        raise ValueError(f"{where} is not a file of compressed images, or its first bytes are damaged")
    if len(content) < FRONT.size + DIGEST:
        raise ValueError(f"{where} is truncated: only {len(content)} bytes are left")
    _, version, length = FRONT.unpack_from(content)
    if version != VERSION:
        raise ValueError(f"{where} is of version {version} of the format; this program reads version {VERSION}")
    body, found = content[:-DIGEST], content[-DIGEST:]
    if digest(body) != found:
        raise ValueError(f"{where} is damaged or truncated: its checksum does not fit")
    try:
        header = json.loads(body[FRONT.size : FRONT.size + length])
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise ValueError(f"{where} was written wrongly: its header cannot be read, though its checksum fits")
    return header, body[FRONT.size + length :]


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file as a whole: under a temporary name, then renamed.

    Raises:
        OSError: It could not be written (a full disk, a missing folder); what lay there before is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(f"could not write {path}: {error.strerror or error}") from None


def read_whole(path: str | Path) -> bytes:
    """The bytes of a file, or a ValueError that says why they cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None


def fingerprint(model: Autoencoder) -> str:
    """A hash of a model's config and weights, 32 hexadecimal digits; equal only for models that compute the same.

    A prior that is fitted afterwards does not count: it takes no part in coding.
    """
    hashed = hashlib.blake2b(digest_size=DIGEST)
    config = {k: v for k, v in model.config.to_dict().items() if k not in NOT_THE_MODEL}
    hashed.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        if not name.startswith("prior."):
            values = weight.detach().cpu().float().contiguous().numpy()
            hashed.update(f"{name}{values.shape}".encode())
            hashed.update(values.astype(np.dtype("<f4")).tobytes())
    return hashed.hexdigest()
