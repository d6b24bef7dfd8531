"""seccomp: deny system calls to a process, for all its threads and irrevocably.

Forbidden calls fail with "Operation not permitted", so that a student sees an ordinary PermissionError; a few calls
that honest libraries make in passing pretend to succeed, and do nothing.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping
from ctypes import addressof, create_string_buffer

from nbjudge.linux import call, forbid_new_privileges

# {machine: (its number in a filter, its column in the tables below, the number of the system call seccomp)}
MACHINES = {"x86_64": (0xC000003E, 0, 317), "aarch64": (0xC00000B7, 1, 277)}
_NEVER = -1  # the machine has no such system call

# Forbidden whatever the arguments.
FORBIDDEN = {
    # reaching other programs: their sockets, their memory, their signals
    "connect": (42, 203),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setattr": (314, 274),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    # meeting other programs at an object that is named in the whole machine; the name of a socket may be abstract
    "bind": (49, 200),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # learning what others do with files: names in folders that are closed, and what of them is in memory
    "inotify_init": (253, _NEVER),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "listns": (470, 470),
    # new programs and processes
    "fork": (57, _NEVER),
    "vfork": (58, _NEVER),
    "execve": (59, 221),
    "execveat": (322, 281),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # owners and attributes of files, which Landlock leaves open
    "chown": (92, _NEVER),
    "fchown": (93, 55),
    "lchown": (94, _NEVER),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "setxattrat": (463, 463),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # the machine itself, and kernel interfaces that are not needed here
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_setup": (206, 0),  # the number of contexts is limited for the whole machine
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
    "iopl": (172, _NEVER),
    "ioperm": (173, _NEVER),
}
# Pretend to succeed. Honest code makes these calls in passing, without needing their effect.
PRETENDED = {
    # permissions and times of files, which Landlock leaves open: shutil.copy, zipfile, tarfile
    "chmod": (90, _NEVER),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "utime": (132, _NEVER),
    "utimes": (235, _NEVER),
    "futimesat": (261, _NEVER),
    "utimensat": (280, 88),
    # locks, which would hold on any file that is readable: HDF5; in its own folders a kernel is alone
    "flock": (73, 32),
    # priorities and processors, of any process of the same user: libzmq (which aborts when refused), OpenMP
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setaffinity": (203, 122),
    # what makes others wait for the disk
    "fadvise64": (221, 223),
    "sync": (162, 81),
    "syncfs": (306, 267),
}
# Allowed with some arguments only.
SOCKET, CLONE, _CLONE3, KILL, _TGKILL = (41, 198), (56, 220), (435, 435), (62, 129), (234, 131)
_PRLIMIT, _SENDTO, MMAP, PRCTL, CLOSE_RANGE = (302, 261), (44, 206), (9, 222), (157, 167), (436, 436)
FCNTL, IOCTL, MADVISE, SETSOCKOPT = (72, 25), (16, 29), (28, 233), (54, 208)

_SET_MODE_FILTER, _FOR_ALL_THREADS = 1, 1
_UNIX_SOCKETS, _CLONE_THREAD, _CLONE_FILES, _FOREIGN_ABI = 1, 0x10000, 0x400, 0x40000000
_MAP_SHARED, _MAP_ANONYMOUS, _UNSHARE_FILES = 0x1, 0x20, 0x2
_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SCHEDULE_WITH = 1, 4, 62  # options of prctl
# Commands of fcntl. Those for locks on records are pretended, as flock is: SQLite locks its own files.
_LOCKS = {"F_SETLK": 6, "F_SETLKW": 7, "F_OFD_SETLK": 37, "F_OFD_SETLKW": 38}
# Others are forbidden, of which there are: leases and delegations (who opens the file waits, up to 45 s), signals to
# others when something happens to a file (F_NOTIFY, F_SETOWN, F_SETSIG), hints kept with a file, larger pipes.
_FILE_COMMANDS = {"F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_GETLK": 5, "F_GETOWN": 9}
_FILE_COMMANDS |= {"F_OFD_GETLK": 36, "F_DUPFD_QUERY": 1027, "F_DUPFD_CLOEXEC": 1030, "F_GETPIPE_SZ": 1032}
_FILE_COMMANDS |= {"F_ADD_SEALS": 1033, "F_GET_SEALS": 1034}
# Commands of ioctl: what is asked of a terminal, and what files and sockets have in common. To others, some of which
# name who gets a signal or change attributes of files, the answer is that the file does not know them.
_DEVICE_COMMANDS = {"TCGETS": 0x5401, "TCGETS2": 0x802C542A, "TIOCGPGRP": 0x540F, "TIOCGWINSZ": 0x5413}
_DEVICE_COMMANDS |= {"FIONREAD": 0x541B, "FIONBIO": 0x5421, "FIONCLEX": 0x5450, "FIOCLEX": 0x5451}
# Sizes of socket buffers: kernel memory, which no limit counts.
_BUFFERS = {"SO_SNDBUF": 7, "SO_RCVBUF": 8, "SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33}
# Ignored advice: file pages are shared, and other processes would read evicted ones from the disk again.
_ADVICE = {"MADV_MERGEABLE": 12, "MADV_COLD": 20, "MADV_PAGEOUT": 21}

# The machine that runs a filter: each instruction is (code, steps to skip if true, if false, value).
LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
_Instruction = tuple[int, int, int, int]
ALLOW: _Instruction = (RETURN, 0, 0, 0x7FFF0000)
_KILL_PROCESS: _Instruction = (RETURN, 0, 0, 0x80000000)
FORBID: _Instruction = (RETURN, 0, 0, 0x00050000 | errno.EPERM)
PRETEND: _Instruction = (RETURN, 0, 0, 0x00050000)
_NOT_THERE: _Instruction = (RETURN, 0, 0, 0x00050000 | errno.ENOSYS)
UNKNOWN_TO_THE_FILE: _Instruction = (RETURN, 0, 0, 0x00050000 | errno.ENOTTY)


def missing() -> str:
    """Return why this machine cannot filter system calls; empty if it can."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has none"
    if platform.machine() not in MACHINES or sys.maxsize < 2**32:
        return f"no table of system calls for {platform.machine()}"
    return "" if os.path.exists("/proc/sys/kernel/seccomp/actions_avail") else "the kernel was built without it"


