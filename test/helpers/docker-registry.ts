import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../agent/host/exec.js";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { spawnOwned } from "./owned.js";
import { runTag } from "./run-tag.js";

/** A real registry of container images on loopback. */
export interface RealRegistry extends AsyncDisposable {
  /** "127.0.0.1:4711". */
  readonly address: string;
  /** Serves the same images from now on to those alone who log in. */
  lock(login: { readonly username: string; readonly password: string }): Promise<void>;
}

const program = "/usr/bin/docker-registry";

/** Starts Debian's docker-registry, open to everybody on this machine. */
export async function startRegistry(): Promise<RealRegistry> {
  if (!existsSync(program)) throw new Error(`${program} is missing; install the package docker-registry`);
  const root = await mkdtemp(join(tmpdir(), `${runTag}-r-`));
  const address = `127.0.0.1:${await freePort()}`;
  await mkdir(join(root, "images"));
  let child: ReturnType<typeof spawnOwned> | undefined;
  const stop = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child?.once("exit", () => resolve()));
    child.kill("SIGTERM");
    await ended;
  };
  const serve = async (auth: object): Promise<void> => {
    await stop();
    const settings = {
      version: "0.1",
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(root, "images") } },
      http: { addr: address },
      ...auth,
    };
    // YAML, of which JSON is a part.
    await writeFile(join(root, "config.yml"), JSON.stringify(settings));
    child = spawnOwned(program, ["serve", join(root, "config.yml")], { stdio: "ignore" });
    await eventually(async () => void (await fetch(`http://${address}/v2/`)));
  };
  await serve({});
  return {
    address,
    lock: async ({ username, password }) => {
      const file = join(root, "htpasswd");
      const script = "print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))";
      const { stdout } = await run("perl", ["-e", script, password]);
      await writeFile(file, `${username}:${stdout}\n`);
      await serve({ auth: { htpasswd: { realm: "lab", path: file } } });
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
