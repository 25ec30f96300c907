import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, startOwned } from "../../agent/host/exec.js";
import { findProcesses, isAlive, type ProcessIdentity, waitForExit } from "../../lib/process.js";
import { eventually } from "./eventually.js";
import { runTag } from "./run-tag.js";

/** A container engine of a test's own, in directories of its own. Disposing of it ends it with all its containers. */
export interface TestEngine extends AsyncDisposable {
  readonly kind: "docker" | "podman";
  readonly socketPath: string;
  /** Runs the docker command against it, as somebody else on the host would; resolves to what it prints. */
  cli(...argv: string[]): Promise<string>;
  /** The engine itself: Docker's daemon or podman's service. */
  process(): Promise<ProcessIdentity>;
  /** Ends the engine as a crash would; its containers go on. Nothing starts it again before {@link restart}. */
  crash(): Promise<void>;
  restart(): Promise<void>;
}

/** Debian package of each. */
const programs = { docker: "dockerd", podman: "podman" } as const;
const packages = { docker: "docker.io", podman: "podman" } as const;

/** Why an engine cannot be tested here; undefined when it can. */
function missingEngine(kind: TestEngine["kind"]): string | undefined {
  const wanted = kind === "podman" ? [programs.podman, "docker"] : [programs.docker, "docker"];
  const absent = wanted.find((name) => !["/usr/bin", "/usr/sbin"].some((where) => existsSync(join(where, name))));
  return absent === undefined
    ? undefined
    : `${absent} is missing; install the package ${packages[absent === "podman" ? "podman" : "docker"]}`;
}

/**
 * Starts an engine: in a mount namespace of its own, so that its mounts end with it, without the control groups that crun refuses,
 * and below a warden that ends all it has started.
 */
export async function startEngine(kind: TestEngine["kind"]): Promise<TestEngine> {
  const missing = missingEngine(kind);
  if (missing !== undefined) throw new Error(missing);
  // Sockets have short paths.
  const root = await mkdtemp(join(tmpdir(), `${runTag}-e-`));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeAll(root));
  const socketPath = join(root, "s");
  const goOn = join(root, "go-on");
  await writeFile(goOn, "");
  const command = kind === "docker" ? await dockerCommand(root) : await podmanCommand(root);
  // Ended engines are started again as long as the file is there; who ends one takes it away first.
  const loop = `if mountpoint -q /sys/fs/cgroup/unified; then umount -l /sys/fs/cgroup/unified; fi
go_on=$1; log=$2; shift 2
while :; do
  if [ -e "$go_on" ]; then "$@" >>"$log" 2>&1; fi
  sleep 0.05
done`;
  const unshare = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", loop, "sh"] as const;
  const child = startOwned([...unshare, goOn, join(root, "log"), ...command], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  undo.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  const cli = async (...argv: string[]) =>
    (await run("docker", ["-H", `unix://${socketPath}`, ...argv], { timeoutMs: 60_000 })).stdout.trim();
  const ready = () => eventually(() => cli("version", "--format", "{{.Server.Version}}"), 90_000);
  await ready().catch(async (error: unknown) => {
    throw new Error(
      `${kind} does not start: ${(await readFile(join(root, "log"), "utf8").catch(() => "")).slice(-2000)}`,
      { cause: error },
    );
  });
  const findEngine = async (): Promise<ProcessIdentity> => {
    const [found] = await findProcesses(
      (argv) =>
        argv[0]?.endsWith(programs[kind]) === true &&
        argv.some((argument) => argument.endsWith(`unix://${socketPath}`)),
    );
    if (found === undefined) throw new Error(`${kind} does not run`);
    return found;
  };
  const rest = undo.move();
  return {
    kind,
    socketPath,
    cli,
    process: findEngine,
    crash: async () => {
      await rm(goOn);
      const identity = await findEngine();
      if (await isAlive(identity)) process.kill(identity.pid, "SIGKILL");
      await waitForExit(identity, 10_000);
    },
    restart: async () => {
      await writeFile(goOn, "");
      await ready();
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function dockerCommand(root: string): Promise<string[]> {
  const config = join(root, "daemon.json");
  await writeFile(config, "{}");
  return [
    "dockerd",
    `--config-file=${config}`,
    `--data-root=${join(root, "data")}`,
    `--exec-root=${join(root, "exec")}`,
    `--pidfile=${join(root, "pid")}`,
    `--host=unix://${join(root, "s")}`,
    "--iptables=false",
    "--ip6tables=false",
    // It would set it for the whole host, while others look at that.
    "--ip-forward=false",
    "--bridge=none",
    "--live-restore",
    `--cgroup-parent=/${groupOf(root)}`,
  ];
}

async function podmanCommand(root: string): Promise<string[]> {
  const directory = (name: string) => join(root, name);
  await mkdir(directory("tmp"));
  // No more than the agent of the test may have itself.
  const containers = `[engine]
runtime = "crun"
events_logger = "file"
cgroup_manager = "cgroupfs"
tmp_dir = "${directory("tmp")}"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
cgroup_parent = "/${groupOf(root)}"
[network]
network_config_dir = "${directory("networks")}"
`;
  const storage = `[storage]
driver = "overlay"
graphroot = "${directory("data")}"
runroot = "${directory("run")}"
`;
  await writeFile(directory("containers.conf"), containers);
  await writeFile(directory("storage.conf"), storage);
  await writeFile(directory("registries.conf"), `[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n`);
  const files = [
    "CONTAINERS_CONF=containers.conf",
    "CONTAINERS_STORAGE_CONF=storage.conf",
    "CONTAINERS_REGISTRIES_CONF=registries.conf",
  ];
  const env = files.map((each) => each.replace("=", `=${root}/`));
  const roots = [`--root=${directory("data")}`, `--runroot=${directory("run")}`, `--tmpdir=${directory("tmp")}`];
  return ["env", ...env, "podman", ...roots, "system", "service", "--time=0", `unix://${directory("s")}`];
}

/** Control group of all containers of an engine. */
function groupOf(root: string): string {
  return `${root.slice(root.lastIndexOf("/") + 1)}`;
}

async function removeAll(root: string): Promise<void> {
  const hierarchies = await readdir("/sys/fs/cgroup").catch(() => []);
  for (const hierarchy of hierarchies) await removeGroup(join("/sys/fs/cgroup", hierarchy, groupOf(root)));
  await rm(root, { recursive: true, force: true });
}

/** Control groups go when nothing is in them, the lowest first. */
async function removeGroup(path: string): Promise<void> {
  const below = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of below) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  await rmdir(path).catch(() => undefined);
}
