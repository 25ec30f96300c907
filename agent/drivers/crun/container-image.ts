import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { arch } from "node:os";
import { z } from "zod";
import { invalidArgument, type ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { holdInRoot, openHeld } from "../../host/open-exactly.js";
import { toImageArchitecture } from "./image-architecture.js";

/** A layer of a container image: where it is in the image, and what its content must hash to where the image says so. */
export interface ImageLayerFile {
  readonly path: string;
  readonly sha256: string | undefined;
}

/** What an image says of how it is to be run. */
export interface ImageConfig {
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** "": the root. */
  readonly workingDirectory: string;
  /** "": root. */
  readonly user: string;
}

/** Of what is no container image. */
export const noConfig: ImageConfig = { environment: {}, entrypoint: [], command: [], workingDirectory: "", user: "" };

/** A container image: its layers, lowest first, and what it says. */
export interface ImageContent {
  readonly layers: readonly ImageLayerFile[];
  readonly config: ImageConfig;
}

/** Where an image lies and who names it. */
export interface ImageLayout {
  /** Directory of the image: an OCI layout, or a `docker save` archive as it was extracted. */
  readonly root: FileHandle;
  /** Proto path of the request field. */
  readonly field: string;
}

const maxJsonBytes = 4 * 1024 * 1024;
const maxLayers = 256;
const maxNesting = 4;
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "is not a sha256 digest");
const path = z.string().min(1).max(512);
const platform = z.object({ os: z.string().max(64), architecture: z.string().max(64) });
const descriptor = z.object({ digest, mediaType: z.string().max(256).default(""), platform: platform.optional() });
const indexSchema = z.object({ manifests: z.array(descriptor).max(256) });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(maxLayers) });
const words = z
  .array(z.string().max(64 * 1024))
  .max(1024)
  .nullish();
const text = z.string().max(4096).nullish();
/** What the image says of how it is run (OCI image specification, "config"). Labels and the like are nobody's business here. */
const runSchema = z.object({ Env: words, Entrypoint: words, Cmd: words, WorkingDir: text, User: text });
const configSchema = z.object({
  architecture: z.string().max(64).default(""),
  os: z.string().max(64).default("linux"),
  config: runSchema.nullish(),
});
const savedSchema = z
  .array(z.object({ Config: path, Layers: z.array(path).max(maxLayers) }))
  .min(1)
  .max(64);

/** Whether these names at the top of an archive or directory are those of a container image and not of a root filesystem. */
export function isContainerImage(top: ReadonlySet<string>): boolean {
  return top.has("oci-layout") ? top.has("index.json") : top.has("manifest.json") && !top.has("usr") && !top.has("bin");
}

/**
 * Reads which layers make up the image for this host, lowest first, and how it is to be run.
 * @throws {ZorError} INVALID_ARGUMENT when it is damaged, holds several images, or none for this host.
 */
export async function readImage(layout: ImageLayout, top: ReadonlySet<string>): Promise<ImageContent> {
  return top.has("oci-layout") ? await readOci(layout) : await readSaved(layout);
}

/**
 * Opens a layer and checks its content.
 * @throws {ZorError} INVALID_ARGUMENT when it is missing or not what the image says.
 */
