"""Text from the bytes of an answer: character encodings and content encodings, declared or not."""

from __future__ import annotations

import codecs
import importlib
import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

_Decompressor = Callable[[bytearray, int], tuple[bytearray, str]]
_UTF_32_MARKS: Final = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
_OTHER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A server may name any codec of Python, and some of those take quadratic time or interpret escapes.
_ACCEPTED_CODECS: Final = re.compile(
    r"(utf-(8|16|32)(-le|-be)?|gb18030|gbk|gb2312|hz|big5(hkscs)?|shift_jis|cp932|euc_(jp|kr)|cp949|iso2022_(jp|kr)"
    r"|iso8859-\d+|cp125\d|koi8-[ru]|ascii)"
)
_SINGLE_BYTE: Final = re.compile(r"iso8859-\d+|cp125\d|ascii|koi8-[ru]")
_PIECE_BYTES: Final = 65536
_MOST_LAYERS: Final = 3
_SMALL_PIECE_BYTES: Final = 256
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""RFC 8878, 3.1.1. The second byte is not ASCII, and no UTF-8."""
_DAMAGED: Final = "the compressed answer is damaged"
_ENDED_EARLY: Final = "the compressed answer ended early"
_NEEDS: Final = "the answer is compressed with {}, which was not requested and which only the package {} can read"


def decode(data: bytes | bytearray, content_type: str) -> str:
    """Decode the bytes of an answer; undecodable bytes become U+FFFD.

    In this order: the byte order mark; zero bytes, which only UTF-16 and UTF-32 have; the declared charset; UTF-8; and
    GB18030 (a superset of GBK and GB2312), which Chinese services send without declaring it.

    >>> decode("请求过多".encode("gbk"), "text/plain")
    '请求过多'
    """
    for mark, codec in (*_UTF_32_MARKS, *_OTHER_MARKS):
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    if codec := _codec_by_zeros(bytes(data[:4])):
        return data.decode(codec, "replace")
    declared = _declared(content_type)
    # Many servers declare Latin-1 and send UTF-8. Latin-1 text is hardly ever valid UTF-8 by chance.
    order = ["utf-8", declared] if _SINGLE_BYTE.fullmatch(declared) else [declared, "utf-8"]
    for codec in order:
        if codec:
            try:
                return data.decode(codec)
            except UnicodeDecodeError:
                continue
    replaced = data.decode("utf-8", "replace")
    return _as_gb18030(data, replaced) or replaced


def _declared(content_type: str) -> str:
    found = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", content_type, re.IGNORECASE)
    try:
        codec = codecs.lookup(found[1]).name if found else ""
    except LookupError:
        return ""
    if codec in {"gbk", "gb2312"}:
        return "gb18030"  # a superset: services that declare the smaller sets use its characters
    return codec if _ACCEPTED_CODECS.fullmatch(codec) else ""


def _codec_by_zeros(begin: bytes) -> str:
    """Name the UTF whose code units make this pattern of zero bytes from ASCII characters (RFC 4627, section 3)."""
    zeros = "".join("0" if byte == 0 else "x" for byte in begin)
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be", "x000": "utf-32-le", "000x": "utf-32-be"}.get(zeros, "")


def _as_gb18030(data: bytes | bytearray, replaced: str) -> str:
    """Decode as GB18030 if that is plausible; otherwise return an empty string.

    UTF-8 with one damaged character stays UTF-8. Accented letters of Latin-1 are lead bytes of GB18030 too, but ASCII
    letters follow them; the trail bytes of common Chinese characters (GB2312) are all 0xA1 or above.
    """
    damaged = replaced.count("\ufffd")
    if sum(character > "\x7f" for character in replaced) - damaged > damaged:
        return ""
    try:
        # Only an incremental decoder accepts a truncated last character.
        text = codecs.getincrementaldecoder("gb18030")().decode(bytes(data), final=False)
    except UnicodeDecodeError:
        return ""
    pairs = re.findall(rb"[\x81-\xfe]([\x40-\x7e\x80-\xfe])", data)
    common = sum(trail >= b"\xa1" for trail in pairs)
    return text if common * 2 > len(pairs) else ""


def decompress(data: bytearray, content_encoding: str, max_bytes: int) -> tuple[bytearray, str]:
    """Decompress an answer (RFC 9110, 8.4.1): its encoding is declared or recognized, and there may be several.

    gzip and deflate need nothing else. Brotli needs the package brotli; before Python 3.14, Zstandard needs
    backports.zstd.

    Args:
        data: The body as it arrived.
        content_encoding: The header. The client requests identity, but some gateways compress anyway.
        max_bytes: The most bytes to produce.

    Returns:
        The decompressed bytes, or ``data`` itself if it is not compressed, or cannot be decompressed; and why the rest
        is missing.
    """
    problem = ""
    for _ in range(_MOST_LAYERS):
        for decompressor in _decompressors(data, content_encoding):
            result, problem_here = decompressor(data, max_bytes)
            problem = problem or problem_here
            if result:
                data = result
                break
        else:
            break
        # a declared encoding without a magic number is tried once
        content_encoding = re.sub(r"\bbr\b" if decompressor is _unbrotli else "deflate", "", content_encoding.lower())
    return data, problem


def _decompressors(data: bytearray, content_encoding: str) -> list[_Decompressor]:
    declared = content_encoding.lower()
    if data.startswith(_ZSTD_MAGIC):
        return [_unzstd]
    if window_bits := _window_bits(data, declared):
        return [partial(_inflate, window_bits=bits) for bits in window_bits]
    # Brotli (RFC 7932) has no magic number. Text is not taken for it: some gateways declare it without compressing.
    is_brotli = re.search(r"\bbr\b", declared) and not is_text(data)
    return [_unbrotli] if is_brotli else []


def _window_bits(data: bytearray, content_encoding: str) -> tuple[int, ...]:
    """Return zlib's parameters to try: gzip; zlib; raw deflate, which RFC 9110 notes too."""
    # 1F 8B begins every gzip stream (RFC 1952), and neither JSON nor audio.
    if data.startswith(b"\x1f\x8b"):
        return (31,)
    # RFC 1950, 2.2: the method, and a multiple of 31. The second byte is not ASCII, or "^" (78 5E).
    if data[:1] == b"\x78" and len(data) > 2 and int.from_bytes(data[:2], "big") % 31 == 0:
        return (15,)
    return (15, -15) if "deflate" in content_encoding else ()


