import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine } from "../../helpers/container-engine.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { freshName } from "../../helpers/run-tag.js";
import { makeDirectory, makePackages } from "./package-rig.js";

let place: Awaited<ReturnType<typeof makeDirectory>>;
let image: string;

beforeAll(async () => {
  place = await makeDirectory();
  [image = ""] = await makePackages("oci", place.path);
}, 900_000);
afterAll(() => place[Symbol.asyncDispose]());

describe.each(["docker", "podman"] as const)("%s", (kind) => {
  it("loads the image, runs the hub as nobody else, and keeps what it knows in a volume", async () => {
    await using engine = await startEngine(kind);
    await engine.cli("load", "--input", image);
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const [api, join, reverse, relay] = ports.map((port) => `127.0.0.1:${port}`);
    const listens = [
      `--listen=${api}`,
      `--join-listen=${join}`,
      `--reverse-listen=${reverse}`,
      `--relay-listen=${relay}`,
    ];
    const walls = [
      "--network=host",
      "--read-only",
      "--tmpfs=/tmp",
      "--cap-drop=ALL",
      "--security-opt=no-new-privileges",
    ];
    const volume = freshName();
    const start = async () => {
      const name = freshName();
      const state = `--volume=${volume}:/var/lib/zor/hub`;
      const command = ["hub", "run", "--state=/var/lib/zor/hub", ...listens];
      await engine.cli("run", "--detach", `--name=${name}`, ...walls, state, "localhost/zorhub-hub:0.1.0", ...command);
      const zor = (...argv: readonly string[]) => engine.cli("exec", name, "zor", ...argv);
      await eventually(async () => {
        expect(await engine.cli("exec", name, "sh", "-c", "test -d /var/lib/zor/hub/admin && id --user")).toBe("7440");
        await zor("context", "add", name, "--address", `${api}`, "--identity", "/var/lib/zor/hub/admin", "--use");
        await zor("get", "hosts");
      });
      return { name, zor };
    };
    const first = await start();
    await first.zor("host", "add", "h1", "--address", "192.0.2.1:7443");
    await engine.cli("stop", "--time=30", first.name);
    expect(await engine.cli("inspect", "--format", "{{.State.ExitCode}}", first.name)).toBe("0");
    await engine.cli("rm", first.name);
    const second = await start();
    expect(await second.zor("get", "hosts")).toContain("h1");
    await engine.cli("rm", "--force", second.name);
    await engine.cli("volume", "rm", volume);
  });
});
