import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { freshName } from "../../helpers/run-tag.js";
import { CrunFixture, callOptions } from "./fixture.js";

/** errno(3) of x86-64. */
const [ok, EPERM, EAFNOSUPPORT, ENOSYS, EACCES, EROFS, ENOENT] = [0, 1, 97, 38, 13, 30, 2];

/** Attempts as perl expressions that are true when they succeed; numbers of system calls are those of x86-64. */
const attempts: readonly (readonly [string, string, number])[] = [
  ["a new user namespace", "call(272, 0x10000000)", EPERM],
  ["a new cgroup namespace", "call(272, 0x02000000)", EPERM],
  ["a new mount namespace", "call(272, 0x00020000)", EPERM],
  ["a new net namespace", "call(272, 0x40000000)", EPERM],
  ["a new time namespace", "call(272, 0x80)", EPERM],
  ["a child in a new user namespace", "child(56, 0x10000000 | 17)", EPERM],
  ["a child in a new cgroup namespace", "child(56, 0x02000000 | 17)", EPERM],
  ["a child in new user and mount namespaces", "child(56, 0x10020000 | 17)", EPERM],
  ["a child by clone3", 'child(435, pack("Q11", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88)', ENOSYS],
  ["entering a namespace", 'call(308, descriptor("/proc/1/ns/net"), 0)', EPERM],
  ["mounting cgroup version 1", 'call(165, "none", "/mnt", "cgroup", 0, "memory")', EPERM],
  ["mounting cgroup version 2", 'call(165, "none", "/mnt", "cgroup2", 0, 0)', EPERM],
  ["mounting another /proc", 'call(165, "proc", "/mnt", "proc", 0, 0)', EPERM],
  ["mounting another /sys", 'call(165, "sysfs", "/mnt", "sysfs", 0, 0)', EPERM],
  ["making /proc/sys writable", 'call(165, "none", "/proc/sys", 0, 0x1020, 0)', EPERM],
  ["taking the mount off /proc/sys", 'call(166, "/proc/sys", 2)', EPERM],
  ["the new way to mount", 'call(430, "cgroup2", 0)', EPERM],
  ["copying a mount", 'call(428, -100, "/proc", 1)', EPERM],
  ["changing a mount", 'call(442, -100, "/proc/sys", 0, pack("Q4", 0, 1, 0, 0), 32)', EPERM],
  ["another root", 'call(155, "/mnt", "/mnt")', EPERM],
  ["the kernel's keys", "call(250, 0, -3, 0)", EPERM],
  ["a new key", 'call(248, "user", "zor", "x", 1, -3)', EPERM],
  ["bpf", "call(321, 0, 0, 0)", EPERM],
  ["performance counters", "call(298, 0, 0, -1, -1, 0)", EPERM],
  ["io_uring", 'call(425, 1, "\\0" x 120)', EPERM],
  ["faults in user space", "call(323, 0)", EPERM],
  ["loading a module", 'call(175, "x", 1, "")', EPERM],
  ["loading a module from a file", 'call(313, descriptor("/init"), "", 0)', EPERM],
  ["removing a module", 'call(176, "zor", 0)', EPERM],
  ["another kernel", "call(246, 0, 0, 0, 0)", EPERM],
  ["setting the clock", 'call(227, 0, pack("q2", time, 0))', EPERM],
  ["setting the clock the old way", 'call(164, pack("q2", time, 0), 0)', EPERM],
  ["a restart of the machine", "call(169, 0xfee1dead, 672274793, 0, 0)", EPERM],
  ["swapping", 'call(167, "/mnt", 0)', EPERM],
  ["opening files by handle", 'call(304, -100, pack("I2", 8, 1) . "12345678", 0)', EPERM],
  ["process accounting", "call(163, 0)", EPERM],
  ["the kernel's log", "call(103, 3, 0, 0)", EPERM],
  ["the machine's ports", "call(173, 0x80, 1, 1)", EPERM],
  ["another host name", 'call(170, "evil", 4)', EPERM],
  ["memory of the machine", 'call(133, "/mem", 020600, 0x101)', EPERM],
  ["a disk of the machine", 'call(133, "/disk", 060600, 0x800)', EPERM],
  ["a socket to the hypervisor", "call(41, 40, 1, 0)", EAFNOSUPPORT],
  ["a socket to the kernel's ciphers", "call(41, 38, 5, 0)", EAFNOSUPPORT],
  ["a socket of a family with more than 32 bits", "call(41, 0x100000028, 1, 0)", EAFNOSUPPORT],
  ["a socket of an unknown family", "call(41, 4000, 1, 0)", EAFNOSUPPORT],
  ["a raised limit of open files", 'call(302, 0, 7, pack("Q2", 1000000, 1000000), 0)', EPERM],
  ["a better priority", "call(141, 0, 0, -5)", EACCES],
  ["real time", 'call(144, 0, 1, pack("i", 1))', EPERM],
  ["being spared when memory is short", 'put("/proc/self/oom_score_adj", "-1000")', EACCES],
  ["a program for everybody's core files", 'put("/proc/sys/kernel/core_pattern", "|/bin/sh")', EROFS],
  ["a magic key", 'put("/proc/sysrq-trigger", "h")', EROFS],
  ["memory of the machine by sysctl", 'put("/proc/sys/vm/drop_caches", "1")', EROFS],
  ["a switch of the machine in its net namespace", 'put("/proc/sys/net/netfilter/nf_hooks_lwtunnel", "1")', EROFS],
  ["files of the machine by sysctl", 'put("/proc/sys/fs/file-max", "1")', EROFS],
  ["a power state", 'put("/sys/power/state", "x")', EROFS],
  ["a fault of the kernel on purpose", 'put("/sys/kernel/profiling", "1")', EROFS],
  ["an own socket", "call(41, 2, 1, 0)", ok],
  ["an own packet socket", "call(41, 17, 3, 0)", ok],
  ["an own child", "child(56, 17)", ok],
  ["reading the clock's state", 'call(159, "\\0" x 208)', ok],
  ["tracing an own process", "trace()", ok],
  ["own forwarding", 'put("/proc/sys/net/ipv4/ip_forward", "1")', ok],
];