def is_text(data: bytes | bytearray) -> bool:
    """Whether the beginning has no control characters but white space."""
    return not re.search(rb"[\x00-\x08\x0e-\x1f]", data[:_PIECE_BYTES])


def _inflate(data: bytearray, max_bytes: int, window_bits: int) -> tuple[bytearray, str]:
    result, inflater = bytearray(), zlib.decompressobj(window_bits)
    for at in range(0, len(data), _PIECE_BYTES):
        piece = bytes(memoryview(data)[at : at + _PIECE_BYTES])
        while piece:
            before = inflater.copy()
            try:
                # max_length limits one step: a few kilobytes could otherwise expand to gigabytes at once.
                result += inflater.decompress(piece, _PIECE_BYTES)
            except zlib.error:
                return result + _up_to_damage(before, piece, max_bytes - len(result)), _DAMAGED
            if len(result) > max_bytes:
                return result[:max_bytes], f"the answer is larger than {max_bytes:,} bytes"
            piece = inflater.unconsumed_tail
            if inflater.eof and inflater.unused_data.startswith(b"\x1f\x8b"):
                # RFC 1952, 2.2: a gzip file is a series of members.
                piece, inflater = inflater.unused_data, zlib.decompressobj(window_bits)
    return result, "" if inflater.eof else _ENDED_EARLY


def _up_to_damage(inflater: zlib._Decompress, piece: bytes, most: int) -> bytearray:
    """Decompress byte by byte: zlib returns nothing of a step that meets damage, such as a wrong checksum."""
    result = bytearray()
    try:
        for at in range(len(piece)):
            result += inflater.decompress(piece[at : at + 1], max(1, most - len(result)))
            if len(result) >= most:
                break
    except zlib.error:
        pass  # what came before the damage is the result
    return result


def _unzstd(data: bytearray, max_bytes: int) -> tuple[bytearray, str]:
    """Decompress Zstandard (RFC 8878)."""
    module = _optional("compression.zstd") or _optional("backports.zstd")
    if module is None:
        return bytearray(), _NEEDS.format("Zstandard", "backports.zstd")
    stream = module.ZstdDecompressor()
    return _streamed(
        data, max_bytes, lambda piece: stream.decompress(piece, _PIECE_BYTES), lambda: stream.eof, module.ZstdError
    )


def _unbrotli(data: bytearray, max_bytes: int) -> tuple[bytearray, str]:
    module = _optional("brotli")
    # 1.2 is the first version that limits its output: a few kilobytes could otherwise expand to gigabytes at once.
    if module is None or not hasattr(module.Decompressor, "can_accept_more_data"):
        return bytearray(), _NEEDS.format("Brotli", "brotli 1.2")
    stream = module.Decompressor()
    return _streamed(
        data,
        max_bytes,
        lambda piece: stream.process(piece, output_buffer_limit=_PIECE_BYTES),
        stream.is_finished,
        module.error,
    )


def _streamed(
    data: bytearray,
    max_bytes: int,
    step: Callable[[bytes], bytes],
    is_finished: Callable[[], bool],
    failure: type[Exception],
) -> tuple[bytearray, str]:
    """Decompress in small pieces: what comes before damage is returned, and memory does not grow with the ratio."""
    result = bytearray()
    for at in range(0, len(data), _SMALL_PIECE_BYTES):
        piece = bytes(memoryview(data)[at : at + _SMALL_PIECE_BYTES])
        while not is_finished():
            try:
                produced = step(piece)
            except failure:
                return result, _DAMAGED
            result += produced
            if len(result) > max_bytes:
                return result[:max_bytes], f"the answer is larger than {max_bytes:,} bytes"
            piece = b""  # both libraries keep what they have not used
            if not produced:
                break
    return result, "" if is_finished() else _ENDED_EARLY


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
