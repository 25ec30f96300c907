import { arch } from "node:os";

/**
 * Processes that end with the one that started them, also when that is ended by SIGKILL. The kernel tells a child that its parent has
 * died (prctl(2), PR_SET_PDEATHSIG), which Node cannot ask for: so a few lines of Perl, which is on every Debian system (package
 * perl-base, essential), ask for it in the child before the program begins. See docs/decisions/0008-processes-that-end-with-their-parent.md.
 *
 * Only for processes started from the main thread: the kernel takes the end of the thread that started one for the end of its parent.
 */

/** A command line: program and arguments. */
export type CommandLine = [string, string[]];

/** How far a warden goes. */
export interface WardenOptions {
  /**
   * Processes below that have left the session of the program (setsid(2)) more often than this are left alone; default: none is. A
   * container runtime's command inside has a session of its own: with 1 it ends, and what it sent into the background with setsid stays.
   */
  readonly sessions?: number;
  /** What the program leaves behind when it ends is killed too, before the warden ends; default: it stays. */
  readonly whole?: boolean;
  /**
   * Directory of a control group (version 2, with cgroup.kill) in which the program gets one of its own: however fast it begins others,
   * all of them are ended at once. Where that cannot be made, and for what has left it, descendants are looked for. Default: none.
   */
  readonly group?: string;
}

/** What the control groups of programs are called; their warden's pid follows. */
export const ownedGroupPrefix = "zor-owned-";

/** Variables that make Perl do something else than it is told: to be left out, where not all are chosen one by one. */
export const ownedEnvironment: Readonly<Record<string, string | undefined>> = {
  PERL5OPT: undefined,
  PERL5LIB: undefined,
  PERL5DB: undefined,
  PERL_UNICODE: undefined,
  // A locale that is not installed is no reason to print four lines about it.
  PERL_BADLANG: "0",
};

/** Signal that ends a warden together with everything below it. SIGKILL would end the warden and the program, but not what that started. */
export const wardenEnd = "SIGTERM";

const perl = "perl";
/** prctl(2) by architecture. */
const prctl = arch() === "arm64" ? 167 : 157;
/** Exit code of a program that cannot be run; "zor-owned: ERRNO" is then the last line on standard error. */
const cannotRun = 127;

/** Asks for the signal, and looks whether the parent died before. */
const follow = `sub follow { syscall($prctl, 1, $_[0], 0, 0, 0); exit 125 if getppid() != $_[1] }`;
const become = `sub become { no warnings; exec { $_[0] } @_ or do { syswrite(STDERR, "zor-owned: ".($!+0)."\\n"); exit ${cannotRun} } }`;

const boundScript = `my ($prctl, $parent, @command) = @ARGV; $prctl += 0; ${follow} ${become} follow(9, $parent); become(@command);`;

/**
 * The warden: adopts whatever is orphaned below it (PR_SET_CHILD_SUBREAPER), so that nothing escapes by forking twice; ends all of it
 * when it is told to, or when its parent dies; otherwise ends as the program does. What begins others faster than they are ended is stopped
 * first, all of it: what is stopped begins nothing, and what is there leaves less and less room for more.
 */
const wardenScript = `my ($prctl, $parent, $sessions, $whole, $group, @command) = @ARGV; $prctl += 0; my $me = $$; ${follow} ${become}
sub put { open(my $file, ">", $_[0]) or return; syswrite($file, $_[1]) }
sub below {
  my (%children, %session);
  opendir(my $proc, "/proc") or return ();
  for my $pid (grep { /^[0-9]+$/ } readdir $proc) {
    open(my $file, "<", "/proc/$pid/stat") or next;
    my $stat = <$file>; next unless defined $stat;
    my ($state, $ppid, undef, $sid) = split / /, substr($stat, rindex($stat, ")") + 2);
    next if $state eq "Z" || $state eq "X";
    push @{$children{$ppid}}, $pid; $session{$pid} = $sid;
  }
  my (@found, @next); @next = map { [$_, $session{$me} // 0, 0] } @{$children{$me} || []};
  while (my $each = shift @next) {
    my ($pid, $sid, $left) = @$each;
    $left += 1 if $session{$pid} != $sid;
    next if $sessions >= 0 && $left > $sessions;
    push @found, $pid; push @next, map { [$_, $session{$pid}, $left] } @{$children{$pid} || []};
  }
  return @found;
}
sub clear {
  $SIG{TERM} = "IGNORE"; eval { setpriority(0, 0, -20) };
  put("$group/cgroup.kill", "1") if $group ne "";
  for my $round (1 .. 1000) {
    my @found = below() or last;
    if ($round > 3) {
      my (%stopped, @new);
      for (1 .. 1000) { @new = grep { !$stopped{$_}++ } @found or last; kill "STOP", @new; @found = below() }
    }
    kill "KILL", @found;
    1 while waitpid(-1, 1) > 0;
    select(undef, undef, undef, 0.005);
  }
  if ($group ne "") { for (1 .. 200) { last if rmdir($group); 1 while waitpid(-1, 1) > 0; select(undef, undef, undef, 0.005) } }
}
sub finish {
  exit 125 if $$ != $me;
  clear();
  $SIG{TERM} = "DEFAULT"; kill "TERM", $me; exit 143;
}
$SIG{TERM} = \\&finish; $SIG{$_} = "IGNORE" for qw(INT QUIT HUP);
follow(15, $parent); syscall($prctl, 36, 1, 0, 0, 0);
if ($group ne "") { $group .= "/${ownedGroupPrefix}$$"; $group = "" unless mkdir $group }
my $program = fork; exit 126 unless defined $program;
if ($program == 0) { put("$group/cgroup.procs", "0") if $group ne ""; $SIG{$_} = "DEFAULT" for qw(INT QUIT HUP TERM); follow(9, $me); become(@command) }
$0 = "zor-warden $command[0]";
close STDIN; close STDOUT; close STDERR;
my $status = 0;
for (;;) { my $pid = waitpid(-1, 0); if ($pid == $program) { $status = $?; last } last if $pid == -1 && $! != 4 }
clear() if $whole || $group ne "";
my $signal = $status & 127; exit($status >> 8) if $signal == 0;
syscall($prctl, 4, 0, 0, 0, 0); $SIG{$_} = "DEFAULT" for qw(INT QUIT HUP TERM); kill $signal, $me; exit 128 + $signal;`;

/**
 * Command line that runs a program which dies by SIGKILL with its parent. The pid is the program's own; what it starts in turn is its
 * own affair.
 */
export function boundCommand(file: string, argv: readonly string[]): CommandLine {
  return [perl, ["-e", boundScript, "--", String(prctl), String(process.pid), file, ...argv]];
}

/**
 * Command line that runs a program under a warden: with the parent's death, or by {@link wardenEnd}, the program and all its
 * descendants are killed. The pid is the warden's, which ends with the program's exit code or signal.
 */
export function wardedCommand(file: string, argv: readonly string[], options: WardenOptions = {}): CommandLine {
  const { sessions = -1, whole = false, group = "" } = options;
  const words = [String(prctl), String(process.pid), String(sessions), whole ? "1" : "0", group];
  return [perl, ["-e", wardenScript, "--", ...words, file, ...argv]];
}

/** Error number with which a program could not be run at all, told on standard error by what should have run it; undefined: it ran. */
export function findStartError(exitCode: number | undefined, stderr: string): number | undefined {
  if (exitCode !== cannotRun) return undefined;
  const told = /(?:^|\n)zor-owned: (\d+)\s*$/.exec(stderr)?.[1];
  return told === undefined ? undefined : Number(told);
}
