import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, startOwned } from "../../agent/host/exec.js";
import { findProcesses, waitForExit } from "../../lib/process.js";
import { eventually } from "./eventually.js";
import { runTag } from "./run-tag.js";

/** A libvirt daemon of a test's own: sockets, state and settings are its own. Disposing of it ends it with all it has started. */
export interface TestLibvirt extends AsyncDisposable {
  /** Directory that everything of it is in. */
  readonly root: string;
  /** Connection URI of one of its hypervisors: `uri("test", "default")`. */
  uri(hypervisor: string, path: string): string;
  /** Runs virsh, as somebody else on the host would; resolves to what it prints. */
  virsh(uri: string, ...argv: string[]): Promise<string>;
  /** Lets it answer nobody, and again. */
  signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Ends it as a crash would. Nothing starts it before {@link restart}. */
  crash(): Promise<void>;
  restart(): Promise<void>;
}

/**
 * Starts it: in a mount namespace of its own, where /run/libvirt and /var/lib/libvirt are empty and /etc/libvirt has its own settings only, without the control groups that it
 * refuses, and below a warden that ends all it has started.
 */
export async function startLibvirt(): Promise<TestLibvirt> {
  for (const [program, name] of [
    ["/usr/sbin/libvirtd", "libvirt-daemon"],
    ["/usr/bin/virsh", "libvirt-clients"],
  ] as const)
    if (!existsSync(program)) throw new Error(`${program} is missing; install the package ${name}`);
  const root = await mkdtemp(join(tmpdir(), `${runTag}-v-`));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(root, { recursive: true, force: true }));
  const [sockets, goOn, settings] = [join(root, "s"), join(root, "go-on"), join(root, "libvirtd.conf")];
  await mkdir(sockets);
  await writeFile(goOn, "");
  await writeFile(
    settings,
    [`unix_sock_dir = "${sockets}"`, `auth_unix_rw = "none"`, `auth_unix_ro = "none"`, ""].join("\n"),
  );
  const qemuSettings = join(root, "qemu.conf");
  const qemuLines = [`stdio_handler = "file"`, `user = "root"`, `group = "root"`, "security_driver = []", ""];
  await writeFile(qemuSettings, qemuLines.join("\n"));
  // Its QEMU driver begins with a user that only Debian's libvirt-daemon-system makes, and does not start without, whatever the settings say.
  // What has ended is started again as long as the file is there; who ends it takes it away first.
  const script = `if mountpoint -q /sys/fs/cgroup/unified; then umount -l /sys/fs/cgroup/unified; fi
mkdir -p /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
for each in /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do mount -t tmpfs tmpfs "$each"; done
mkdir -p /etc/libvirt
mount -t tmpfs tmpfs /etc/libvirt
cp "$4" /etc/libvirt/qemu.conf
if ! grep -q '^libvirt-qemu:' /etc/passwd; then
  { cat /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin'; } >"$3/passwd"
  mount --bind "$3/passwd" /etc/passwd
fi
if ! grep -q '^libvirt-qemu:' /etc/group; then
  { cat /etc/group; echo 'libvirt-qemu:x:64055:'; } >"$3/group"
  mount --bind "$3/group" /etc/group
fi
while :; do
  if [ -e "$1" ]; then libvirtd -f "$2" -p "$3/pid" >>"$3/log" 2>&1; fi
  sleep 0.05
done`;
  const command = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"] as const;
  const child = startOwned([...command, goOn, settings, root, qemuSettings], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  undo.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const uri = (hypervisor: string, path: string) =>
    `${hypervisor}+unix:///${path}?socket=${join(sockets, "libvirt-sock")}`;
  const virsh = async (where: string, ...argv: string[]) =>
    (await run("virsh", ["-q", "-c", where, ...argv], { timeoutMs: 60_000 })).stdout.trim();
  const ready = () => eventually(() => virsh(uri("test", "default"), "uri"), 90_000);
  await ready().catch(async (error: unknown) => {
    const log = await readFile(join(root, "log"), "utf8").catch(() => "");
    throw new Error(`libvirtd does not start: ${log.slice(-2000)}`, { cause: error });
  });
  const find = async () => {
    const [found] = await findProcesses(
      (argv) => argv[0]?.endsWith("libvirtd") === true && argv.includes(settings) && !argv.includes("sh"),
    );
    if (found === undefined) throw new Error("libvirtd does not run");
    return found;
  };
  const owned = undo.move();
  return {
    root,
    uri,
    virsh,
    signal: async (signal) => void process.kill((await find()).pid, signal),
    crash: async () => {
      await rm(goOn);
      const found = await find();
      process.kill(found.pid, "SIGKILL");
      await waitForExit(found, 10_000);
    },
    restart: async () => {
      await writeFile(goOn, "");
      await ready();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