def seal() -> None:
    """Forbid, for all threads of the calling process, all system calls that a submission does not need.

    Sockets cannot be bound afterwards, so ipykernel must have bound its own.
    Raises OSError if the kernel refuses.
    """
    machine, column, seccomp = MACHINES[platform.machine()]
    program = _filter(machine, column, os.getpid())
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = create_string_buffer(code, len(code))
    forbid_new_privileges()
    call(seccomp, _SET_MODE_FILTER, _FOR_ALL_THREADS, struct.pack("@HP", len(program), addressof(buffer)))


def _filter(machine: int, column: int, own_pid: int) -> list[_Instruction]:
    program = [(LOAD, 0, 0, _MACHINE_AT), (IF_EQUAL, 1, 0, machine), _KILL_PROCESS, (LOAD, 0, 0, _NUMBER_AT)]
    program += [(IF_AT_LEAST, 0, 1, _FOREIGN_ABI), FORBID]
    for number in FORBIDDEN.values():
        program += _when(number[column], [FORBID])
    for number in PRETENDED.values():
        program += _when(number[column], [PRETEND])
    for number, rule in _conditions(own_pid):
        program += _when(number[column], rule)
    return [*program, ALLOW]


def _conditions(own_pid: int) -> list[tuple[tuple[int, int], list[_Instruction]]]:
    """Return (system call, instructions that decide on it); each sequence ends with an answer."""
    return [
        (SOCKET, _only_if_equal(0, _UNIX_SOCKETS)),
        (CLONE, _only_with_all_bits(0, _CLONE_THREAD, _CLONE_FILES)),  # a thread with files of its own could hide them
        (_CLONE3, [_NOT_THERE]),  # its arguments are out of sight; the C library then takes clone
        (KILL, _only_if_equal(0, own_pid)),
        (_TGKILL, _only_if_equal(0, own_pid)),
        (_PRLIMIT, _only_if_equal(0, 0)),  # the limits of the process itself
        (_SENDTO, _only_if_null(4)),  # to whom the socket is connected
        (CLOSE_RANGE, [_low(2), (IF_ANY_BIT, 0, 1, _UNSHARE_FILES), FORBID, ALLOW]),
        (MMAP, _unless_all_bits(3, _MAP_SHARED, _MAP_ANONYMOUS)),  # memory that RLIMIT_DATA does not count
        # The watcher looks into /proc, and a kernel ends with its parent.
        (PRCTL, _by_value(0, {FORBID: [_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SCHEDULE_WITH]}, ALLOW)),
        (FCNTL, _by_value(1, {PRETEND: _LOCKS.values(), ALLOW: _FILE_COMMANDS.values()}, FORBID)),
        (IOCTL, _by_value(1, {ALLOW: _DEVICE_COMMANDS.values()}, UNKNOWN_TO_THE_FILE)),
        (SETSOCKOPT, _by_value(2, {PRETEND: _BUFFERS.values()}, ALLOW)),
        (MADVISE, _by_value(2, {PRETEND: _ADVICE.values()}, ALLOW)),
    ]


def _when(number: int, rule: list[_Instruction]) -> list[_Instruction]:
    return [] if number == _NEVER else [(IF_EQUAL, 0, len(rule), number), *rule]


def _only_if_equal(argument: int, value: int) -> list[_Instruction]:
    return [_low(argument), (IF_EQUAL, 0, 1, value), ALLOW, FORBID]


def _by_value(
    argument: int, answers: Mapping[_Instruction, Iterable[int]], otherwise: _Instruction
) -> list[_Instruction]:
    """Return instructions that decide by the lower half of an argument; Linux ignores the upper half of a command."""
    decisions = [
        step for answer, values in answers.items() for value in values for step in ((IF_EQUAL, 0, 1, value), answer)
    ]
    return [_low(argument), *decisions, otherwise]


def _only_with_all_bits(argument: int, bit: int, other: int) -> list[_Instruction]:
    return [_low(argument), (IF_ANY_BIT, 0, 2, bit), (IF_ANY_BIT, 0, 1, other), ALLOW, FORBID]


def _unless_all_bits(argument: int, bit: int, other: int) -> list[_Instruction]:
    return [_low(argument), (IF_ANY_BIT, 0, 2, bit), (IF_ANY_BIT, 0, 1, other), FORBID, ALLOW]


def _only_if_null(argument: int) -> list[_Instruction]:
    low, high = _low(argument), _high(argument)
    return [low, (IF_EQUAL, 0, 3, 0), high, (IF_EQUAL, 0, 1, 0), ALLOW, FORBID]


def _low(argument: int) -> _Instruction:
    return (LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)


def _high(argument: int) -> _Instruction:
    return (LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + 4)
