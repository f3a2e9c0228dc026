"""What to do about an error of the operating system: its own words, and the advice that fits its number."""

from __future__ import annotations

import errno
from typing import Literal

__all__ = ["has_advice", "is_disk_full", "os_sentence"]

Action = Literal["read", "write"]

_PERMISSION = (
    "give this user permission to read it",
    "choose a folder that this user may write to, or change its permissions",
)
_BUSY = ("close the program that uses it", "close the program that uses it, or choose another name")
# Name in `errno` -> advice when reading, advice when writing. A platform may lack some of the names.
_ADVICE: dict[str, tuple[str, str]] = {
    "ENOSPC": ("free some space", "free some space or choose a folder on another disk"),
    "EDQUOT": ("free some space", "free some space or choose a folder on another disk"),
    "EFBIG": ("choose another disk", "choose a folder on a disk that takes larger files"),
    "EACCES": _PERMISSION,
    "EPERM": _PERMISSION,
    "EROFS": ("check how the disk is mounted", "choose a folder on a disk that can be written to"),
    "ENOENT": ("check the path", "check the path, or create the folder"),
    "EISDIR": ("give the path of a file", "choose another name, or remove the folder of that name"),
    "ENOTDIR": ("check the path: a part of it is a file", "choose another folder: a part of the path is a file"),
    "EEXIST": ("check the path", "remove the file of that name, or choose another name"),
    "ENAMETOOLONG": ("use a shorter path", "use a shorter path"),
    "EINVAL": ("check the path", "use a plainer name or another folder"),
    "ELOOP": ("correct the symbolic links", "correct the symbolic links"),
    "EMFILE": ("raise the limit of open files (ulimit -n)", "raise the limit of open files (ulimit -n)"),
    "ENFILE": ("close other programs", "close other programs"),
    "EIO": ("check the disk, or use a copy", "check the disk, or choose a folder on another one"),
    "ESTALE": ("mount the network drive again", "mount the network drive again, or choose another folder"),
    "EBUSY": _BUSY,
    "ETXTBSY": _BUSY,
}
_BY_NUMBER = {getattr(errno, name): advice for name, advice in _ADVICE.items() if name in dir(errno)}
_FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if name in dir(errno)}
_SHARING_VIOLATION = 32  # Windows gives an open file the number of a missing permission and says so in `winerror`


def os_sentence(error: OSError, action: Action = "read") -> str:
    """Give what the system says and what to do, such as "Permission denied; give this user permission to read it".

    Arguments:
        error:  from the operating system; one whose number is not known comes back without advice
        action: what was tried
    Example:
        >>> os_sentence(OSError(errno.ENOSPC, "No space left on device"), "write")
        'No space left on device; free some space or choose a folder on another disk'
    """
    reason = error.strerror or str(error) or type(error).__name__
    if not has_advice(error):
        return reason
    reading, writing = _BY_NUMBER[_number(error)]
    return f"{reason}; {reading if action == 'read' else writing}"


def has_advice(error: OSError) -> bool:
    """Tell whether the error is about files; a broken pipe, for example, is not."""
    return _number(error) in _BY_NUMBER


def is_disk_full(error: OSError) -> bool:
    """Tell whether the disk is full or a quota is used up."""
    return error.errno in _FULL


def _number(error: OSError) -> int:
    return errno.EBUSY if getattr(error, "winerror", None) == _SHARING_VIOLATION else error.errno or 0
