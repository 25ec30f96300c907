import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";

/** What images call this machine's architecture. */
const ownArchitecture = arch() === "arm64" ? "arm64" : "amd64";

/** A container image to build: directories whose contents are its layers, lowest first. */
export interface ImagePlan {
  readonly layers: readonly string[];
  readonly architecture?: string;
  /** Option of tar for the layers, "--gzip". */
  readonly compression?: string;
  /** What it says of how it is run: "config" of the image's configuration. */
  readonly config?: object;
}

/** Builds an OCI image layout in a new directory, as `skopeo copy … oci:DIR` does. */
export async function buildOciLayout(directory: string, plan: ImagePlan): Promise<void> {
  await mkdir(join(directory, "blobs", "sha256"), { recursive: true });
  const architecture = plan.architecture ?? ownArchitecture;
  const layers = [];
  for (const tree of plan.layers) layers.push(await putBlob(directory, await pack(tree, plan)));
  const config = await putJson(directory, {
    architecture,
    os: "linux",
    rootfs: { type: "layers" },
    ...(plan.config === undefined ? {} : { config: plan.config }),
  });
  const manifest = await putJson(directory, { schemaVersion: 2, config, layers });
  const attestation = await putJson(directory, { schemaVersion: 2, config, layers: [] });
  const manifests = [
    { ...manifest, platform: { os: "linux", architecture } },
    { ...attestation, platform: { os: "unknown", architecture: "unknown" } },
  ];
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

/** Builds what `docker save` of before version 25 puts into its archive, in a new directory. */
export async function buildSaved(directory: string, plan: ImagePlan): Promise<void> {
  await mkdir(directory);
  const paths: string[] = [];
  for (const [index, tree] of plan.layers.entries()) {
    await mkdir(join(directory, `layer${index}`));
    await writeFile(join(directory, `layer${index}`, "layer.tar"), await pack(tree, plan));
    paths.push(`layer${index}/layer.tar`);
  }
  const architecture = plan.architecture ?? ownArchitecture;
  await writeFile(join(directory, "config.json"), JSON.stringify({ architecture, os: "linux" }));
  const manifest = [{ Config: "config.json", RepoTags: ["lab:1"], Layers: paths }];
  await writeFile(join(directory, "manifest.json"), JSON.stringify(manifest));
}

/** Packs a directory's contents as a tar archive. */
export async function packTree(file: string, tree: string, options: readonly string[] = []): Promise<void> {
  await run("tar", ["--create", ...options, `--file=${file}`, `--directory=${tree}`, "."]);
}

async function pack(tree: string, { compression }: ImagePlan): Promise<Buffer> {
  const file = `${tree}.layer`;
  await packTree(file, tree, compression === undefined ? [] : [compression]);
  return await readFile(file);
}

async function putJson(directory: string, value: unknown): Promise<{ digest: string; size: number }> {
  return await putBlob(directory, Buffer.from(JSON.stringify(value)));
}

async function putBlob(directory: string, content: Buffer): Promise<{ digest: string; size: number }> {
  const hash = createHash("sha256").update(content).digest("hex");
  await writeFile(join(directory, "blobs", "sha256", hash), content);
  return { digest: `sha256:${hash}`, size: content.length };
}