const library = `
$| = 1;
sub call { my ($number, @words) = @_; $! = 0; return syscall($number, @words) != -1; }
sub child {
  my $pid = syscall($_[0], @_[1..$#_], (0) x (5 - $#_));
  if ($pid == 0) { syscall(231, 0) }
  if ($pid > 0) { my $errno = $!; waitpid($pid, 0); $! = $errno; }
  return $pid > 0;
}
sub descriptor { open($opened{$_[0]}, "<", $_[0]) or die "$_[0]: $!"; return fileno($opened{$_[0]}); }
sub put { my ($path, $text) = @_; open(my $file, ">", $path) or return 0; my $done = syswrite($file, $text); return defined $done; }
sub trace {
  my $pid = fork();
  if ($pid == 0) { sleep 1000; syscall(231, 0); }
  my $done = call(101, 16, $pid, 0, 0); my $errno = $!;
  kill(9, $pid); waitpid($pid, 0); $! = $errno; return $done;
}
`;

/** Goes through sysctls: shows them, or sets every number to another and tells where that worked. */
const sysctls = `
sub walk {
  my ($directory, $use) = @_;
  opendir(my $handle, $directory) or return;
  for my $name (grep { !/^\\.\\.?$/ } readdir $handle) {
    my $path = "$directory/$name";
    if (-d $path) { walk($path, $use) } else { $use->($path) }
  }
}
sub value { open(my $file, "<", $_[0]) or return ""; my $text = <$file> // ""; chomp $text; return $text; }
sub show { print $_[0], " ", value($_[0]), "\\n"; }
sub change {
  my $was = value($_[0]);
  return unless $was =~ /^[0-9]+$/;
  my $new = $was eq "0" ? 1 : $was - 1;
  open(my $file, ">", $_[0]) or return;
  syswrite($file, $new);
  print "$_[0] $new\\n" if value($_[0]) eq $new;
}
`;

const before = captureMachine();
let world: CrunFixture;
beforeAll(async () => {
  world = await CrunFixture.make();
  const tree = await world.unpackWithPerl("hostile");
  const lines = attempts.map(([, code], index) => `print "${index} ", (${code} ? 0 : $!+0), "\\n";`);
  await writeFile(join(tree, "attempts.pl"), library + lines.join("\n"));
  await writeFile(join(tree, "library.pl"), `${library}1;`);
  await writeFile(join(tree, "elf32"), elf32(), { mode: 0o755 });
});
afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

async function running(options: Parameters<CrunFixture["create"]>[0] = {}) {
  const instance = await world.create({ rootfs: "hostile", command: ["/bin/sleep", "1000"], ...options });
  return { instance, handle: await world.start(instance) };
}

async function outcomes(instance: DriverInstance, handle: RecoveryHandle): Promise<Map<string, number>> {
  const text = await world.shell(instance, handle, "perl /attempts.pl");
  const found = [...text.matchAll(/^(\d+) (\d+)$/gm)].map(
    ([, index, errno]) => [Number(index), Number(errno)] as const,
  );
  return new Map(found.map(([index, errno]) => [attempts[index]?.[0] ?? "", errno]));
}

