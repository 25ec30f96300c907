import type { ContainerCapability } from "../containers/capabilities.js";

/**
 * System calls that a container may make, by what they are about: those that act on the caller's own processes, files, memory
 * and sockets. A call that is in none of these lists does not exist for a container (ENOSYS): a kernel's new calls stay closed
 * until somebody has looked at them, and C libraries fall back to older ones.
 */
export const allowedSystemCalls: readonly string[] = words(`
  access brk cachestat chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr
  fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat ioctl lchown lgetxattr link linkat
  listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at newfstatat
  open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
  removexattrat rename renameat renameat2 rmdir sendfile setxattr setxattrat splice stat statfs statx symlink symlinkat sync
  sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev

  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
  io_setup io_submit pipe pipe2 poll ppoll pselect6 select signalfd signalfd4

  madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync
  munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages

  arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake
  get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid
  getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
  landlock_restrict_self modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease process_vm_readv
  process_vm_writev ptrace restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
  sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
  sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority
  setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill tkill uname vfork wait4 waitid

  accept accept4 bind connect getpeername getrandom getsockname getsockopt listen mq_getsetattr mq_notify mq_open
  mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop semtimedop
  sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair

  adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time
  timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times

  uretprobe
`);

/**
 * System calls that reach what no namespace separates, take namespaces and mounts apart, or are a large target in the kernel:
 * refused with EPERM, which programs expect of them. What is opened by a capability is in {@link systemCallsOf}.
 */
export const refusedSystemCalls: readonly string[] = words(`
  add_key keyctl request_key
  fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root umount2
  setns unshare
  io_uring_enter io_uring_register io_uring_setup
  kexec_file_load kexec_load swapoff swapon userfaultfd
  migrate_pages move_pages nfsservctl sysfs uselib ustat vserver
`);

/** Refused ones that an init which keeps services apart needs; only where they harm nobody outside, or the agent allows everything. */
export const systemCallsOfInit: readonly string[] = words(`
  fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root umount2
  setns unshare add_key keyctl request_key
`);

/**
 * System calls that a capability opens, refused without it. Those that mount, and those that enter or make namespaces, are not
 * among them, not even for SYS_ADMIN: with them a container would undo every other wall.
 */
export const systemCallsOf: Readonly<Partial<Record<ContainerCapability, readonly string[]>>> = {
  BPF: ["bpf"],
  DAC_READ_SEARCH: ["open_by_handle_at"],
  PERFMON: ["perf_event_open"],
  SYS_ADMIN: words("fanotify_init lookup_dcookie quotactl quotactl_fd setdomainname sethostname syslog"),
  SYS_BOOT: ["reboot"],
  SYS_CHROOT: ["chroot"],
  SYS_MODULE: words("delete_module finit_module init_module"),
  SYS_NICE: words("get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
  SYS_PACCT: ["acct"],
  SYS_PTRACE: words("kcmp pidfd_getfd process_madvise"),
  SYS_RAWIO: words("ioperm iopl"),
  SYS_TIME: words("clock_settime settimeofday"),
  SYS_TTY_CONFIG: ["vhangup"],
  SYSLOG: ["syslog"],
};

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
