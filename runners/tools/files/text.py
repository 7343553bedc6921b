"""The text of a file and how it is stored: its encoding and its line ends survive an edit."""

import codecs
import re
from dataclasses import dataclass

from runners.policy.refused import Refused

MAX_BYTES = 5_000_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# PEP 263; other formats that name their encoding on a first line do it much the same way.
_DECLARED = re.compile(rb"coding[:=]\s{0,5}[\"']?([-\w.]{1,40})")


@dataclass(frozen=True)
class FileText:
    """A decoded file. `encoding` is a codec's name; `guessed` says that nothing in the file names it."""

    text: str
    encoding: str = "utf-8"
    guessed: bool = False

    @property
    def crlf(self) -> bool:
        """Return whether every line ends in CRLF."""
        return "\r\n" in self.text and self.text.count("\r\n") == self.text.count("\n")

    @property
    def notes(self) -> list[str]:
        """Return what a reader should know of how it is stored, in a few words each."""
        found = ["line ends are CRLF"] if self.crlf else []
        found += ["line ends are mixed"] if not self.crlf and "\r\n" in self.text else []
        named = f"encoding is {self.encoding}" + (" (guessed)" if self.guessed else "")
        return [*found, named] if self.encoding != "utf-8" else found

    def encode(self, text: str) -> bytes:
        """Return `text` as this file stores it. Raises `Refused` for characters it cannot hold."""
        try:
            if self.encoding == "utf-16":
                return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            odd = text[error.start : error.start + 1]
            raise Refused(f"The file is stored as {self.encoding}, which cannot hold {odd!a}.") from None


def decode(path: str, data: bytes) -> FileText:
    """Return the text in `data`, the bytes of the file `path`.

    Raises `Refused` for binary ones and for huge ones.
    """
    if len(data) > MAX_BYTES:
        raise Refused(
            f"`{path}` is larger than {MAX_BYTES:,} bytes. Use shell, with sed -n '1,200p' or such."
        )
    marked = next((codec for mark, codec in _MARKS if data.startswith(mark)), None)
    if marked is not None:
        return FileText(_strictly(path, data, marked), marked)
    if b"\0" in data[:8192]:
        raise Refused(f"`{path}` is a binary file of {len(data):,} bytes and is not shown.")
    try:
        return FileText(data.decode())
    except UnicodeDecodeError:
        declared = _DECLARED.search(b"\n".join(data.split(b"\n", 2)[:2]))
    if declared is not None:
        try:
            name = codecs.lookup(declared[1].decode()).name
            text = data.decode(name)
            if text.encode(name) == data:
                return FileText(text, name)
        except (LookupError, ValueError):
            pass
    # Every byte is a character of it, so nothing is lost whatever it really is.
    return FileText(data.decode("latin-1"), "latin-1", guessed=True)


def encode(text: str) -> bytes:
    """Return `text` as UTF-8. Raises `Refused` for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refused("The content holds half a surrogate pair, so it cannot be stored as UTF-8.") from None


def _strictly(path: str, data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise Refused(f"`{path}` begins like {codec} text, but is not. Look at it with shell.") from None