describe("a hostile container", () => {
  let results: Map<string, number>;
  beforeAll(async () => {
    const { instance, handle } = await running();
    results = await outcomes(instance, handle);
    await world.driver.stop(instance, handle);
  });

  it.each(attempts)("trying %s (%s) ends with errno %i", (what, _code, errno) => {
    // A kernel may be built without it.
    const refusals = errno === EROFS ? [EROFS, ENOENT] : [errno];
    expect(refusals).toContain(results.get(what));
  });

  it("finds the same walls when its host's policy gave it SYS_ADMIN, but for its own host name", async () => {
    const { instance, handle } = await running({ capabilities: { add: ["CAP_SYS_ADMIN"], drop: [] } });
    const more = await outcomes(instance, handle);
    await world.driver.stop(instance, handle);
    const opened = attempts.filter(([what]) => more.get(what) !== results.get(what)).map(([what]) => what);
    expect(opened).toEqual(["another host name"]);
  });

  it("sees no control groups and stays within its limits", async () => {
    const { instance, handle } = await running();
    const seen = await world.shell(
      instance,
      handle,
      "cat /proc/self/cgroup; grep cgroup /proc/mounts; ls /sys/fs/cgroup",
    );
    expect(seen.match(/:\/.+/g)).toBeNull();
    expect(seen).not.toMatch(/^cgroup/m);
    const greedy = `perl -e '$x = "x" x 300_000_000; print "got it"'; echo ended $?`;
    expect(await world.shell(instance, handle, greedy)).toBe("Killed\nended 137\n");
    await world.driver.stop(instance, handle);
  });

  it("writes to no file of /proc and /sys but those of its own processes and its net namespace", async () => {
    const { instance, handle } = await running({ capabilities: { add: ["SYS_ADMIN"], drop: [] } });
    const walk = `
      require "/library.pl";
      sub walk {
        my ($directory) = @_;
        return if $directory =~ m,^/proc/(\\d+|self|thread-self|sys/net)$,;
        opendir(my $handle, $directory) or return;
        for my $name (grep { !/^\\.\\.?$/ } readdir $handle) {
          my $path = "$directory/$name";
          next if -l $path;
          if (-d $path) { walk($path); next; }
          # What is hidden is a mount of /dev/null.
          next if (stat $path)[6] == 0x103;
          # An empty write is refused where there is nothing to write to.
          if (sysopen(my $file, $path, 1) && defined syswrite($file, "")) { print "$path\\n"; }
        }
      }
      walk("/proc"); walk("/sys");`;
    const written = await world.shell(instance, handle, `cat >/walk.pl <<'END'\n${walk}\nEND\nperl /walk.pl`);
    await world.driver.stop(instance, handle);
    // Pressure: a process asks there to be told; it changes nothing.
    expect(written.split("\n").filter((path) => path !== "" && !path.startsWith("/proc/pressure/"))).toEqual([]);
  });

  it("changes no setting of the host through the sysctls of its net namespace", async () => {
    const { instance, handle } = await running();
    const settings = async () =>
      new Map((await run("perl", ["-e", `${sysctls} walk("/proc/sys/net", \\&show)`])).stdout.split("\n").map(split));
    const before = await settings();
    const change = `perl -e '${sysctls} walk("/proc/sys/net", \\&change)'`;
    const changed = new Map((await world.shell(instance, handle, change)).split("\n").map(split));
    const after = await settings();
    await world.driver.stop(instance, handle);
    expect([...changed.keys()]).toContain("/proc/sys/net/ipv4/ip_forward");
    // The host may change its own meanwhile, but not to what was written inside.
    const reached = [...changed].filter(
      ([path, value]) => before.get(path) !== after.get(path) && after.get(path) === value,
    );
    expect(reached.filter(([path]) => path !== "")).toEqual([]);
  });

  it.each([
    // Not by the shell, which reads it as a script where the kernel runs no such programs.
    [
      "of 32 bits",
      `perl -e '$p = "/elf32"; $a = pack("pQ", $p, 0); $e = pack("Q", 0); syscall(59, $p, $a, $e); exit 126'`,
    ],
    ["with the calls of x32", "perl -e 'syscall(0x40000000 + 39)'"],
  ])("is ended by SIGSYS in a program %s, whose calls cannot be told apart as well", async (_what, program) => {
    const { instance, handle } = await running();
    // 126: the kernel runs none.
    expect(await world.shell(instance, handle, `${program}; echo $?`)).toMatch(/\b(159|126)\n$/);
    await world.driver.stop(instance, handle);
  });

  it("does not reach the host's abstract sockets", async () => {
    const name = `\0${freshName()}`;
    const server = createServer().listen(name);
    const { instance, handle } = await running();
    const address = `pack("S", 1) . "\\0${name.slice(1)}"`;
    const connect = `$a = ${address}; print syscall(42, syscall(41, 1, 1, 0), $a, length $a), " ", $!+0`;
    const local = createConnection(name);
    await once(local, "connect");
    local.destroy();
    expect(await world.shell(instance, handle, `perl -e '${connect}'`)).toBe("-1 111");
    await world.driver.stop(instance, handle);
    server.close();
  });
});

