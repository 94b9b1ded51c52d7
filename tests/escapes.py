"""Ways out of what a script may do, as data: each is really tried, comes to nothing, and is named to the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CANARY = "canary-of-the-escapes"

WORLD = """\
import ctypes, fcntl, glob, os, pathlib, socket, struct, subprocess, sys
LIBC = ctypes.CDLL(None, use_errno=True)
ROOM = ctypes.create_string_buffer(8)
VECTOR = struct.pack("PN", ctypes.addressof(ROOM), 8)

def call(number, *arguments):
    if LIBC.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def libc(name, *arguments):
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr)

def touch(path, mode="a"):
    with open(path, mode) as file:
        file.write("x")

def steal(path):
    with open(path, "rb") as file:
        file.read(1)
"""
"""What the tries of a script have at hand, besides the places that the test puts in front."""


@dataclass(frozen=True, slots=True)
class Try:
    """Something that the edited file's code tries while it runs."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """Something that is proposed and must be refused before any file changes."""

    name: str
    change: Any
    refused: str
    """Part of the refusal."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A whole text of the script, and how its experiment must end."""

    name: str
    code: str
    ends: str
    """Part of an event of that experiment."""


WRITES = (
    Try("a new file beside it", 'touch(OUT + "/new", "x")'),
    Try("more in a file of others", 'touch(OUT + "/votes")'),
    Try("less in a file of others", 'os.truncate(OUT + "/votes", 0)'),
    Try("a file of others deleted", 'os.unlink(OUT + "/votes")'),
    Try("a file of others taken away", 'os.rename(OUT + "/votes", "mine")'),
    Try("a rename over a file of others", 'touch("own"); os.rename("own", OUT + "/votes")'),
    Try("a second name for a file of others", 'os.link(OUT + "/votes", "linked")'),
    Try("through a link to a folder", 'os.symlink(OUT, "way"); touch("way/new")'),
    Try("through a link to what is not there", 'os.symlink(OUT + "/born", "dangling"); touch("dangling")'),
    Try("up and down again", 'touch(os.path.relpath(OUT + "/new"))'),
    Try("modes of a file of others", 'os.chmod(OUT + "/votes", 0o777)'),
    Try("a program that runs as its owner", 'os.chmod(OUT + "/votes", 0o4755)'),
    Try("times of a file of others", 'os.utime(OUT + "/votes", (0, 0))'),
    Try("attributes of a file of others", 'os.setxattr(OUT + "/votes", "user.x", b"1")'),
    Try("a folder beside it", 'os.mkdir(OUT + "/folder")'),
    Try("a socket beside it", 'socket.socket(socket.AF_UNIX).bind(OUT + "/sock")'),
    Try("the temporary folder of all", 'touch("/tmp/escaped-" + str(os.getpid()))'),
    Try("the other temporary folder", 'touch("/var/tmp/escaped-" + str(os.getpid()))'),
)

OURS = (
    Try("the program of the person", 'touch(PROJECT + "/program.md")'),
    Try("the script of the person", 'touch(PROJECT + "/train.py")'),
    Try("its own results", 'touch(RUN + "/results.tsv")'),
    Try("its own order, with its time limit", 'touch(glob.glob(RUN + "/work/*/order.json")[0])'),
    Try("its own log", 'touch(glob.glob(RUN + "/work/*/run.log")[0])'),
    Try("its own result", 'touch(os.path.dirname(glob.glob(RUN + "/work/*/order.json")[0]) + "/result.json")'),
    Try("what protected files were", 'touch(RUN + "/work/protected.json")'),
    Try("a hook of the repository", 'touch(PROJECT + "/.git/hooks/pre-commit")'),
    Try("the settings of the repository", 'touch(PROJECT + "/.git/config")'),
    Try("filters of the repository", 'touch(PROJECT + "/.git/info/attributes")'),
    Try("a branch of the repository", 'touch(PROJECT + "/.git/refs/heads/main")'),
    Try("objects of the repository", 'touch(PROJECT + "/.git/objects/00")'),
    Try("the index of the worktree", 'touch(glob.glob(PROJECT + "/.git/worktrees/*/index")[0])'),
    Try("a lock against everybody", 'touch(RUN + "/owner.lock")'),
    Try("this product", 'touch(PRODUCT + "/lanes/lane.py")'),
    Try("packages of the interpreter", "touch(os.__file__)"),
    Try("a startup file beside packages", 'touch(os.path.dirname(os.__file__) + "/site-packages/escaped.pth")'),
    Try("packages of the person", 'os.makedirs(HOME + "/.local/lib/python3.11/site-packages")'),
)

