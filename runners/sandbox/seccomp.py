"""A filter that refuses system calls which attacks need and which tests and builds do not.

It is a program for the kernel's classic BPF machine,
https://docs.kernel.org/userspace-api/seccomp_filter.html. The numbers are from the kernel's ``unistd.h`` of
each architecture.
"""

import platform
import struct
from functools import cache

_X86_64, _AARCH64 = 0, 1
_ARCHITECTURES = {"x86_64": (_X86_64, 0xC000003E), "aarch64": (_AARCH64, 0xC00000B7)}
# Name -> numbers on x86_64 and aarch64; None where there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # Other processes' memory and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "open_by_handle_at": (304, 265),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "fanotify_init": (300, 262),
    # The kernel's keys, programs, modules and clocks
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "syslog": (103, 116),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "_sysctl": (156, None),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
# Namespaces of every kind (clone(2)), but not the flags of threads.
_NEW_NAMESPACES = 0x7E02_0000
# Address families that stay in this network namespace. AF_VSOCK, for example, would reach the VM's host.
_FAMILIES = (1, 2, 10, 16)
# Requests that put characters into the terminal's input: TIOCSTI and TIOCLINUX.
_TYPING = (0x5412, 0x541C)

# Calls that set a file's permissions: numbers on x86_64 and aarch64, index of the permissions' argument.
_PERMISSIONS: dict[str, tuple[tuple[int | None, int | None], int]] = {
    "chmod": ((90, None), 1),
    "fchmod": ((91, 52), 1),
    "fchmodat": ((268, 53), 2),
    "fchmodat2": ((452, 452), 2),
    "creat": ((85, None), 1),
    "mknod": ((133, None), 1),
    "mknodat": ((259, 33), 2),
}
# The same for calls whose previous argument says whether they may create a file.
_OPENING: dict[str, tuple[tuple[int | None, int | None], int]] = {
    "open": ((2, None), 2),
    "openat": ((257, 56), 3),
}
# A filter cannot read the flags and permissions of openat2 in memory; programs then fall back to openat.
_OPENAT2 = (437, 437)
_SHMGET = (29, 194)
_SET_USER_ID = 0o4000
_MAKING = 0x40 | 0x40_0000  # O_CREAT, and the bit of O_TMPFILE that is not O_DIRECTORY

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_EINVAL = 22
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _refuse(error: int) -> bytes:
    return _step(_RETURN, _ERRNO | error)


def _when(code: int, value: int, error: int) -> bytes:
    """Refuse the call with `error` if the loaded number compares with `value` as `code` says, else go on."""
    return _step(code, value, 0, 1) + _refuse(error)


def _block(number: int, body: bytes) -> bytes:
    """Return steps that run `body` only for the call `number`. `body` must end in a return."""
    return _step(_EQUAL, number, 0, len(body) // 8) + body


def _argument(number: int) -> bytes:
    """Load the lower half of the argument `number`, counted from 0."""
    return _step(_LOAD, _FIRST_ARGUMENT + 8 * number)


@cache
def program(machine: str = platform.machine(), *, shared_bytes: int = 1 << 20) -> bytes | None:
    """Return the filter for a kind of machine (as `uname -m` names it), None if there is none for it.

    `shared_bytes` limits the size of a System V shared memory segment. A segment that is not mapped belongs
    to no process, so no other limit counts it; there may be 4,096 of them (SHMMNI, shmget(2)).
    """
    if machine not in _ARCHITECTURES:
        return None
    column, architecture = _ARCHITECTURES[machine]
    allow = _step(_RETURN, _ALLOW)
    # Programs for another architecture (32-bit ones) use other numbers: all of their calls are refused.
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _refuse(_EPERM),
        _step(_LOAD, _NUMBER),
    ]
    if column == _X86_64:
        steps.append(_when(_AT_LEAST, 0x4000_0000, _ENOSYS))  # calls of the x32 ABI
    numbers = [numbers[column] for numbers in _REFUSED.values()]
    steps += [_when(_EQUAL, number, _EPERM) for number in numbers if number is not None]
    # A filter cannot read the flags of clone3, which lie in memory; programs then fall back to clone.
    steps.append(_when(_EQUAL, _CLONE3[column], _ENOSYS))
    steps.append(
        _block(
            _CLONE[column],
            _step(_LOAD, _FIRST_ARGUMENT) + _when(_ANY_BIT, _NEW_NAMESPACES, _EPERM) + allow,
        )
    )
    known = b"".join(_step(_EQUAL, family, 0, 1) + allow for family in _FAMILIES)
    steps.append(_block(_SOCKET[column], _step(_LOAD, _FIRST_ARGUMENT) + known + _refuse(_EAFNOSUPPORT)))
    typing = b"".join(_when(_EQUAL, request, _EPERM) for request in _TYPING)
    steps.append(_block(_IOCTL[column], _step(_LOAD, _SECOND_ARGUMENT) + typing + allow))
    unset = _when(_ANY_BIT, _SET_USER_ID, _EPERM) + allow
    for calls, argument in _PERMISSIONS.values():
        if (number := calls[column]) is not None:
            steps.append(_block(number, _argument(argument) + unset))
    for calls, argument in _OPENING.values():
        if (number := calls[column]) is not None:
            making = _step(_ANY_BIT, _MAKING, 1, 0) + allow
            steps.append(_block(number, _argument(argument - 1) + making + _argument(argument) + unset))
    steps.append(_when(_EQUAL, _OPENAT2[column], _ENOSYS))
    large = _step(_LOAD, _SECOND_ARGUMENT + 4) + _when(_AT_LEAST, 1, _EINVAL)
    large += _step(_LOAD, _SECOND_ARGUMENT) + _when(_AT_LEAST, shared_bytes + 1, _EINVAL)
    steps.append(_block(_SHMGET[column], large + allow))
    return b"".join([*steps, allow])