describe("what a spec and the host's policy give a container", () => {
  const held = "grep -E '^Cap(Prm|Eff|Bnd|Amb|Inh)' /proc/self/status";
  it.each([
    ["the default capabilities", undefined, (0xa8_04_35_fbn & ~(1n << 27n)) | (1n << 12n)],
    ["none", { add: [], drop: ["all"] }, 0n],
    ["one of the default ones only", { add: ["net_raw"], drop: ["ALL"] }, 1n << 13n],
    ["one that the policy allows", { add: ["CAP_SYS_TIME"], drop: ["ALL"] }, 1n << 25n],
  ])("%s", async (_what, capabilities, mask) => {
    const { instance, handle } = await running({ ...(capabilities === undefined ? {} : { capabilities }) });
    const expected = mask.toString(16).padStart(16, "0");
    const none = "0".repeat(16);
    const first = await world.shell(instance, handle, "grep -E '^Cap(Prm|Eff|Bnd|Amb|Inh)' /proc/1/status");
    const later = await world.shell(instance, handle, held);
    await world.driver.stop(instance, handle);
    const wanted = { CapInh: none, CapPrm: expected, CapEff: expected, CapBnd: expected, CapAmb: none };
    for (const text of [first, later]) expect(Object.fromEntries(text.trim().split("\n").map(split))).toEqual(wanted);
  });

  it.each([
    ["SYS_MODULE", "POLICY", /does not allow the capability SYS_MODULE.*containerCapabilities/],
    ["MKNOD", "POLICY", /MKNOD/],
  ])("is not %s, which the policy does not allow", async (name, reason, message) => {
    const instance = await world.define({ capabilities: { add: [name], drop: [] } });
    await expect(world.driver.validate(instance.spec)).rejects.toMatchObject({
      code: 9,
      reason,
      message: expect.stringMatching(message),
    });
    // The policy may have become narrower since the container was created.
    await world.driver.create(instance, callOptions);
    await expect(world.start(instance)).rejects.toMatchObject({ reason });
  });

  it("sysctls before its command starts, and files, priorities and limits of its own", async () => {
    const sysctls = { "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0\t7" };
    const show = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range; grep files /proc/self/limits";
    const instance = await world.create({ sysctls, command: ["/bin/sh", "-c", `{ ${show}; } >/shown; sleep 1000`] });
    const handle = await world.start(instance);
    await eventually(async () => {
      expect(await world.shell(instance, handle, "cat /shown")).toMatch(/^1\n0\s+7\nMax open files +1024 /);
    });
    await world.driver.stop(instance, handle);
  });

  it("no start with a sysctl that the kernel does not have, and says which", async () => {
    const instance = await world.create({ sysctls: { "net.ipv4.no_such": "1" } });
    await expect(world.start(instance)).rejects.toThrow(/net.ipv4.no_such/);
  });
});

/** The smallest program for i386 that makes a system call, getpid(2), and ends with 0. */
function elf32(): Buffer {
  const [base, code] = [0x0804_8000, Buffer.from("b814000000cd80b80100000031dbcd80", "hex")];
  const [header, segment] = [Buffer.alloc(52), Buffer.alloc(32)];
  const size = header.length + segment.length + code.length;
  header.write("7f454c46010101", 0, "hex");
  // Executable, i386, version, entry, program headers at 52; sizes of the headers, one program header.
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(3, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(base + header.length + segment.length, 24);
  header.writeUInt32LE(header.length, 28);
  for (const [value, at] of [
    [52, 40],
    [32, 42],
    [1, 44],
  ] as const)
    header.writeUInt16LE(value, at);
  // Load all of the file, to be read and executed.
  for (const [index, value] of [1, 0, base, base, size, size, 5, 0x1000].entries())
    segment.writeUInt32LE(value, index * 4);
  return Buffer.concat([header, segment, code]);
}

function split(line: string): [string, string] {
  const [name = "", ...rest] = line.split(/[:\s]+/);
  return [name, rest.join(" ")];
}
