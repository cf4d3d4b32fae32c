"""Names of system calls, by what they are for: the table behind ``seccomp``.

The decisions are those of ``contrib/seccomp/seccomp_default.go`` in containerd v2.3.4. Names that a kernel or a
libseccomp does not know yet are harmless: the runtime passes over them. What is absent here is refused: everything
about other namespaces, mounts, modules, keys (``keyctl``), ``userfaultfd`` and ``io_uring_*``.
"""

from __future__ import annotations

ALWAYS = {
    "processes": """
        execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid gettid getpgid getpgrp getsid
        setpgid setsid set_tid_address prctl seccomp getcpu restart_syscall pidfd_open pidfd_send_signal
        process_mrelease map_shadow_stack uretprobe
        landlock_add_rule landlock_create_ruleset landlock_restrict_self
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr
        get_thread_area set_thread_area get_robust_list set_robust_list rseq membarrier
    """,
    "identity": """
        getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
        getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid
        setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset
    """,
    "limits": """
        getrlimit ugetrlimit setrlimit prlimit64 getrusage getpriority setpriority ioprio_get ioprio_set
        sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
        sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval sched_rr_get_interval_time64 sched_yield
    """,
    "signals": """
        kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn signalfd signalfd4
        pause
    """,
    "memory": """
        brk mmap mmap2 munmap mremap mprotect msync mseal madvise mincore mlock mlock2 mlockall munlock munlockall
        remap_file_pages memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect cachestat
    """,
    "synchronization": """
        futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue
        ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
        mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
        mq_unlink eventfd eventfd2
    """,
    "time": """
        time times gettimeofday adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
        clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep alarm getitimer setitimer
        timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
        timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
    """,
    "paths": """
        access faccessat faccessat2 chdir fchdir getcwd chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32
        fchownat lchown lchown32 creat open openat openat2 link linkat symlink symlinkat readlink readlinkat
        mkdir mkdirat mknod mknodat rename renameat renameat2 rmdir unlink unlinkat umask utime utimes futimesat
        utimensat utimensat_time64 truncate truncate64 name_to_handle_at
        stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64
        statmount listmount getdents getdents64
        getxattr getxattrat lgetxattr fgetxattr setxattr setxattrat lsetxattr fsetxattr listxattr listxattrat
        llistxattr flistxattr removexattr removexattrat lremovexattr fremovexattr
        inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark
    """,
    "descriptors": """
        read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range
        dup dup2 dup3 pipe pipe2 fcntl fcntl64 ioctl flock fallocate fadvise64 fadvise64_64 ftruncate ftruncate64
        fsync fdatasync sync syncfs sync_file_range readahead sendfile sendfile64 splice tee vmsplice copy_file_range
        poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64
    """,
    "network": """
        socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
        send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
    """,
    "machine": "uname sysinfo getrandom",
}
"""Allowed whatever the arguments, capabilities, kernel and architecture."""

TRACING = "process_vm_readv process_vm_writev ptrace"
"""Allowed to all from Linux 4.8: before, tracers could go around a filter."""

WITH_CAPABILITY = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": f"kcmp pidfd_getfd process_madvise {TRACING}",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}
"""Allowed to whom the bounding set leaves the capability that the kernel asks for."""

_ARM = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
_S390 = "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"

ON_ARCHITECTURE = {
    "386": "modify_ldt",
    "amd64": "arch_prctl modify_ldt",
    "arm": _ARM,
    "arm64": _ARM,
    "ppc64le": "sync_file_range2 swapcontext",
    "riscv64": "riscv_flush_icache riscv_hwprobe",
    "s390": _S390,
    "s390x": _S390,
}
"""Allowed on one kind of machine, by Go's names of architectures."""
