import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A registry of container images (distribution specification) with one image, for those who log in. */
export interface TestRegistry extends Disposable {
  /** Name of the image in it: "127.0.0.1:4711/lab/micro:1". */
  readonly image: string;
  /** What it was asked for, refused requests included. */
  readonly asked: readonly string[];
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/** Serves a root filesystem on loopback as an image whose command is the built-in init. */
export async function serveImage(
  rootfs: string,
  { username, password }: { readonly username: string; readonly password: string },
): Promise<TestRegistry> {
  const layer = await readFile(rootfs);
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["/init"], StopSignal: "SIGTERM" },
      rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: "application/vnd.docker.container.image.v1+json",
        size: config.length,
        digest: digestOf(config),
      },
      layers: [
        { mediaType: "application/vnd.docker.image.rootfs.diff.tar", size: layer.length, digest: digestOf(layer) },
      ],
    }),
  );
  const blobs = new Map([layer, config, manifest].map((blob) => [digestOf(blob), blob]));
  const asked: string[] = [];
  const login = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.headers.authorization !== login) {
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="lab"' }).end("{}");
      return;
    }
    const name = request.url?.split("/").at(-1) ?? "";
    const isManifest = request.url?.includes("/manifests/") === true;
    const body = name === "1" ? manifest : blobs.get(name);
    if (request.url === "/v2/") response.end("{}");
    else if (body === undefined) response.writeHead(404).end("{}");
    else {
      const type = isManifest ? manifestType : "application/octet-stream";
      const headers = { "Content-Type": type, "Content-Length": body.length, "Docker-Content-Digest": digestOf(body) };
      response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's
  return {
    image: `127.0.0.1:${port}/lab/micro:1`,
    asked,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function digestOf(data: Buffer): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}
