import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { type RealRegistry, startRegistry } from "../../helpers/docker-registry.js";
import { eventually } from "../../helpers/eventually.js";
import { EngineRig } from "./rig.js";

const login = { username: "lab", password: "s3cret-of-the-lab" };
let rig: EngineRig;
let registry: RealRegistry;
let passwordFile: string;

beforeAll(async () => {
  registry = await startRegistry();
  rig = await EngineRig.start(async (shared) => {
    passwordFile = join(shared, "password");
    await writeFile(passwordFile, `${login.password}\n`);
    await makeArchive(shared);
    const username = login.username;
    return {
      imageDirs: [join(shared, "images"), "/var/lib/zor/images"],
      registries: [{ images: `${registry.address}/lab`, username, passwordFile }],
    };
  });
  const { cli } = rig.engines.docker;
  await cli(
    "import",
    "--change",
    'CMD ["/init"]',
    join(rig.shared, "images", "big.tar"),
    `${registry.address}/lab/big:1`,
  );
  await cli("push", `${registry.address}/lab/big:1`);
  await cli("rmi", `${registry.address}/lab/big:1`);
  await registry.lock(login);
  const spec = { crun: { rootfs: "micro" }, nics: [{ lan: "lan1", addresses: ["10.9.2.9/24"] }] };
  await rig.reach.create("peer", spec);
}, 180_000);

afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const zor = (...argv: string[]) => rig.zor(...argv);

/** A root filesystem that takes its time: 96 MiB of what cannot be compressed. */
async function makeArchive(shared: string): Promise<void> {
  const [images, more] = [join(shared, "images"), join(shared, "more")];
  await mkdir(images);
  await mkdir(more);
  await writeFile(join(more, "noise"), randomBytes(96 * 2 ** 20));
  await writeFile(join(images, "big.tar"), await readFile("/var/lib/zor/images/micro/rootfs.tar"));
  await run("tar", ["--append", `--file=${join(images, "big.tar")}`, `--directory=${more}`, "noise"]);
}

/** What an engine has of ours. */
async function oursIn(kind: "docker" | "podman"): Promise<readonly string[]> {
  const { cli } = rig.engines[kind];
  const containers = await cli("ps", "--all", "--format", "{{.Names}}");
  const images = await cli("images", "--format", "{{.Repository}}:{{.Tag}}");
  return [...containers.split("\n"), ...images.split("\n")].filter((name) => /^zor-|zorhub\.local/.test(name));
}