LATER = (
    Try("the settings of a shell", 'touch(HOME + "/.bashrc")'),
    Try("keys that may log in", 'touch(HOME + "/.ssh/authorized_keys")'),
    Try("the settings of git", 'touch(HOME + "/.gitconfig")'),
    Try("a service of the person", 'os.makedirs(HOME + "/.config/systemd/user")'),
    Try("a job of the machine", 'touch("/etc/cron.d/escaped")'),
    Try("a library before all others", 'touch("/etc/ld.so.preload")'),
    Try("what is run at a crash", 'touch("/proc/sys/kernel/core_pattern")'),
    Try("who is killed for memory", 'touch(f"/proc/{PARENT}/oom_score_adj")'),
    Try("its bounds by the kernel", 'touch("/sys/fs/cgroup/cgroup.procs")'),
    Try("limits of another process", "import resource; resource.prlimit(PARENT, resource.RLIMIT_CPU, (9, 9))"),
    Try("a signal to another process", "os.kill(PARENT, 0)"),
    Try("a signal by a handle", "import signal; signal.pidfd_send_signal(os.pidfd_open(PARENT), 0)"),
    Try("another process stopped and read", "libc('ptrace', 16, PARENT, None, None)"),
    Try("typing into a terminal", "fcntl.ioctl(0, 0x5412, b'x')"),
    Try("what is typed at a terminal", "steal(TERMINAL)"),
    Try("messages of the kernel", "steal('/dev/kmsg')"),
    Try("the console", "steal('/dev/console')"),
)

READS = (
    Try("a key for logging in", 'steal(HOME + "/.ssh/id")'),
    Try("a key of a cloud", 'steal(HOME + "/.aws/credentials")'),
    Try("a password for the network", 'steal(HOME + "/.netrc")'),
    Try("a token of the hub", 'steal(HOME + "/.cache/huggingface/token")'),
    Try("keys that a shell exports", 'steal(HOME + "/.bashrc")'),
    Try("a key by a link", 'os.symlink(HOME + "/.ssh/id", "key"); steal("key")'),
    Try("a key by a second name", 'os.link(HOME + "/.ssh/id", "second"); steal("second")'),
    Try("a key by a folder above", 'steal(os.path.relpath(HOME + "/.ssh/../.ssh/id"))'),
    Try("a key in another program", 'run("/bin/cat", HOME + "/.ssh/id")'),
    Try("keys beside the program", 'steal(PROJECT + "/.env")'),
    Try("the record of the run", 'steal(RUN + "/run.db")'),
    Try("the environment of another process", 'steal(f"/proc/{PARENT}/environ")'),
    Try("open files of another process", 'os.readlink(f"/proc/{PARENT}/fd/0")'),
    Try("memory of another process", 'steal(f"/proc/{PARENT}/mem")'),
    Try("files as another process has them", 'os.listdir(f"/proc/{PARENT}/root/")'),
    Try("a key of the session in the kernel", 'call(250, 10, -3, b"user", b"escapes", 0)'),
    Try("passwords of the machine", 'steal("/etc/shadow")'),
)

