import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { z } from "zod";
import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { quote } from "../../../lib/names.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { type ContainerEngineOptions, ImagePull } from "../../../proto/gen/zor/v1/container_engine.js";
import type { CallOptions, Progress } from "../driver.js";
import { microName, type OpenImage, openImage, openMicroFile } from "../images.js";
import { lookAtArchive, readSavedNames } from "./archive-look.js";
import type { EngineClient } from "./engine-client.js";
import { EngineError, isNotThere } from "./engine-error.js";
import { assertEngineRoom } from "./engine-room.js";
import { formatReference, type ImageReference, importedName, parseReference, repositoryOf } from "./image-reference.js";
import { readJsonLines } from "./json-lines.js";
import { NameGuard, removeImage } from "./name-guard.js";
import { filePrefix } from "./options-check.js";
import { PullProgress } from "./pull-progress.js";
import { type AllowedRegistry, getRule, readLogin } from "./registry-policy.js";

/** What images come from. */
export interface EngineImagesOptions {
  readonly client: EngineClient;
  readonly imageDirectories: readonly string[];
  readonly registries: readonly AllowedRegistry[];
}

/** An image in the engine. */
export interface FoundImage {
  readonly id: string;
  /** Name it was given here, to be taken back; "" when the engine had it or fetched it. */
  readonly imported: string;
}

/** Which image is wanted, and the proto path of its name. */
export interface WantedImage {
  readonly options: ContainerEngineOptions;
  readonly field: string;
}

/** A registry answers within this time, or the engine says why not; so does an engine that reads an archive. */
const [pullAnswerMs, importMs] = [60_000, 600_000];
/** Names are given back also when the caller has gone. */
const restoreMs = 60_000;
const imageSchema = z.object({ Id: z.string().max(256), RepoTags: z.array(z.string()).nullish() });
const listSchema = z.array(z.object({ RepoTags: z.array(z.string()).nullish() }));
const loadedPattern = /Loaded image(?:\(s\)| ID)?: ?(\S+)/;

/** Brings images to an engine: those it has, those of a registry that the host's policy allows, and archives of the agent. */
export class EngineImages {
  readonly #client: EngineClient;
  readonly #directories: readonly string[];
  readonly #registries: readonly AllowedRegistry[];
  readonly #queue = new KeyedQueue();

  constructor(options: EngineImagesOptions) {
    this.#client = options.client;
    this.#directories = options.imageDirectories;
    this.#registries = options.registries;
  }

