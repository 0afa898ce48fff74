"""The system calls that a copy may make freely, with their numbers on the processors we know."""

from __future__ import annotations

import os
import sys

__all__ = ["ALLOWED", "AUDIT_ARCHITECTURES", "machine", "number"]

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel tells a filter about the caller's instruction set (linux/audit.h)."""

# Each as name:number on x86_64:number on aarch64; "-" if there is none.
_FREE = """
read:0:63 write:1:64 pread64:17:67 pwrite64:18:68 readv:19:65 writev:20:66 preadv:295:69
pwritev:296:70 preadv2:327:286 pwritev2:328:287 lseek:8:62 dup:32:23 pipe:22:- pipe2:293:59
sendfile:40:71 copy_file_range:326:285 ftruncate:77:46 fsync:74:82 fdatasync:75:83
fadvise64:221:223 readahead:187:213

creat:85:- stat:4:- fstat:5:80 lstat:6:- newfstatat:262:79 statx:332:291 access:21:-
faccessat:269:48 faccessat2:439:439 readlink:89:- readlinkat:267:78 getdents:78:-
getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50 statfs:137:43 fstatfs:138:44
umask:95:166 getxattr:191:8 lgetxattr:192:9 fgetxattr:193:10 listxattr:194:11
llistxattr:195:12 flistxattr:196:13

mkdir:83:- mkdirat:258:34 rmdir:84:- unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38
renameat2:316:276 link:86:- linkat:265:37 symlink:88:- symlinkat:266:36

brk:12:214 mmap:9:222 munmap:11:215 mremap:25:216 mprotect:10:226 madvise:28:233
mincore:27:232 msync:26:227 get_mempolicy:239:236

exit:60:93 exit_group:231:94 futex:202:98 futex_waitv:449:449 set_robust_list:273:99
set_tid_address:218:96 rseq:334:293 membarrier:324:283 sched_yield:24:124
sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120
sched_get_priority_max:146:125 sched_get_priority_min:147:126 sched_rr_get_interval:148:127
getpriority:140:141 getcpu:309:168 arch_prctl:158:- restart_syscall:219:128

rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136
rt_sigsuspend:130:133 rt_sigtimedwait:128:137 sigaltstack:131:132 pause:34:- alarm:37:-
getitimer:36:102 setitimer:38:103 timer_create:222:107 timer_settime:223:110
timer_gettime:224:108 timer_getoverrun:225:109 timer_delete:226:111 signalfd:282:-
signalfd4:289:74

poll:7:- ppoll:271:73 select:23:- pselect6:270:72 epoll_create:213:- epoll_create1:291:20
epoll_ctl:233:21 epoll_wait:232:- epoll_pwait:281:22 epoll_pwait2:441:441 eventfd:284:-
eventfd2:290:19 timerfd_create:283:85 timerfd_settime:286:86 timerfd_gettime:287:87
recvfrom:45:207 shutdown:48:210 getsockopt:55:209 getsockname:51:204 getpeername:52:205
wait4:61:260 waitid:247:95

time:201:- gettimeofday:96:169 clock_gettime:228:113 clock_getres:229:114
clock_nanosleep:230:115 nanosleep:35:101 times:100:153 getrusage:98:165 getrlimit:97:163
sysinfo:99:179 uname:63:160 getrandom:318:278 getpid:39:172 getppid:110:173 gettid:186:178
getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148
getresgid:120:150 getgroups:115:158 getpgrp:111:- getpgid:121:155 getsid:124:156
capget:125:90
"""

# Those that the filter looks at closely or refuses by name, and those that only we make.
_OTHERS = """
open:2:- openat:257:56 openat2:437:437 truncate:76:45 close:3:57 close_range:436:436 dup2:33:-
dup3:292:24 fcntl:72:25 ioctl:16:29 flock:73:32 fallocate:285:47 memfd_create:319:279
clone:56:220 clone3:435:435 kill:62:129 tgkill:234:131 setpriority:141:140
sched_setaffinity:203:122 prctl:157:167 prlimit64:302:261 socketpair:53:199 sendto:44:206

fork:57:- vfork:58:- execve:59:221 socket:41:198 fchmodat:268:53 capset:126:91 seccomp:317:277
landlock_create_ruleset:444:444 landlock_add_rule:445:445 landlock_restrict_self:446:446
pidfd_open:434:434 pidfd_send_signal:424:424
"""


def _numbers(table: str) -> dict[str, dict[str, int]]:
    numbers: dict[str, dict[str, int]] = {"x86_64": {}, "aarch64": {}}
    for entry in table.split():
        name, *found = entry.split(":")
        for of_machine, text in zip(numbers.values(), found, strict=True):
            if text != "-":
                of_machine[name] = int(text)
    return numbers


ALLOWED = tuple(entry.partition(":")[0] for entry in _FREE.split())
"""What needs no look at its arguments.

In this order: reading and writing what is open; finding files; changing directories, which Landlock
decides about; memory; threads; signals and timers of its own; waiting, and a pair of
sockets; facts.
"""

_NUMBERS = _numbers(_FREE + _OTHERS)


def machine() -> str:
    """Return the instruction set of this process, or an empty string if it is not listed here."""
    name = os.uname().machine if sys.platform == "linux" and sys.maxsize > 2**32 else ""
    return name if name in _NUMBERS else ""


def number(name: str, on: str = "") -> int | None:
    """Return the number of a system call, or None if this processor (or `on`) has no such call."""
    return _NUMBERS[on or machine()].get(name)