REACHES = (
    Try("a service on this machine", 'socket.create_connection(("127.0.0.1", PORT), 2)'),
    Try("the same by the other protocol", 'socket.create_connection(("::1", PORT), 2)'),
    Try("somebody in the network", 'socket.create_connection(("192.0.2.1", 80), 2)'),
    Try("somebody without a connection", 'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))'),
    Try("a name in the network", 'socket.getaddrinfo("example.org", 80)'),
    Try("a socket in a folder", "socket.socket(socket.AF_UNIX).connect(SOCKET)"),
    Try("a socket without a folder", 'socket.socket(socket.AF_UNIX).connect("\\0" + ABSTRACT)'),
    Try("the host of a virtual machine", "socket.socket(socket.AF_VSOCK)"),
    Try("all that is on the wire", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"),
    Try("the network of another process", 'fd = os.open(f"/proc/{PARENT}/ns/net", 0); libc("setns", fd, 0)'),
    Try("a file system of its own", 'libc("mount", b"none", b"/tmp", b"tmpfs", 0, None)'),
    Try("writing again", 'libc("mount", None, b"/", None, 0x1020, None)'),
    Try("another root", 'os.chroot(".")'),
    Try("a device of its own", 'os.mknod("disk", 0o60600, os.makedev(254, 0))'),
    Try("another name for the machine", 'socket.sethostname("escaped")'),
    Try("a program inside the kernel", "call(321, 5, None, 0)"),
)

PROCESSES = (
    Try("names of processes", 'os.stat(f"/proc/{PARENT}")'),
    Try("what another process was told", 'steal(f"/proc/{PARENT}/cmdline")'),
    Try("the end of another process", "os.kill(PARENT, 9)"),
    Try("a group of other processes", "os.killpg(GROUP, 9)"),
    Try("priority of another process", "os.setpriority(os.PRIO_PROCESS, PARENT, 19)"),
    Try("cores of another process", "os.sched_setaffinity(PARENT, {0})"),
    Try("turns of another process", "os.sched_setscheduler(PARENT, os.SCHED_IDLE, os.sched_param(0))"),
    Try("memory of another process at once", "call(310, PARENT, VECTOR, 1, VECTOR, 1, ctypes.c_ulong(0))"),
    Try("pages of another process", "call(279, PARENT, 0, None, None, None, 0)"),
    Try("what two processes share", "call(312, PARENT, os.getpid(), 0, 0, 0)"),
    Try("an open file of another process", "call(438, os.pidfd_open(PARENT), 3, 0)"),
    Try("the session of another process", "os.getsid(PARENT)"),
    Try("what limits another process has", "import resource; resource.prlimit(PARENT, resource.RLIMIT_NPROC)"),
)
"""Processes that are others'."""

KEEPER = (
    Try("the environment of who keeps it", "steal('/proc/1/environ')"),
    Try("memory of who keeps it", "steal('/proc/1/mem')"),
    Try("files of who keeps it", "os.readlink('/proc/1/fd/0')"),
    Try("the root of who keeps it", "os.listdir('/proc/1/root/')"),
    Try("mounts of who keeps it", "libc('setns', os.open('/proc/1/ns/mnt', 0), 0)"),
    Try("who keeps it stopped and read", "libc('ptrace', 16, 1, None, None)"),
    Try("an open file of who keeps it", "call(438, os.pidfd_open(1), 3, 0)"),
    Try("who is killed for memory before it", "touch('/proc/1/oom_score_adj')"),
    Try("processes of the machine by a mount", "libc('mount', b'proc', b'/proc', b'proc', 0, None)"),
    Try("the mount above taken away", "libc('umount2', b'/proc', 2)"),
    Try("a keyring of its own", "call(248, b'user', b'x', b'y', 1, -2)"),
    Try("pages answered by itself", "call(323, 0)"),
    Try("calls through a queue", "call(425, 8, bytes(120))"),
    Try("switches of the kernel", "touch('/proc/sys/vm/overcommit_memory')"),
    Try("the end of who keeps it", "os.kill(1, 9)"),
    Try("a clock of the machine", "import time; time.clock_settime(time.CLOCK_REALTIME, time.time())"),
)
"""Who keeps the script within its own name space, and the kernel itself."""

HARMLESS = (
    Try("the end of all that may be signalled", "import signal; signal.signal(15, signal.SIG_IGN); os.kill(-1, 15)"),
    Try("the end of its group", "os.killpg(0, 15)"),
    Try("priority of all that are the person's", 
        "try: os.setpriority(os.PRIO_USER, os.getuid(), 15)\nexcept PermissionError: pass"),
    Try("a name space within", "libc('unshare', 0x10000000)"),
    Try("a longer life", "libc('prctl', 1, 0, 0, 0, 0); libc('prctl', 36, 1, 0, 0, 0)"),
    Try("memory under a name", "touch('/dev/shm/escaped')"),
    Try("open files let go", "import fcntl; [fcntl.flock(int(n), 8) for n in os.listdir('/proc/self/fd') "
        "if int(n) > 2 and os.path.exists('/proc/self/fd/' + n)]"),
)  # fmt: skip
"""What the kernel lets a script do, and what reaches nobody but itself."""

CONTAINED = (*WRITES, *OURS, *LATER, *READS, *REACHES, *PROCESSES, *KEEPER)

PROPOSED = (
    *(Proposed(name, {"field": field, "new": {"whole": "print('val_bpb: 0.1')\n"}}, "is not open to edits")
    for name, field in (
        ("the evaluation", "prepare.py"), ("the program", "program.md"), ("up and out", "../train.py"),
        ("a whole path", "/etc/passwd"), ("git's own", ".git/config"), ("a hook", ".git/hooks/post-checkout"),
        ("filters", ".gitattributes"), ("other repositories", ".gitmodules"), ("run at each start", "sitecustomize.py"),
        ("a module that shadows", "json.py"), ("the same by a dot", "./train.py"), ("in and out", "a/../train.py"),
        ("another letter", "TRAIN.PY"), ("a letter that looks alike", "tr\u0430in.py"), ("a NUL", "train.py\0"),
    )),
    Proposed("half a character", {"field": "train.py", "new": {"whole": "x = '\ud800'\n"}}, "half a character"),
    Proposed("a file too large", {"field": "train.py", "new": {"whole": "x" * (1 << 20) + "\n"}}, "at most"),
    Proposed("two at a time", {"field": "train.py", "new": {"whole": "1\n"}, "also": [{"field": "prepare.py"}]},
             "one file is edited at a time"),
    Proposed("a block for another file", {"field": "train.py", "new": {"edits": [{"search": "A", "replace": "B",
                                          "file": "prepare.py"}]}}, "is not"),
)  # fmt: skip

ALTERED = (
    ("a.py", "touch('a.py')"),
    ("b.py", "os.unlink('b.py')"),
    ("c.py", "os.unlink('c.py'); os.symlink(OUT + '/votes', 'c.py')"),
    ("d.py", "os.unlink('d.py'); os.link('e.py', 'd.py'); touch('d.py')"),
    ("f.py", "touch('own'); os.rename('own', 'f.py')"),
    ("g.py", "os.chmod('g.py', 0o755)"),
    ("h.py", "os.unlink('h.py'); os.mkdir('h.py')"),
    ("i.py", "os.unlink('i.py'); os.mkfifo('i.py')"),
    ("j.py", "os.rename('j.py', 'k'); touch('j.py')"),
    ("sub/l.py", "os.rename('sub', 'bus'); os.symlink(OUT, 'sub')"),
    ("m.py", "subprocess.run(['sh', '-c', 'setsid sh -c \"echo x >> m.py\" &']); import time; time.sleep(0.5)"),
    ("program.md", "touch('program.md')"),
    (".git", "os.unlink('.git'); os.makedirs('.git/hooks'); touch('.git/config'); touch('.git/hooks/post-checkout')"),
)
"""Protected files, and how the script alters each; all in one run, which is a crash that names them."""

LEFT = (
    (".gitattributes", "pathlib.Path('.gitattributes').write_text('* filter=x diff=x')"),
    (".gitmodules", "pathlib.Path('.gitmodules').write_text('[submodule \"x\"]\\n path = x\\n url = /x')"),
    ("nested/.git", "os.makedirs('nested/.git/hooks')"),
    ("sitecustomize.py", "touch('sitecustomize.py')"),
    ("usercustomize.py", "touch('usercustomize.py')"),
    ("escape.pth", "touch('escape.pth')"),
    ("json.py", "touch('json.py')"),
    ("torch.py", "touch('torch.py')"),
    ("numpy", "os.mkdir('numpy')"),
    ("random.so", "touch('random.so')"),
)
"""Files that git or Python would believe without being asked to; the next run finds none of them."""

ENDINGS = (
    Ending("a number that is none", "print('val_bpb: nan')", "val_bpb is nan"),
    Ending("the best of all numbers", "print('val_bpb: -inf')", "val_bpb is -inf"),
    Ending("a number past all", "print('val_bpb: -1e999')", "val_bpb is -inf"),
    Ending("a number past all squares", "print('val_bpb: -1e300')", "val_bpb is -1e+300, which is no measurement"),
    Ending("a word for a number", "print('val_bpb: true')", "is nowhere in its output"),
    Ending("twice", "print('val_bpb: 1.15'); print('val_bpb: 0.1')", "2 different numbers"),
    Ending("once in each way", "print('val_bpb: 1.15'); print('METRIC val_bpb=0.1')", "2 different numbers"),
    Ending("among the errors", "print('val_bpb: 1.15'); print('val_bpb: 0.1', file=__import__('sys').stderr)",
           "2 different numbers"),
    Ending("at the very end", "import atexit; atexit.register(print, 'val_bpb: 0.1'); print('val_bpb: 1.15')",
           "2 different numbers"),
    Ending("behind colours", "print('\\x1b[31mval_bpb: 0.1\\x1b[0m')", "is nowhere in its output"),
    Ending("in letters that look alike", "print('v\\u0430l_bpb: 0.1')", "is nowhere in its output"),
    Ending("taken back by the terminal", "print('val_bpb: 0.1\\rnothing here')", "is nowhere in its output"),
    Ending("within a line", "print('so val_bpb: 0.1 it is')", "is nowhere in its output"),
)  # fmt: skip
"""Numbers that are no measurement."""


def script(places: dict[str, Any], tries: tuple[Try, ...]) -> str:
    """A script that tries all of these, says how each went, and then what the unchanged script says."""
    lines = [f"{name} = {value!r}\n" for name, value in places.items()]
    table = [(one.name, one.code) for one in tries]
    return (
        "".join(lines)
        + WORLD
        + f"for NAME, CODE in {table!r}:\n"
        + "    try:\n        exec(CODE)\n"
        + "    except BaseException as error:\n        print(f'{NAME}: {type(error).__name__}: {error}')\n"
        + "    else:\n        print(f'ESCAPED {NAME}')\n"
        + "print('val_bpb: 1.150000')\n"
    )
