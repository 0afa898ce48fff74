"""Hostile and clumsy code, and what becomes of it in a copy.

`native(result)` says whether a call of the C library was refused; `system(name, …)` makes a system
call by its name. What a snippet finds in its namespace is in `world.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLUMSY", "ENDINGS", "HARMLESS", "HOSTILE", "Snippet"]


@dataclass(frozen=True)
class Snippet:
    """Some code, and how it has to end.

    Attributes:
        code: What is executed.
        raises: The type of the exception that ends it, or an empty string.
        refused: How the refusal begins that is named, or an empty string if none is.
        how: How the copy ends; several ways are separated by a bar.
    """

    code: str
    raises: str = ""
    refused: str = ""
    how: str = "finished"


def _denied(refused: str, *codes: str) -> list[Snippet]:
    return [Snippet(code, "PermissionError", refused) for code in codes]


# Python's own functions: a readable refusal, and it is named.
_PYTHON = [
    *_denied(
        "write ",
        "open(canary / 'data.csv', 'w')",
        "open(canary / 'new.csv', 'w')",
        "open(canary / 'data.csv', 'a')",
        "open(canary / 'data.csv', 'r+b')",
        "open(canary / 'new.csv', 'x')",
        "os.open(canary / 'data.csv', os.O_RDWR)",
        "os.open(canary / 'data.csv', os.O_RDONLY | os.O_TRUNC)",
        "os.open(canary, os.O_TMPFILE | os.O_RDWR)",
        "(canary / 'data.csv').write_text('gone')",
        "(canary / 'touched').touch()",
        "os.chdir(canary); open('relative.csv', 'w')",
        "os.chdir(canary / 'folder'); open('../data.csv', 'w')",
        "os.chdir(tempfile.gettempdir()); os.symlink(canary / 'data.csv', 'way'); open('way', 'w')",
        "import pandas; pandas.DataFrame({'a': [1]}).to_csv(canary / 'frame.csv')",
        "import numpy; numpy.save(canary / 'array.npy', numpy.ones(3))",
        "import sqlite3; sqlite3.connect(canary / 'new.db')",
        "import pickle; pickle.dump(1, open(canary / 'data.csv', 'wb'))",
        "import shutil; shutil.copyfile(canary / 'data.csv', canary / 'copy.csv')",
        "import shelve; shelve.open(str(canary / 'shelf'), 'n')",
        "import zipfile; zipfile.ZipFile(canary / 'a.zip', 'w')",
        "import logging; logging.FileHandler(canary / 'a.log')",
        "import numpy; numpy.memmap(canary / 'data.csv', 'u1', 'r+')",
        "open('/proc/self/oom_score_adj', 'w')",
        "open(f'/proc/{os.getppid()}/mem', 'wb')",
        "open('/proc/self/mem', 'r+b')",
        "open('/proc/sys/kernel/hostname', 'w')",
        "open('/dev/shm/canary-new', 'w')",
        "open('/dev/tty', 'w')",
    ),
    *_denied(
        "delete ",
        "os.remove(canary / 'data.csv')",
        "os.unlink(canary / 'link')",
        "(canary / 'data.csv').unlink()",
        "os.rmdir(canary / 'empty')",
        "import shutil; shutil.rmtree(canary)",
        "import shutil; shutil.rmtree(canary / 'folder')",
        "os.chdir(canary / 'folder'); os.remove('../data.csv')",
        "os.remove('data.csv', dir_fd=os.open(canary, os.O_RDONLY))",
        "os.rmdir(tempfile.gettempdir())",
    ),
    *_denied(
        "rename ",
        "os.rename(canary / 'data.csv', canary / 'other.csv')",
        "os.replace(canary / 'data.csv', os.path.join(tempfile.gettempdir(), 'mine'))",
        "p = tempfile.mkstemp()[1]; os.replace(p, canary / 'data.csv')",
        "import shutil; shutil.move(canary / 'data.csv', tempfile.gettempdir())",
    ),
    *_denied("create the folder ", "os.mkdir(canary / 'new')", "os.makedirs(canary / 'a/b')"),
    *_denied("create the link ", "os.symlink('/etc/passwd', canary / 'new')"),
    *_denied(
        "link ",
        "os.link(canary / 'data.csv', os.path.join(tempfile.gettempdir(), 'mine'))",
        "os.link(canary / 'data.csv', canary / 'hard')",
    ),
    *_denied("shorten ", "os.truncate(canary / 'data.csv', 0)"),
    *_denied(
        "change the permissions of ",
        "os.chmod(canary / 'data.csv', 0o777)",
        "os.chmod(os.open(canary / 'data.csv', os.O_RDONLY), 0o777)",
        "os.fchmod(os.open(canary / 'data.csv', os.O_RDONLY), 0o777)",
    ),
    *_denied("change the owner of ", "os.chown(canary / 'data.csv', 1, 1)"),
    *_denied(
        "change the times of ",
        "os.utime(canary / 'data.csv', (0, 0))",
        "os.utime(os.open(canary / 'data.csv', os.O_RDONLY), (0, 0))",
    ),
    *_denied(
        "change the attributes of ",
        "os.setxattr(canary / 'data.csv', 'user.mine', b'1')",
        "os.removexattr(canary / 'data.csv', 'user.canary')",
    ),
    *_denied("read from the pipe ", "open(canary / 'fifo')"),
    *_denied(
        "connect to 127.0.0.1",
        "socket.create_connection(('127.0.0.1', tcp_port), 1)",
        "import http.client; http.client.HTTPConnection('127.0.0.1', tcp_port).request('GET', '/')",
    ),
    *_denied(
        "connect to http://127.0.0.1", "urllib.request.urlopen(f'http://127.0.0.1:{tcp_port}/')"
    ),
    *_denied("connect to example.org", "socket.getaddrinfo('example.org', 443)"),
    *_denied("look up ", "socket.gethostbyname('example.org')"),
    *_denied(
        "use the network",
        "socket.socket().connect(('127.0.0.1', tcp_port))",
        "socket.socket().bind(('127.0.0.1', 0))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'1', ('127.0.0.1', udp_port))",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.create_server(('127.0.0.1', 0))",
    ),
    *_denied(
        "start a process",
        "subprocess.run(['touch', canary / 'new'])",
        "subprocess.Popen('touch new', shell=True, cwd=canary)",
        "os.system(f'touch {canary}/new')",
        "os.popen('true')",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.spawnv(os.P_WAIT, '/bin/true', ['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "os.forkpty()",
        "import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()",
        "import multiprocessing; multiprocessing.get_context('fork').Pool(2)",
    ),
    *_denied(
        "send a signal to ",
        "os.kill(os.getppid(), signal.SIGUSR1)",
        "os.kill(1, 0)",
        "os.kill(-1, 0)",
        "os.killpg(os.getpgid(os.getppid()), 0)",
    ),
]

# What no audit event tells of, and native code: the kernel alone refuses it.
_KERNEL = [
    *_denied(
        "",
        "socket.socket(socket.AF_UNIX).connect(unix_path)",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'1', abstract)",
        "os.mkfifo(canary / 'new')",
        "os.mknod(canary / 'new')",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.sched_setaffinity(os.getppid(), {0})",
        "os.sched_setscheduler(os.getppid(), os.SCHED_BATCH, os.sched_param(0))",
        "os.setuid(1)",
        "os.setgid(1)",
        "os.setgroups([])",
        "os.chroot(canary)",
        "time.clock_settime(time.CLOCK_REALTIME, time.time())",
        "socket.sethostname(socket.gethostname())",
        "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (9, 9))",
        "import fcntl; fcntl.flock(open(canary / 'data.csv'), fcntl.LOCK_EX)",
        "import fcntl; fcntl.fcntl(open(canary / 'data.csv'), fcntl.F_SETLEASE, fcntl.F_WRLCK)",
        "import fcntl; a, b = socket.socketpair(); fcntl.fcntl(a, fcntl.F_SETOWN, os.getppid())",
        "import fcntl; fcntl.ioctl(os.open(canary / 'data.csv', 0), 0x40086602, b'0' * 8)",
        "os.setsid()",
        "a, b = socket.socketpair(); a.sendmsg([b'1'], [], 0, unix_path)",
        "a, b = socket.socketpair(); a.connect(unix_path)",
        "a, b = socket.socketpair(); a.bind(str(canary / 'socket'))",
        "open(f'/proc/{os.getppid()}/fd/0')",
        "open(f'/proc/{os.getppid()}/mem', 'rb')",
        "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
        "open('/dev/kmsg', 'rb')",
    ),
    *(
        Snippet(f"native({code})")
        for code in (
            "libc.open(path('data.csv'), os.O_WRONLY)",
            "libc.open(path('data.csv'), os.O_RDONLY | os.O_TRUNC)",
            "libc.open(path('data.csv'), 3 | os.O_TRUNC)",
            "libc.open(path('new.csv'), os.O_WRONLY | os.O_CREAT, 0o600)",
            "libc.creat(path('data.csv'), 0o600)",
            "libc.truncate(path('data.csv'), 0)",
            "libc.unlink(path('data.csv'))",
            "libc.rename(path('data.csv'), path('other.csv'))",
            "libc.link(path('data.csv'), os.fsencode(tempfile.gettempdir()) + b'/mine')",
            "libc.linkat(os.open(canary / 'data.csv', 0), b'', -100, scratch(b'mine'), 0x1000)",
            "libc.linkat(-100, fd_path(canary / 'data.csv'), -100, scratch(b'mine'), 0x400)",
            "libc.symlink(b'/etc', path('new'))",
            "libc.mkdir(path('new'), 0o700)",
            "libc.rmdir(path('empty'))",
            "libc.mkfifo(path('new'), 0o600)",
            "libc.chmod(path('data.csv'), 0o777)",
            "libc.fchmod(os.open(canary / 'data.csv', 0), 0o777)",
            "libc.chown(path('data.csv'), 1, 1)",
            "libc.utimensat(-100, path('data.csv'), None, 0)",
            "libc.futimens(os.open(canary / 'data.csv', 0), None)",
            "libc.setxattr(path('data.csv'), b'user.mine', b'1', 1, 0)",
            "libc.fsetxattr(os.open(canary / 'data.csv', 0), b'user.mine', b'1', 1, 0)",
            "libc.renameat2(-100, path('data.csv'), -100, path('folder'), 2)",
            "libc.open(path('scratch of another/mine'), os.O_WRONLY)",
            "libc.open(b'/proc/%d/fd/%d' % (os.getppid(), written.fileno()), os.O_WRONLY)",
            "libc.open(b'/proc/%d/fd/%d' % (os.getppid(), read.fileno()), os.O_RDONLY)",
            "libc.fork()",
            "libc.vfork() if hasattr(libc, 'vfork') else -1",
            "libc.execve(b'/bin/true', None, None)",
            "libc.socket(2, 1, 0)",
            "libc.socket(1, 2, 0)",
            "libc.socket(16, 3, 0)",
            "libc.socket(17, 3, 0)",
            "libc.socketpair(1, 2, 0, (ctypes.c_int * 2)())",
            "libc.socketpair(2, 1, 0, (ctypes.c_int * 2)())",
            "libc.kill(os.getppid(), 10)",
            "libc.kill(0, 0)",
            "libc.kill(-1, 0)",
            "libc.ptrace(16, os.getppid(), 0, 0)",
            "libc.setpriority(0, os.getppid(), 10)",
            "libc.setpriority(2, 54321, 10)",
            "libc.prctl(38, 0, 0, 0, 0)",
            "libc.prctl(4, 1, 0, 0, 0)",
            "libc.prctl(1, 0, 0, 0, 0)",
            "libc.prctl(22, 0, 0, 0, 0)",
            "libc.chroot(path('folder'))",
            "libc.mount(b'none', path('none'), b'tmpfs', 0, None)",
            "libc.umount(path('none'))",
            "libc.unshare(0x10000000)",
            "libc.unshare(0x00020000)",
            "libc.setns(os.open('/proc/self/ns/net', 0), 0)",
            "libc.setsid()",
            "libc.shmget(0x1234, 4096, 0o1600)",
            "libc.semget(0x1234, 1, 0o1600)",
            "libc.msgget(0x1234, 0o1600)",
            "libc.shm_open(b'/canary-shm', os.O_RDWR | os.O_CREAT, 0o600)",
            "libc.sigqueue(os.getppid(), 10, 0)",
            "libc.mlockall(3)",
            "libc.memfd_create(b'mine', 0)",
            "libc.inotify_init()",
            "libc.sched_setaffinity(os.getppid(), 8, b'1' + bytes(7))",
            "libc.setrlimit(7, (ctypes.c_ulong * 2)(9, 9))",
            "libc.sethostname(None, 4)",
            "libc.setuid(1)",
            "libc.setresuid(0, 0, 0)",
            "libc.reboot(0x1234)",
            "libc.acct(path('none'))",
            "libc.swapoff(b'/none')",
            "libc.klogctl(9, None, 0)",
            "libc.syscall(900, 0)",
            "system('clone', 17, 0, 0, 0, 0)",
            "system('clone', 0x4111, 0, 0, 0, 0)",
            "system('clone', 0x10000000 | 17, 0, 0, 0, 0)",
            "system('clone', 1 << 40 | 17, 0, 0, 0, 0)",
            "system('clone3', (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88)",
            "system('openat2', -100, path('data.csv'), (ctypes.c_uint64 * 3)(1, 0, 0), 24)",
            "system('execveat', -100, b'/bin/true', 0, 0, 0)",
            "system('tkill', os.getppid(), 10)",
            "system('tgkill', os.getppid(), os.getppid(), 10)",
            "system('rt_sigqueueinfo', os.getppid(), 10, bytes(128))",
            "system('rt_tgsigqueueinfo', os.getppid(), os.getppid(), 10, bytes(128))",
            "system('pidfd_open', os.getppid(), 0)",
            "system('pidfd_send_signal', 3, 9, 0, 0)",
            "system('pidfd_getfd', 3, 0, 0)",
            "system('process_vm_writev', os.getppid(), vector(b'gone'), 1, parent_memory(4), 1, 0)",
            "system('process_vm_readv', os.getppid(), vector(bytes(4)), 1, parent_memory(4), 1, 0)",
            "system('process_madvise', 3, vector(b'gone'), 1, 4, 0)",
            "system('kcmp', os.getpid(), os.getppid(), 0, 0, 0)",
            "system('prlimit64', os.getppid(), 7, (ctypes.c_uint64 * 2)(9, 9), 0)",
            "system('prlimit64', 0, 7, (ctypes.c_uint64 * 2)(9, 9), 0)",
            "system('io_uring_setup', 8, bytes(120))",
            "system('bpf', 0, bytes(64), 64)",
            "system('perf_event_open', bytes(128), 0, -1, -1, 0)",
            "system('userfaultfd', 1)",
            "system('keyctl', 0, -3, 1)",
            "system('add_key', b'user', b'mine', b'1', 1, -3)",
            "system('personality', 0x40000)",
            "system('mq_open', b'mine', os.O_CREAT | os.O_RDWR, 0o600, 0)",
            "system('ioprio_set', 1, os.getppid(), 3 << 13)",
            "system('sched_setattr', os.getppid(), bytes(48), 0)",
            "system('settimeofday', 0, 0)",
            "system('adjtimex', bytes(208))",
            "system('fanotify_init', 0, 0)",
            "system('open_by_handle_at', 3, bytes(16), 0)",
            "system('mknodat', -100, path('new'), 0o20600, 0x103)",
            "system('sendmsg', 3, bytes(56), 0)",
            "system('fsopen', b'tmpfs', 0)",
            "system('pivot_root', path('none'), path('none'))",
            "system('seccomp', 1, 0, 0)",
            "system('setpgid', 0, 0)",
            "system('splice', 0, 0, 1, 0, 1, 0)",
            "system('sync')",
        )
    ),
    # The numbers of x32, and of the 32-bit calls.
    Snippet("if machine == 'x86_64': native(libc.syscall(0x40000000 | 39))"),
    Snippet("if machine == 'x86_64': native(libc.syscall(0x40000000 | 520, b'/bin/true', 0, 0))"),
    Snippet(
        "if machine != 'x86_64': os.kill(os.getpid(), 9)\n"
        "# mov eax, 20; int 0x80; ret: getpid as a 32-bit program makes it\n"
        "code = mmap.mmap(-1, 4096, prot=7); code.write(bytes.fromhex('b814000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()",
        how="killed",
    ),
    # Those that say their error in another way.
    Snippet("assert libc.system(b'touch ' + path('new')) != 0"),
    Snippet("assert libc.posix_spawn((ctypes.c_int * 1)(), b'/bin/true', 0, 0, bytes(8), 0) != 0"),
    Snippet("native(libc.pwrite(os.open(canary / 'data.csv', 0), b'gone', 4, 0), errno.EBADF)"),
    Snippet("native(libc.ftruncate(os.open(canary / 'data.csv', 0), 0), errno.EINVAL)"),
    Snippet(
        "f = os.open(canary / 'data.csv', 0)\n"
        "address = libc.mmap(None, 4096, 3, 1, f, 0)\n"
        "native(address, errno.EACCES)"
    ),
    Snippet(
        "native(libc.getaddrinfo(b'example.org', b'443', None, ctypes.byref(ctypes.c_void_p()))"
        " and -1, *range(200))"
    ),
]

# What was open, mapped or connected before the fork.
_INHERITED = [
    Snippet("memmap[:] = 66; memmap.flush()"),
    Snippet("shared.buf[:4] = b'gone'"),
    Snippet("anonymous[:4] = b'gone'; anonymous.flush()"),
    Snippet(
        "address = later.ctypes.data & ~4095\n"
        "libc.mprotect(ctypes.c_void_p(address), 4096, 3)\n"
        "ctypes.memset(later.ctypes.data, 66, 4)\n"
        "libc.msync(ctypes.c_void_p(address), 4096, 4)"
    ),
    Snippet("memory[:] = b'gone' * 4"),
    Snippet("semaphore.release(); semaphore.release()"),
    Snippet("written.write('more'); written.flush()", "OSError"),
    Snippet("os.write(written.fileno(), b'more')", "OSError"),
    Snippet("os.ftruncate(written.fileno(), 0)", "OSError"),
    Snippet("written.seek(0, 2); written.truncate(0)", "OSError"),
    Snippet("connected.sendall(b'gone')", "OSError"),
    Snippet("connected.shutdown(2)", "OSError"),
    Snippet("connected.close(); del connected"),
    Snippet("listening.accept()", "PermissionError"),
    Snippet("datagram.sendto(b'1', ('127.0.0.1', udp_port))", "PermissionError", "send to "),
    Snippet("unix_datagram.send(b'1')", "OSError"),
    Snippet("os.write(pipe_end, b'gone')", "OSError"),
    Snippet("database.execute('insert into t values (2)'); database.commit()", "OperationalError"),
    Snippet("database.execute('drop table t')", "OperationalError"),
    Snippet("database.close(); del database"),
    Snippet("assert read.read() == 'a,b\\n'; assert read.seek(0) == 0"),
    Snippet("import gc; gc.collect(); gc.unfreeze(); gc.collect()"),
]

HOSTILE = [*_PYTHON, *_KERNEL, *_INHERITED]

# Code that ends oddly.
ENDINGS = [
    Snippet("os._exit(3)", how="exited"),
    Snippet("os._exit(0)", how="exited"),
    Snippet(
        "import threading; threading.Thread(target=lambda: os._exit(4)).start(); time.sleep(9)",
        how="exited",
    ),
    Snippet("raise SystemExit(5)", "SystemExit"),
    Snippet("sys.exit()", "SystemExit"),
    Snippet("raise KeyboardInterrupt", "KeyboardInterrupt"),
    Snippet("signal.raise_signal(signal.SIGINT)", "KeyboardInterrupt"),
    Snippet("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", how="killed"),
    Snippet("os.kill(os.getpid(), signal.SIGKILL); time.sleep(9)", how="killed"),
    Snippet("os.abort()", how="killed"),
    Snippet("ctypes.string_at(8)", how="killed"),
    Snippet("ctypes.memset(8, 0, 8)", how="killed"),
    Snippet("def f(): return f()\nf()", "RecursionError"),
    Snippet(
        "sys.setrecursionlimit(10**9)\ndef f(*a): return f(*a)\n"
        "class A:\n    def __repr__(self): return repr(self)\nrepr(A())",
        how="killed",
    ),
    Snippet("while True: pass", how="timed out"),
    Snippet("time.sleep(999)", how="timed out"),
    Snippet("while True:\n    try: time.sleep(9)\n    except BaseException: pass", how="timed out"),
    Snippet(
        "for s in signal.valid_signals():\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(99)",
        how="timed out",
    ),
    Snippet(
        "import threading\nlock = threading.Lock()\nlock.acquire(); lock.acquire()", how="timed out"
    ),
    Snippet(
        "import threading\nfor _ in range(20): threading.Thread(target=time.sleep, args=(99,)).start()"
    ),
    Snippet(
        "import threading\ndef go():\n    while True:\n        try: open(canary / 'new', 'w')\n"
        "        except OSError: pass\n"
        "for _ in range(4): threading.Thread(target=go).start()\ntime.sleep(0.1)",
        "",
        "write ",
    ),
    Snippet(
        "import threading\nthreading.stack_size(32768)\n"
        "while True: threading.Thread(target=time.sleep, args=(99,)).start()",
        how="killed",
        refused="start more than 1,000 threads",
    ),
    Snippet("x = bytearray(10**12)", "MemoryError"),
    Snippet("x = []\nwhile True: x.append(bytearray(10**7))", "MemoryError"),
    Snippet("x = [mmap.mmap(-1, 10**7) for _ in range(10**6)]", "OSError"),
    Snippet(
        "while True:\n    try: os.fork()\n    except OSError: pass",
        how="timed out",
        refused="start a process",
    ),
    Snippet("os.closerange(0, 1024); print('gone')"),
    Snippet("for n in range(4096):\n    try: os.close(n)\n    except OSError: pass"),
    Snippet(
        "for n in range(3, 2048):\n    try: os.write(n, b'garbage garbage')\n"
        "    except OSError: pass\ntime.sleep(9)",
        how="killed",
    ),
    Snippet(
        "pipe = max(int(n) for n in os.listdir('/proc/self/fd') if int(n) >= 512)\n"
        "os.write(pipe, (10**9).to_bytes(4, 'big'))\ntime.sleep(9)",
        how="killed",
    ),
    Snippet(
        "pipe = max(int(n) for n in os.listdir('/proc/self/fd') if int(n) >= 512)\n"
        "os.write(pipe, bytes.fromhex('00000010') + b'half'); os._exit(0)",
        how="exited",
    ),
    Snippet(
        "pipe = max(int(n) for n in os.listdir('/proc/self/fd') if int(n) >= 512)\n"
        "while True: os.write(pipe, b'\\0\\0\\0\\x0d[\"message\",1]')",
        how="killed",
    ),
    Snippet(
        "pipe = max(int(n) for n in os.listdir('/proc/self/fd') if int(n) >= 512)\n"
        "frame = b'[' * 100_000\n"
        "os.write(pipe, len(frame).to_bytes(4, 'big') + frame); time.sleep(9)",
        how="killed",
    ),
    Snippet(
        "pipe = max(int(n) for n in os.listdir('/proc/self/fd') if int(n) >= 512)\n"
        "os.set_blocking(pipe, False)\nfor _ in range(50): report({'text': 'x' * 50_000})"
    ),
    Snippet("for _ in range(1000): print('x' * 10_000); sys.stderr.write('x' * 10_000)"),
    Snippet("os.write(1, b'x' * 10**7); os.write(2, b'x' * 10**7)"),
    Snippet("while True: report({'text': 'x' * 10_000})", how="timed out"),
    Snippet(
        "with open(os.path.join(tempfile.gettempdir(), 'a'), 'wb') as f:\n"
        "    while True: f.write(bytes(10**6))",
        "OSError",
    ),
    Snippet(
        "for n in range(10**6):\n"
        "    with open(os.path.join(tempfile.gettempdir(), str(n)), 'wb') as f: f.write(bytes(10**6))",
        how="killed",
        refused="fill the temporary directory",
    ),
    Snippet(
        "for n in range(10**9): open(os.path.join(tempfile.gettempdir(), str(n)), 'wb').close()",
        how="killed",
        refused="fill the temporary directory",
    ),
    Snippet(
        "os.chdir(tempfile.gettempdir())\nfor n in range(10**9): os.mkdir('d' * 200); os.chdir('d' * 200)",
        how="killed",
        refused="fill the temporary directory",
    ),
    Snippet("os.mkdir(os.path.join(tempfile.gettempdir(), 'a'), 0)"),
    Snippet("os.chdir(tempfile.gettempdir())\nfor n in range(150): os.mkdir('x'); os.chdir('x')"),
    Snippet("os._exit = lambda code: None"),
    Snippet("sys.setprofile(lambda *a: 1 / 0)", "ZeroDivisionError"),
    Snippet(
        "def trace(*a): raise ValueError\nf = sys._getframe()\n"
        "while f: f.f_trace = trace; f = f.f_back\nsys.settrace(trace)",
        raises="ValueError",
    ),
    Snippet(
        "import builtins\nfor name in ('len', 'isinstance', 'open', 'print', 'max', 'OSError'):\n"
        "    setattr(builtins, name, None)\nos.getpid = os.write = os.path.realpath = None",
        how="exited",
    ),
    Snippet("import json; json.dumps = None; report({'a': 1})", how="exited"),
    Snippet(
        "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and o is not globals():\n"
        "        try: o.clear()\n        except BaseException: pass",
        how="finished|exited|killed|timed out",
    ),
    Snippet("for name in list(sys.modules): del sys.modules[name]"),
    Snippet(
        "import faulthandler; faulthandler.dump_traceback_later(0.1, exit=True); time.sleep(9)",
        how="exited",
    ),
    Snippet("signal.alarm(1); time.sleep(9)", how="killed"),
    Snippet(
        "from copilot_magic.sandbox.copy import run_in_copy; run_in_copy(print)", "RehearsalError"
    ),
]

CLUMSY = [
    "memory[:] = bytes(16)",
    "frame.loc[:, 'a'] = 0; frame['x'] = 1",
    "array *= 0",
    "os.chdir('/'); os.environ.clear(); os.umask(0)",
    "import warnings; warnings.filters.clear(); sys.path.clear(); sys.modules.clear()",
    "tempfile.tempdir = '/'; signal.signal(signal.SIGINT, signal.SIG_IGN)",
]
"""Code that changes what the copy has of its own: the parent's stays as it is."""

