import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../../helpers/container-engine.js";
import { runTag } from "../../helpers/run-tag.js";
import { ReachRig } from "../../integration/reach/rig.js";

const rootfs = "/var/lib/zor/images/micro/rootfs.tar";

/** A hub, an agent beside a Docker engine and a podman service, and zor that leads to the hub. */
export class EngineRig implements AsyncDisposable {
  readonly reach: ReachRig;
  readonly engines: Readonly<Record<TestEngine["kind"], TestEngine>>;
  /** Directory of the host; of what is in it the agent lets containers have "data", and read "ro". */
  readonly shared: string;

  private constructor(reach: ReachRig, engines: EngineRig["engines"], shared: string) {
    this.reach = reach;
    this.engines = engines;
    this.shared = shared;
  }

  /** @param more settings of the agent; may need a directory to put something in. */
  static async start(more: (shared: string) => Promise<object> = async () => ({})): Promise<EngineRig> {
    await using undo = new AsyncDisposableStack();
    const [docker, podman] = [undo.use(await startEngine("docker")), undo.use(await startEngine("podman"))];
    const shared = await mkdtemp(join(tmpdir(), `${runTag}-m-`));
    undo.defer(() => rm(shared, { recursive: true }));
    await mkdir(join(shared, "data", "below"), { recursive: true });
    await mkdir(join(shared, "ro"));
    const settings = {
      dockerSocket: docker.socketPath,
      podmanSocket: podman.socketPath,
      containerMounts: [join(shared, "data"), `${join(shared, "ro")}:ro`],
      containerDevices: ["/dev/full"],
      ...(await more(shared)),
    };
    const file = join(shared, "agent.yaml");
    await writeFile(file, JSON.stringify(settings));
    const reach = await ReachRig.start(["--config", file]);
    await reach.createLan("lan1");
    undo.move();
    return new EngineRig(reach, { docker, podman }, shared);
  }

  /** Runs zor; resolves to what it prints. @throws {Error} with what it complains of. */
  async zor(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.reach.zor(...argv);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  /** Makes what is somebody else's in an engine, with names and labels that look like ours. */
  async makeForeign(kind: TestEngine["kind"]): Promise<void> {
    const { cli } = this.engines[kind];
    await cli("import", rootfs, "other:1");
    await cli("import", rootfs, "zorhub.local/mine:1");
    const walls = [
      "--network",
      "none",
      ...(kind === "podman" ? ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"] : []),
    ];
    await cli("create", "--name", "other", ...walls, "--label", "zorhub.uid=stranger", "other:1", "/init");
    await cli("run", "--detach", "--name", "works", ...walls, "other:1", "/bin/sleep", "100000");
    await cli("volume", "create", "precious");
  }

  /** All that an engine has, as somebody at the engine sees it. */
  async inventoryOf(kind: TestEngine["kind"]): Promise<Readonly<Record<string, readonly string[]>>> {
    const lines = async (...argv: string[]) => (await this.engines[kind].cli(...argv)).split("\n").sort();
    return {
      containers: await lines("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}"),
      images: await lines("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"),
      volumes: await lines("volume", "ls", "--format", "{{.Name}}"),
      networks: await lines("network", "ls", "--format", "{{.Name}}"),
    };
  }

  /** Id of the container of an instance, as somebody at the engine finds it. */
  containerOf(kind: TestEngine["kind"], id: string): Promise<string> {
    const filter = `label=zorhub.instance=hosts/zt/instances/${id}`;
    return this.engines[kind].cli("ps", "--all", "--quiet", "--no-trunc", "--filter", filter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reach[Symbol.asyncDispose]();
    for (const engine of Object.values(this.engines)) await engine[Symbol.asyncDispose]();
    await rm(this.shared, { recursive: true });
  }
}
