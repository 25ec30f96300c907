import { run } from "../../../../../agent/host/exec.js";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { EngineClient } from "../../../../../agent/drivers/engine-api/engine-client.js";
import { EngineImages } from "../../../../../agent/drivers/engine-api/engine-images.js";
import { ContainerEngineOptions } from "../../../../../proto/gen/zor/v1/container_engine.js";

const signal = new AbortController().signal;

let root: string;
let server: Server | undefined;
let names: Map<string, string>;
/** What loading does to the names, and what the engine tells of it. */
let load: () => readonly object[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-loaded-"));
  names = new Map([["nginx:latest", "sha256:old"]]);
  const made = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://engine");
      const path = decodeURIComponent(url.pathname).replace(/^\/v1\.41/, "");
      const image = path.replace(/^\/images\//, "").replace(/\/(json|tag)$/, "");
      if (path === "/_ping") response.setHeader("Api-Version", "1.41").end("OK");
      else if (path === "/info") response.end("{}");
      else if (path === "/images/json")
        response.end(JSON.stringify([...names].map(([name, id]) => ({ Id: id, RepoTags: [name] }))));
      else if (path === "/images/load")
        response.end(
          load()
            .map((each) => `${JSON.stringify(each)}\n`)
            .join(""),
        );
      else if (request.method === "DELETE") {
        for (const [name, id] of names) if (name === image || id === image) names.delete(name);
        response.end("[]");
      } else if (path.endsWith("/tag")) {
        const repo = url.searchParams.get("repo") ?? "";
        names.set(`${repo}:${url.searchParams.get("tag") ?? ""}`, names.get(image) ?? image);
        response.end();
      } else if (names.has(image)) response.end(JSON.stringify({ Id: names.get(image) }));
      else response.writeHead(404).end(JSON.stringify({ message: "no such image" }));
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(join(root, "s"), resolve));
});

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(root, { recursive: true, force: true });
});

/** Brings an archive to the engine whose names the agent's tar does not find, but the engine's does. */
async function bring(): Promise<unknown> {
  const tree = join(root, "tree");
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "manifest.json"), JSON.stringify([{ RepoTags: ["nginx:latest"] }]));
  await run("tar", ["-cf", join(root, "evil.tar"), "-C", tree, "./manifest.json"]);
  const client = new EngineClient({ socketPath: join(root, "s"), product: "docker" });
  const images = new EngineImages({ client, imageDirectories: [root], registries: [] });
  const options = ContainerEngineOptions.fromPartial({ image: "file:evil.tar" });
  return await images.ensure({ options, field: "image" }, { signal, progress: () => undefined });
}

const refused = { reason: "INVALID_FIELD", message: expect.stringContaining("nginx:latest") as string };

it("gives a name back to the image that had it, when an archive took it", async () => {
  load = () => {
    names.set("nginx:latest", "sha256:evil");
    return [{ stream: "Loaded image: nginx:latest\n" }];
  };
  await expect(bring()).rejects.toMatchObject(refused);
  expect([...names]).toEqual([["nginx:latest", "sha256:old"]]);
});

it("gives it back also when the engine fails later on", async () => {
  load = () => {
    names.set("nginx:latest", "sha256:evil");
    return [{ error: "the second image is damaged" }];
  };
  await expect(bring()).rejects.toThrow("the second image is damaged");
  expect([...names]).toEqual([["nginx:latest", "sha256:old"]]);
});

it("leaves an image its name when the archive holds the very same one", async () => {
  load = () => [{ stream: "Loaded image: nginx:latest\n" }];
  await expect(bring()).rejects.toMatchObject(refused);
  expect([...names]).toEqual([["nginx:latest", "sha256:old"]]);
});

it("takes an image under a name that nobody has", async () => {
  load = () => {
    names.set("lab:1", "sha256:new");
    return [{ stream: "Loaded image: lab:1\n" }];
  };
  await expect(bring()).resolves.toMatchObject({ id: "sha256:new" });
  expect([...names.keys()]).toEqual(["nginx:latest", expect.stringContaining("zorhub.local/import:")]);
});