  /** Looks whether the image can be had, and changes nothing. @throws {ZorError} that names the field. */
  async check(wanted: WantedImage, { signal }: CallOptions): Promise<void> {
    const archive = await this.#openArchive(wanted);
    if (archive !== undefined) return await archive[Symbol.asyncDispose]();
    const reference = referenceOf(wanted);
    if (wanted.options.pull === ImagePull.IMAGE_PULL_ALWAYS) {
      getRule(reference, { field: wanted.field, allowed: this.#registries });
      return;
    }
    if ((await this.#find(wanted.options.image, signal)) === undefined) this.#assertFetchable(wanted, reference);
  }

  /** Brings the image to the engine, unless it is there. @throws {ZorError} @throws {EngineError} */
  async ensure(wanted: WantedImage, options: CallOptions & { readonly progress: Progress }): Promise<FoundImage> {
    await using archive = await this.#openArchive(wanted);
    if (archive !== undefined) return await this.#import(archive, wanted, options);
    const reference = referenceOf(wanted);
    const { image, pull } = wanted.options;
    const found = pull === ImagePull.IMAGE_PULL_ALWAYS ? undefined : await this.#find(image, options.signal);
    if (found !== undefined) return { id: found, imported: "" };
    this.#assertFetchable(wanted, reference);
    await this.#pull(reference, wanted, options);
    const fetched = await this.#find(formatReference(reference), options.signal);
    if (fetched !== undefined) return { id: fetched, imported: "" };
    throw new Error(`${this.#client.product} fetched the image ${image} and does not have it`);
  }

  /** Takes an imported image back, unless a container is made of it. Idempotent. */
  async release(imported: string, { signal }: CallOptions): Promise<void> {
    if (imported === "") return;
    await this.#queue.run(imported, () => removeImage(this.#client, imported, signal));
  }

  /** Removes all that was kept of an instance. Idempotent. */
  async forgetStates(uid: string, signal: AbortSignal): Promise<void> {
    const images = await this.#client.json({ method: "GET", path: "/images/json", signal }, listSchema);
    // Whatever registry podman thinks they are of.
    const isState = new RegExp(`(^|/)zorhub\\.local/(base|save|copy|snapshot):${uid}(-|$)`);
    const names = images.flatMap(({ RepoTags: tags }) => (tags ?? []).filter((name) => isState.test(name)));
    for (const name of names) await removeImage(this.#client, name, signal);
  }

  /** Removes an image that no name is left of, unless a container is made of it. */
  async removeNameless(id: string, signal: AbortSignal): Promise<void> {
    const request = { method: "GET", path: `/images/${encodeURIComponent(id)}/json`, signal } as const;
    const found = await this.#client.json(request, imageSchema).catch((error: unknown) => {
      if (isNotThere(error)) return undefined;
      throw error;
    });
    if (found !== undefined && (found.RepoTags ?? []).length === 0) await removeImage(this.#client, id, signal);
  }

  /** Whether the engine has an image with this id. */
  async has(id: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#find(id, signal)) !== undefined;
  }

  async #find(name: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#client.json({ method: "GET", path: `/images/${toPath(name)}/json`, signal }, imageSchema)).Id;
    } catch (error) {
      if (isNotThere(error)) return undefined;
      throw error;
    }
  }

  #assertFetchable({ options, field }: WantedImage, reference: ImageReference): void {
    if (options.pull === ImagePull.IMAGE_PULL_NEVER) {
      throw notThere(
        field,
        `${this.#client.product} has no image ${quote(options.image)}, and it is never to be fetched`,
      );
    }
    getRule(reference, { field, allowed: this.#registries });
  }

  async #pull(
    reference: ImageReference,
    { field }: WantedImage,
    { signal, progress }: CallOptions & { readonly progress: Progress },
  ): Promise<void> {
    const rule = getRule(reference, { field, allowed: this.#registries });
    const headers = await readLogin(rule, reference);
    const { tag, digest } = reference;
    const query =
      digest === ""
        ? { fromImage: repositoryOf(reference), tag }
        : { fromImage: `${repositoryOf(reference)}@${digest}`, tag: "" };
    progress("fetching the image", 0);
    try {
      const request = { method: "POST", path: "/images/create", query, headers, signal } as const;
      const response = await this.#client.stream({ ...request, deadlineMs: pullAnswerMs });
      const told = new PullProgress(progress);
      for await (const message of readJsonLines(response)) told.push(message);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      throw notThere(
        field,
        `${this.#client.product} could not fetch ${formatReference(reference)}: ${error.message.slice(0, 400)}`,
      );
    }
  }

  /** The archive that is wanted; undefined: the image has a name in the engine. */
  async #openArchive({ options, field }: WantedImage): Promise<OpenImage | undefined> {
    const { image } = options;
    if (image === microName) return await openMicroFile(this.#directories, "rootfs", field);
    if (!image.startsWith(filePrefix)) return undefined;
    return await openImage(this.#directories, image.slice(filePrefix.length), { field, accept: ["file"] });
  }

  async #import(
    archive: OpenImage,
    { options, field }: WantedImage,
    { signal, progress }: CallOptions & { readonly progress: Progress },
  ): Promise<FoundImage> {
    progress("reading the archive", 0);
    const look = await lookAtArchive(archive.file, field, signal);
    await assertEngineRoom(this.#client, { bytes: look.bytes, what: "the archive", signal });
    const changes = [`CMD ${JSON.stringify([options.image === microName ? "/init" : "/bin/sh"])}`];
    const name = importedName(await digestOf(archive, signal), look.kind === "image" ? [] : changes);
    progress("handing it to the engine", 30);
    return await this.#queue.run(name, async () => {
      const there = await this.#find(name, signal);
      if (there !== undefined) return { id: there, imported: name };
      if (look.kind === "image") {
        const loaded = await this.#load(archive, field, signal);
        await this.tag(loaded, name, signal);
        // By an id it is not forgotten: ours is the name that is left.
        if (!loaded.startsWith("sha256:"))
          await this.#client.call({ method: "DELETE", path: `/images/${toPath(loaded)}`, signal });
      } else await this.#importRootfs(archive, name, { changes, signal });
      const id = await this.#find(name, signal);
      if (id !== undefined) return { id, imported: name };
      throw new Error(`${this.#client.product} took the archive and does not have its image`);
    });
  }

  async #importRootfs(
    archive: OpenImage,
    name: string,
    { changes, signal }: { readonly changes: readonly string[]; readonly signal: AbortSignal },
  ): Promise<void> {
    // podman takes the tag in the name alone.
    const query = { fromSrc: "-", repo: name, changes: changes.join("\n") };
    const request = { method: "POST", path: "/images/create", query, body: bodyOf(archive), signal } as const;
    const response = await this.#client.stream({ ...request, deadlineMs: importMs });
    const told = new PullProgress(() => undefined);
    for await (const message of readJsonLines(response)) told.push(message);
  }

  /** @returns the name or id that the engine gave the one image of the archive. @throws {ZorError} INVALID_ARGUMENT */
  async #load(archive: OpenImage, field: string, signal: AbortSignal): Promise<string> {
    const named = await readSavedNames(archive.file, signal);
    for (const name of named) {
      if ((await this.#find(name, signal)) === undefined) continue;
      const remedy = "use that one by its name, or save the image under another";
      throw invalidArgument(
        field,
        `holds an image called ${quote(name)}, which ${this.#client.product} has already; ${remedy}`,
      );
    }
    // The engine's own tar may read other names than ours did, of an archive that wants that.
    const guard = await NameGuard.begin(this.#client, signal);
    let names: ReadonlySet<string>;
    try {
      names = await this.#loadNames(archive, signal);
    } catch (error) {
      await guard.restore(timeLimit(restoreMs));
      throw error;
    }
    const taken = await guard.restore(timeLimit(restoreMs));
    const others = [...names].filter((name) => !guard.had(name));
    const [name] = others;
    if (name !== undefined && names.size === 1 && taken.length === 0) return name;
    for (const each of others) await removeImage(this.#client, each, signal);
    const had = taken[0] ?? [...names].find((each) => guard.had(each));
    if (had !== undefined)
      throw invalidArgument(field, `holds an image called ${quote(had)}, which ${this.#client.product} has already`);
    throw invalidArgument(field, `holds ${names.size} images for ${this.#client.product}; it must hold one`);
  }

  async #loadNames(archive: OpenImage, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const request = {
      method: "POST",
      path: "/images/load",
      query: { quiet: "1" },
      body: bodyOf(archive),
      signal,
    } as const;
    const response = await this.#client.stream({ ...request, deadlineMs: importMs });
    const names = new Set<string>();
    for await (const message of readJsonLines(response)) {
      const { stream = "", error } = z
        .object({ stream: z.string().optional(), error: z.string().optional() })
        .parse(message);
      if (error !== undefined) throw new EngineError(400, error);
      const found = loadedPattern.exec(stream)?.[1] ?? "";
      for (const name of found.split(",")) if (name !== "") names.add(name);
    }
    return names;
  }

  /** Gives an image another name. */
  async tag(image: string, name: string, signal: AbortSignal): Promise<void> {
    const [repo = "", tag = ""] = name.split(":");
    await this.#client.call({ method: "POST", path: `/images/${toPath(image)}/tag`, query: { repo, tag }, signal });
  }
}

function referenceOf({ options, field }: WantedImage): ImageReference {
  const reference = parseReference(options.image);
  if (reference === undefined) throw invalidArgument(field, `${quote(options.image)} is not the name of an image`);
  return reference;
}

/** A name as part of a path: its slashes are the API's too. */
function toPath(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

function bodyOf(archive: OpenImage) {
  return archive.file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024 });
}

async function digestOf(archive: OpenImage, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of archive.file.createReadStream({ start: 0, autoClose: false })) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest("hex");
}

function notThere(field: string, message: string): ZorError {
  return new ZorError({
    reason: "IMAGE_NOT_FOUND",
    code: status.FAILED_PRECONDITION,
    message: `${field}: ${message}`,
    violations: [{ field, description: message }],
  });
}