HARMLESS = [
    "assert (canary / 'data.csv').read_text() == 'a,b\\n1,2\\n'",
    "import pandas; assert pandas.read_csv(canary / 'data.csv').shape == (1, 2)",
    "os.chdir(canary); assert sorted(os.listdir())[0] == 'data.csv'; assert open('data.csv').read()",
    "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(4) as pool: assert sum(pool.map(int, range(100))) == 4950",
    "import asyncio\nasync def f(): await asyncio.sleep(0.01); return 1\nassert asyncio.run(f()) == 1",
    "import asyncio\nasync def f(): return await asyncio.to_thread(int, 1)\nassert asyncio.run(f()) == 1",
    "with tempfile.TemporaryDirectory() as d:\n"
    "    p = os.path.join(d, 'a'); open(p, 'w').write('1'); os.rename(p, p + 'b')\n"
    "    os.truncate(p + 'b', 0); os.symlink(p, p + 'c'); os.link(p + 'b', p + 'd')",
    "with tempfile.TemporaryFile() as f: f.write(b'1'); f.seek(0); assert f.read() == b'1'",
    "with tempfile.NamedTemporaryFile() as f: f.write(b'1'); f.flush()",
    "import sqlite3; c = sqlite3.connect(':memory:'); c.execute('create table t (a)')",
    "import sqlite3; c = sqlite3.connect(os.path.join(tempfile.gettempdir(), 'a.db'))\n"
    "c.execute('create table t (a)'); c.execute('insert into t values (1)'); c.commit(); c.close()",
    "import sqlite3; c = sqlite3.connect(canary / 'data.db')\n"
    "assert c.execute('select * from t').fetchall() == [(1,)]",
    "assert database.execute('select * from t').fetchall() == [(1,)]",
    "import pandas, io; pandas.DataFrame({'a': [1]}).to_csv(tempfile.mkstemp()[1])",
    "import numpy as np; a = np.ones((300, 300)); assert (a @ a)[0, 0] == 300",
    "assert float((array @ array.T)[0, 0]) == 64.0",
    "import numpy.linalg; numpy.linalg.svd(numpy.random.rand(200, 200))",
    "import matplotlib; matplotlib.use('agg'); import io, matplotlib.pyplot as plt\n"
    "plt.plot([1, 2]); b = io.BytesIO(); plt.savefig(b); assert b.getvalue()[:4] == b'\\x89PNG'",
    "assert frame.groupby('b').sum().shape == (2, 1); assert frame.describe().shape[0] == 8",
    "os.makedirs(canary / 'folder', exist_ok=True)",
    "from pathlib import Path; Path(canary / 'none').unlink(missing_ok=True)",
    "a, b = socket.socketpair(); a.send(b'1'); assert b.recv(1) == b'1'",
    "import mmap; m = mmap.mmap(-1, 4096); m[:2] = b'ab'",
    "import mmap\nwith open(canary / 'data.csv', 'rb') as f: assert mmap.mmap(f.fileno(), 0, access=1)[:1] == b'a'",
    "import random, uuid, secrets; random.random(); uuid.uuid4(); secrets.token_hex()",
    "signal.signal(signal.SIGALRM, lambda *a: None); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)",
    "import decimal, datetime, zoneinfo, json, csv, re; datetime.datetime.now(zoneinfo.ZoneInfo('UTC'))",
    "import queue, threading; q = queue.Queue(); threading.Thread(target=q.put, args=(1,)).start(); assert q.get() == 1",
    "os.nice(1); os.kill(os.getpid(), 0); os.umask(0o22); os.getpriority(os.PRIO_PROCESS, 0)",
    "import multiprocessing.dummy; assert multiprocessing.dummy.Pool(2).map(int, ['1']) == [1]",
    "import ctypes; assert ctypes.CDLL(None).getpid() == os.getpid()",
    "import multiprocessing; multiprocessing.Queue; multiprocessing.Event().set(); os.cpu_count()",
    "open('/dev/null', 'w').write('x'); open(os.devnull, 'wb').write(b'x'); open('/dev/urandom', 'rb').read(4)",
    "print('hello'); sys.stderr.write('x'); assert sys.stdin.read() == ''",
    "import pandas.testing, numpy.fft, email, http.client, urllib.parse, xml.etree.ElementTree",
]
"""Code that has to work, with nothing refused."""