/** Every file below a directory. */
async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe.each(["docker", "podman"] as const)("%s", (kind) => {
  const [id, address] = kind === "docker" ? ["d1", "10.9.2.1"] : ["p1", "10.9.2.2"];
  const name = `zt/${id}`;
  const create = (what: string, ...flags: string[]) =>
    zor("create", "instance", `zt/${what}`, "--driver", kind, ...flags);
  const stateOf = async (): Promise<string> => await zor("get", "instances", name);

  it("fetches from a real registry what policy and login allow, tells how far it is, and keeps the password to itself", async () => {
    const image = ["--image", `${registry.address}/lab/big:1`, "--pull", "always"];
    await writeFile(passwordFile, "wrong\n");
    await expect(create("no1", ...image)).rejects.toThrow(/could not fetch/);
    await writeFile(passwordFile, `${login.password}\n`);
    await expect(create("no2", "--image", `${registry.address}/other/big:1`)).rejects.toThrow(/registries setting/);
    const nic = ["--persistent", "--nic", `lan=lan1,addr=${address}/24`];
    const made = await rig.reach.zor("create", "instance", name, "--driver", kind, ...image, ...nic);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("fetching the image") });
    await eventually(() => rig.reach.shell("peer", `ping -c 1 -W 1 ${address} >/dev/null && echo yes`).then(String));
    const encoded = Buffer.from(login.password).toString("base64").slice(0, 16);
    const secret = new RegExp(`${login.password}|${encoded}`);
    expect(await zor("get", "instances", name, "-o", "json")).not.toMatch(secret);
    expect(rig.reach.agent.log).not.toMatch(secret);
    for (const state of [rig.reach.agent.state, rig.reach.hub.state])
      for (const file of await filesBelow(state)) {
        // What is larger is a disk or an image.
        const isSmall = (await stat(file)).size < 16 * 2 ** 20;
        if (isSmall) expect(secret.test(await readFile(file, "latin1")), file).toBe(false);
      }
  });

  it("has the wires of a container back within 3 s after somebody restarted it", async () => {
    const container = await rig.containerOf(kind, id);
    for (let turn = 0; turn < 3; turn += 1) {
      await rig.engines[kind].cli("restart", "--time", "0", container);
      const startMs = performance.now();
      const script = `until ping -c 1 -W 1 ${address} >/dev/null 2>&1; do sleep 0.05; done; echo back`;
      expect(await rig.reach.shell("peer", script)).toBe("back\n");
      const tookMs = Math.round(performance.now() - startMs);
      console.info(`${kind}: ${tookMs} ms`);
      expect(tookMs).toBeLessThan(3000);
    }
  });

  it("hangs: nobody waits for it, its containers are unknown and go on, and it is taken up again by itself", async () => {
    const engine = await rig.engines[kind].process();
    process.kill(engine.pid, "SIGSTOP");
    try {
      await eventually(async () => expect(await stateOf()).toMatch(/UNKNOWN/), 20_000);
      const described = await zor("describe", "instance", name);
      expect(described).toMatch(/does not answer/);
      expect(described).toMatch(/restart it/);
      const startMs = performance.now();
      for (const call of [
        ["stop", name],
        ["pause", name],
        ["exec", name, "--", "true"],
      ])
        await expect(zor(...call)).rejects.toThrow(/does not answer|is unknown/);
      await expect(create("no3", "--image", "micro")).rejects.toThrow(/does not answer/);
      expect(performance.now() - startMs).toBeLessThan(20_000);
      expect(await rig.reach.shell("peer", `ping -c 3 -W 1 ${address} | grep -c 'bytes from'`)).toBe("3\n");
    } finally {
      process.kill(engine.pid, "SIGCONT");
    }
    await eventually(async () => expect(await stateOf()).toContain("RUNNING"), 20_000);
    expect(await rig.reach.shell(id, "hostname")).toBe(`${id}\n`);
  });

  it("is killed: the error says what to do, containers go on, and it is taken up again by itself", async () => {
    await rig.engines[kind].crash();
    await eventually(async () => expect(await stateOf()).toMatch(/UNKNOWN/), 20_000);
    await expect(create("no4", "--image", "micro")).rejects.toThrow(new RegExp(`${kind} does not run.*start it again`));
    expect(await rig.reach.shell("peer", `ping -c 3 -W 1 ${address} | grep -c 'bytes from'`)).toBe("3\n");
    await rig.engines[kind].restart();
    await eventually(async () => expect(await stateOf()).toContain("RUNNING"), 20_000);
    expect(await rig.reach.shell(id, "hostname")).toBe(`${id}\n`);
  });

  it("is killed while something is created or fetched: nothing of that is left or appears", async () => {
    const before = await oursIn(kind);
    const ways = [
      ["--image", "file:big.tar"],
      ["--image", `${registry.address}/lab/big:1`, "--pull", "always"],
      ["--image", "micro"],
    ];
    for (const [turn, way] of [...ways, ...ways].entries()) {
      const creating = create("cut", ...way).then(
        () => "made",
        (error: unknown) => String(error),
      );
      await new Promise((resolve) => setTimeout(resolve, 150 * (turn + 1)));
      await rig.engines[kind].crash();
      const end = await creating;
      await rig.engines[kind].restart();
      if (end === "made") await zor("delete", "instance", "zt/cut", "--force", "--yes");
      else expect(end).toMatch(/does not run|may have ended|does not answer|could not fetch|ended|refused to/);
    }
    expect(await zor("get", "instances")).not.toContain("cut");
    await eventually(async () => expect(await oursIn(kind)).toEqual(before), 30_000);
    await eventually(async () => expect(await stateOf()).toContain("RUNNING"), 20_000);
    const debts = () => readdir(join(rig.reach.agent.state, `${kind}-debts`)).catch(() => []);
    await eventually(async () => expect(await debts()).toEqual([]), 60_000);
    await create("cut", "--image", "micro");
    await zor("delete", "instance", "zt/cut", "--force", "--yes");
  });
});