export async function openLayer(
  layout: ImageLayout,
  layer: ImageLayerFile,
  signal: AbortSignal,
): Promise<{ readonly file: FileHandle; readonly sha256: string }> {
  const file = await openInside(layout, layer.path);
  try {
    const sha256 = await hashOf(file, signal);
    if (layer.sha256 !== undefined && sha256 !== layer.sha256) {
      throw invalidArgument(layout.field, `the image is damaged: ${quote(layer.path)} is not what its digest says`);
    }
    return { file, sha256 };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readOci(layout: ImageLayout): Promise<ImageContent> {
  const manifests = (await flatten(layout, "index.json", 0)).filter(({ platform: on }) => on?.os !== "unknown");
  const wanted = hostArchitecture();
  const fitting = manifests.filter(
    ({ platform: on }) => on === undefined || (on.os === "linux" && on.architecture === wanted),
  );
  const digests = [...new Set(fitting.map((each) => each.digest))];
  const [only, another] = digests;
  if (another !== undefined) {
    throw invalidArgument(layout.field, `the image layout holds ${digests.length} images; make one of a single image`);
  }
  if (only === undefined)
    throw otherArchitecture(
      layout,
      manifests.map(({ platform: on }) => on?.architecture ?? "?"),
    );
  const manifest = await readJson(layout, blobPath(only), manifestSchema);
  const config = await readConfig(layout, blobPath(manifest.config.digest));
  const layers = manifest.layers.map((layer) => ({
    path: blobPath(layer.digest),
    sha256: layer.digest.slice("sha256:".length),
  }));
  return { layers, config };
}

/** Manifests of an index and of the indexes in it. */
async function flatten(layout: ImageLayout, from: string, depth: number): Promise<z.output<typeof descriptor>[]> {
  if (depth > maxNesting) throw invalidArgument(layout.field, "the image's indexes are nested too deeply");
  const { manifests } = await readJson(layout, from, indexSchema);
  const all: z.output<typeof descriptor>[] = [];
  for (const each of manifests) {
    if (/index|manifest\.list/.test(each.mediaType))
      all.push(...(await flatten(layout, blobPath(each.digest), depth + 1)));
    else all.push(each);
  }
  return all;
}

async function readSaved(layout: ImageLayout): Promise<ImageContent> {
  const [image, another] = await readJson(layout, "manifest.json", savedSchema);
  if (image === undefined || another !== undefined) {
    throw invalidArgument(layout.field, "the archive holds several images; save one: docker save -o FILE IMAGE");
  }
  const config = await readConfig(layout, image.Config);
  return { layers: image.Layers.map((layer) => ({ path: layer, sha256: undefined })), config };
}

async function readConfig(layout: ImageLayout, from: string): Promise<ImageConfig> {
  const { architecture, os, config } = await readJson(layout, from, configSchema);
  if (os !== "linux")
    throw invalidArgument(layout.field, `the image is for ${quote(os)}, and containers here run Linux`);
  if (architecture !== "" && architecture !== hostArchitecture()) throw otherArchitecture(layout, [architecture]);
  return {
    environment: toVariables(config?.Env ?? []),
    entrypoint: config?.Entrypoint ?? [],
    command: config?.Cmd ?? [],
    workingDirectory: config?.WorkingDir ?? "",
    user: config?.User ?? "",
  };
}

/** Variables of "NAME=value" words; what is none is left out, and so is what could not be given on. */
function toVariables(list: readonly string[]): Readonly<Record<string, string>> {
  const pairs = list.flatMap((word): (readonly [string, string])[] => {
    const at = word.indexOf("=");
    return at <= 0 || word.includes("\0") ? [] : [[word.slice(0, at), word.slice(at + 1)]];
  });
  return Object.fromEntries(pairs);
}

function otherArchitecture({ field }: ImageLayout, found: readonly string[]): ZorError {
  const words = [...new Set(found)]
    .slice(0, 8)
    .map((each) => quote(each))
    .join(", ");
  const wanted = hostArchitecture();
  return invalidArgument(
    field,
    `the image is for ${words === "" ? "no platform" : words}, and this host is ${wanted}; save it with: --platform linux/${wanted}`,
  );
}

function hostArchitecture(): string {
  return toImageArchitecture(arch());
}

function blobPath(named: string): string {
  return `blobs/${named.replace(":", "/")}`;
}

async function readJson<Schema extends z.ZodType>(
  layout: ImageLayout,
  from: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  await using file = await openInside(layout, from);
  const { size } = await file.stat();
  if (size > maxJsonBytes) throw invalidArgument(layout.field, `${quote(from)} in the image is too large`);
  const result = schema.safeParse(parseJson(await file.readFile("utf8")));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined ? "" : ` (${issue.path.join(".")}: ${issue.message})`;
  throw invalidArgument(layout.field, `${quote(from)} in the image is not as it should be${place}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Opens a file of the image; links in it lead nowhere else. */
async function openInside({ root, field }: ImageLayout, name: string): Promise<FileHandle> {
  try {
    using held = holdInRoot(root, name);
    const file = await openHeld(held);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch {
    // Missing, a loop of links, a device: no file of an image.
  }
  throw invalidArgument(field, `the image lacks ${quote(name)}; save it again, whole`);
}

/** Digest of a file's content, in hexadecimal. */
export async function hashOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.createReadStream({ autoClose: false, start: 0, highWaterMark: 1024 * 1024 })) {
    signal.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}
