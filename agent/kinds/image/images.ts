import { open } from "node:fs/promises";
import { join } from "node:path";
import { alreadyExists, failedPrecondition, invalidFields, notFound } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { isId } from "../../../lib/names.js";
import { agreeing, listed } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Image, ImageSpec } from "../../../proto/gen/zor/v1/image.js";
import { type ScannedContent, scanContent } from "../../images/content-scan.js";
import { DirectoryImages } from "../../images/directory-images.js";
import { ImageStore } from "../../images/image-store.js";
import type { StoredImage } from "../../images/stored-image.js";
import { asFailure } from "../../kit/failure.js";
import type { Change } from "../../kit/kind.js";
import { type AskedUpdate, updated } from "../../kit/metadata.js";
import type { ResourceSource } from "../../kit/references.js";
import type { AgentContext } from "../../parts.js";
import { ImageUsers } from "./image-users.js";
import { ImageUses } from "./image-uses.js";
import { directoryToImage, toImage, toSpec, type Verified } from "./to-image.js";

const kind = "image";
const maxTags = 16;
const maxDescription = 1000;

/** What is wrong with what is said of an image. @param path "image.spec", or "begin". */
export function checkImageSpec(
  path: string,
  { description, tags }: ImageSpec,
): { field: string; description: string }[] {
  const violations = [];
  if (description.length > maxDescription)
    violations.push({ field: `${path}.description`, description: `is longer than ${maxDescription} characters` });
  if (tags.length > maxTags) violations.push({ field: `${path}.tags`, description: `are more than ${maxTags}` });
  for (const [index, tag] of tags.entries()) {
    if (isId(tag) && tags.indexOf(tag) === index) continue;
    const why = isId(tag)
      ? "is there twice"
      : 'is not a tag: use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit';
    violations.push({ field: `${path}.tags[${index}]`, description: why });
  }
  return violations;
}

/** The images of this host: those of its store, and those that lie in its image directories. */
export class Images implements ResourceSource {
  readonly store: ImageStore;
  readonly #context: AgentContext;
  readonly #directories: DirectoryImages;
  readonly #uses = new ImageUses();
  readonly #users: ImageUsers;
  readonly #queue = new KeyedQueue();
  readonly #verified = new Map<string, Verified>();
  /** Ids that something is about to have. */
  readonly #reserved = new Set<string>();

  private constructor(context: AgentContext, store: ImageStore) {
    this.#context = context;
    this.store = store;
    this.#directories = new DirectoryImages(context.settings.imageDirs, (ids) => this.#publish(ids));
    const nameOf = (of: "image" | "instance", id: string): string => context.references.nameOf(of, id);
    const { state } = context;
    this.#users = new ImageUsers({ store, directories: this.#directories, uses: this.#uses, state, nameOf });
  }

  /** Takes up what is on the host. */
  static async open(context: AgentContext): Promise<Images> {
    const { store, damage } = await ImageStore.open(context.state);
    const images = new Images(context, store);
    for (const instance of context.references.list("instance")) images.#uses.set(instance.name, instance);
    context.publisher.listen("instance", (name, resource) => {
      // Whatever is published as an instance is one.
      const changed = images.#uses.set(name, resource as Parameters<ImageUses["set"]>[1]);
      images.#publish(changed.flatMap((image) => images.#users.named(image)));
    });
    await images.#directories.begin();
    images.#publish(images.list().map(({ name: whole }) => whole.split("/").at(-1) ?? ""));
    for (const { id, message } of damage) images.#tell("file-damaged", id, { message, isBad: true });
    return images;
  }

  close(): void {
    this.#directories.close();
  }

  list(): Image[] {
    const others = this.#directories.list().filter(({ id }) => this.store.find(id) === undefined);
    return [...this.store.list(), ...others].map(({ id }) => this.get(id));
  }

  has(id: string): boolean {
    return this.store.find(id) !== undefined || this.#directories.find(id) !== undefined;
  }

  find(id: string): Image | undefined {
    return this.has(id) ? this.get(id) : undefined;
  }

  uses(): readonly never[] {
    return [];
  }

  /** @throws {ZorError} NOT_FOUND */
  get(id: string): Image {
    const stored = this.store.find(id);
    if (stored !== undefined) return this.#show(stored);
    const lying = this.#directories.find(id);
    if (lying === undefined) throw this.#missing(id);
    const usedBy = this.#users.ofPath(id, lying.path);
    const verified = this.#verified.get(lying.path);
    const isDamaged = verified?.hint === lying.hint && verified.isDamaged;
    const seen = { name: this.nameOf(id), usedBy, isDamaged, base: this.#nameOfBase(lying.backing) };
    return directoryToImage(lying, seen, verified);
  }

  /** An image of the store. @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION for one that lies in a directory. */
  stored(id: string, what: string): StoredImage {
    const stored = this.store.find(id);
    if (stored !== undefined) return stored;
    const name = this.nameOf(id);
    if (this.#directories.find(id) === undefined) throw this.#missing(id);
    throw failedPrecondition(
      "IMAGE_IN_DIRECTORY",
      name,
      `${name} lies in an image directory of the host, where people look after it, and cannot be ${what}; do that on the host, or import it under another name`,
    );
  }

  /** An image that can go elsewhere. @throws {ZorError} as {@link stored}; FAILED_PRECONDITION for one that needs another. */
  assertWhole(id: string, what: string): void {
    const backing = this.store.find(id)?.backing ?? this.#directories.find(id)?.backing;
    if (backing === undefined) return;
    const name = this.nameOf(id);
    throw failedPrecondition(
      "IMAGE_IS_OVERLAY",
      name,
      `${name} is only the difference to ${this.#nameOfBase(backing) || "another image"} and is not ${what}; save an instance made from it without --overlay, which makes one that needs no other`,
    );
  }

  /** Path of the file of an image. @throws {ZorError} NOT_FOUND; FAILED_PRECONDITION when it is a directory. */
  pathOf(id: string): string {
    const stored = this.store.find(id);
    if (stored !== undefined) return this.store.contentPath(stored.sha256);
    const { path, format } = this.#directories.find(id) ?? {};
    if (path === undefined) throw this.#missing(id);
    if (format !== "directory" && format !== "micro" && format !== "oci") return path;
    const name = this.nameOf(id);
    throw failedPrecondition(
      "IMAGE_IS_DIRECTORY",
      name,
      `${name} is a directory, not a file; pack it with tar and import that`,
    );
  }

  nameOf(id: string): string {
    return this.#context.references.nameOf(kind, id);
  }

  /** Keeps an id for something that comes. Returns how to let go of it. @throws {ZorError} ALREADY_EXISTS */
  reserve(id: string): Disposable {
    const name = this.nameOf(id);
    if (this.#reserved.has(id)) throw alreadyExists(name, "it is being made; wait for it, or choose another name");
    if (this.has(id)) throw alreadyExists(name, "choose another name, or delete it first");
    this.#reserved.add(id);
    return { [Symbol.dispose]: () => void this.#reserved.delete(id) };
  }

  /** Takes in an image that was {@link reserve}d. Durable when it resolves. */
  async add(image: StoredImage, content: ScannedContent, path: string | undefined): Promise<Image> {
    const name = this.nameOf(image.id);
    await this.store.add(image, content, path).catch((error: unknown) => {
      throw asFailure(error, name, "store");
    });
    this.#tell("created", image.id, { caller: image.changedBy, message: image.origin });
    this.#publish(this.#users.related(image));
    return this.get(image.id);
  }

  /** Changes labels, annotations, description and tags. @throws {ZorError} and then nothing has changed. */
  update(id: string, asked: AskedUpdate<Image>, { validateOnly, caller }: Change): Promise<Image> {
    return this.#queue.run(id, async () => {
      const before = this.stored(id, "changed");
      const name = this.nameOf(id);
      const spec = toSpec(before, name);
      const after = updated(spec, asked, { kind, changeable: undefined, now: this.#context.now() });
      if (after === spec.resource) return this.get(id);
      const violations = checkImageSpec("image.spec", after.spec);
      if (violations.length > 0) throw invalidFields(violations, name);
      const lost = before.tags.filter((tag) => !after.spec.tags.includes(tag)).map((tag) => `${id}:${tag}`);
      this.#assertUnused(
        id,
        this.#uses.of(lost.flatMap((each) => [each, join(this.store.directory, each)])),
        "keep the tag, or",
      );
      const { labels, annotations, etag } = after;
      const { description, tags } = after.spec;
      const updateTime = this.#context.now().toISOString();
      const image = {
        ...before,
        labels,
        annotations,
        etag,
        description,
        tags: [...tags],
        updateTime,
        changedBy: caller,
      };
      if (validateOnly) return this.#show(image);
      await this.store.put(image).catch((error: unknown) => {
        throw asFailure(error, name, "change");
      });
      this.#tell("changed", id, { caller });
      this.#publish([id]);
      return this.get(id);
    });
  }

  /** @throws {ZorError} FAILED_PRECONDITION while an instance needs it; then, as on other errors, nothing has changed. */
  delete(id: string, { validateOnly, caller }: Change): Promise<void> {
    return this.#queue.run(id, async () => {
      const image = this.stored(id, "deleted");
      this.#assertUnused(id, await this.#users.all(image));
      if (validateOnly) return;
      // From here on nothing new can be made from it; looked at once more, so that nothing slips in between.
      const show = await this.store.hide(id);
      try {
        this.#assertUnused(id, this.#users.of(image));
        await this.store.remove(image);
      } catch (error) {
        await show();
        throw asFailure(error, this.nameOf(id), "delete");
      }
      this.#tell("deleted", id, { caller });
      this.#publish(this.#users.related(image));
    });
  }

  /** Deletes what nothing needs, and then what only that needed. Resolves to what was deleted, or would be. */
  async prune(change: Change): Promise<readonly StoredImage[]> {
    const gone = new Map<string, StoredImage>();
    for (let before = -1; before < gone.size; ) {
      before = gone.size;
      for (const image of this.store.list()) {
        const name = this.nameOf(image.id);
        const users = await this.#users.all(image);
        if (gone.has(name) || users.some((user) => !gone.has(user))) continue;
        try {
          if (!change.validateOnly) await this.delete(image.id, change);
          gone.set(name, image);
        } catch (error) {
          // An instance was made from it meanwhile.
          if (!(error instanceof Error && "reason" in error && error.reason === "IMAGE_IN_USE")) throw error;
        }
      }
    }
    return [...gone.values()];
  }

  /** Reads an image whole. @throws {ZorError} FAILED_PRECONDITION when its content is not what it was; it is marked as damaged then. */
  async verify(
    id: string,
    options: {
      readonly signal: AbortSignal;
      readonly progress: (step: string, percent: number) => void;
      readonly caller: string;
    },
  ): Promise<Image> {
    const { signal, progress, caller } = options;
    const name = this.nameOf(id);
    const path = this.pathOf(id);
    const stored = this.store.find(id);
    const hint = this.#directories.find(id)?.hint ?? "";
    const found = await readDigest(path, { signal, progress });
    const before = stored?.sha256 ?? this.#verifiedDigest(path, hint);
    const isDamaged = found === undefined || (before !== undefined && before !== found);
    const reason = "its content is not what it was when it was stored";
    if (stored !== undefined) {
      await this.store.mark(stored.sha256, isDamaged ? reason : undefined);
      const current = this.store.find(id);
      if (!isDamaged && current !== undefined)
        await this.store.put({ ...current, verifyTime: this.#context.now().toISOString() });
    } else {
      this.#verified.set(path, { hint, sha256: before ?? found ?? "", time: this.#context.now(), isDamaged });
    }
    this.#publish(stored === undefined ? [id] : this.store.having(stored.sha256));
    if (!isDamaged) {
      this.#tell("verified", id, { caller });
      return this.get(id);
    }
    this.#tell("damaged", id, { caller, message: `${reason}; import or push it again`, isBad: true });
    throw failedPrecondition(
      "IMAGE_DAMAGED",
      name,
      `${name} is damaged: ${reason}; nothing starts from it any more; import or push it again, and look at the host's disk`,
    );
  }

  /** Tells watchers how these images are, or that they are gone. */
  #publish(ids: readonly string[]): void {
    for (const id of new Set(ids)) {
      const image = this.find(id);
      if (image === undefined) this.#context.publisher.removed(kind, this.nameOf(id));
      else this.#context.publisher.publish(kind, image);
    }
  }

  /** Tells watchers and the record what happened to an image. */
  tell(what: string, id: string, message: string, caller: string): void {
    this.#tell(what, id, { message, caller });
  }

  #tell(
    what: string,
    id: string,
    more: { readonly message?: string; readonly caller?: string; readonly isBad?: boolean },
  ): void {
    const { message = "", caller = "", isBad = false } = more;
    const severity = isBad ? EventSeverity.EVENT_SEVERITY_WARNING : EventSeverity.EVENT_SEVERITY_INFO;
    this.#context.publisher.event({ severity, type: `${kind}.${what}`, resource: this.nameOf(id), message, caller });
  }

  #verifiedDigest(path: string, hint: string): string | undefined {
    const known = this.#verified.get(path);
    return known?.hint === hint ? known.sha256 : undefined;
  }

  #show(image: StoredImage): Image {
    return toImage(image, {
      name: this.nameOf(image.id),
      usedBy: this.#users.of(image),
      isDamaged: this.store.isDamaged(image.sha256),
      base: this.#nameOfBase(image.backing),
    });
  }

  #nameOfBase(backing: string | undefined): string {
    const id = this.#users.baseOf(backing);
    return id === undefined ? "" : this.nameOf(id);
  }

  #assertUnused(id: string, users: readonly string[], remedy = ""): void {
    if (users.length === 0) return;
    const name = this.nameOf(id);
    const them = agreeing(users.length, "it", "them");
    throw failedPrecondition(
      "IMAGE_IN_USE",
      name,
      `${name} is in use by ${listed(users, 3)}; ${remedy === "" ? "" : `${remedy} `}delete ${them} first`,
    );
  }

  #missing(id: string): Error {
    return notFound(this.nameOf(id), "list them with: zor get images");
  }
}

async function readDigest(
  path: string,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: (step: string, percent: number) => void },
): Promise<string | undefined> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const onProgress = (done: number): void => progress("reading the image", (100 * done) / Math.max(1, size));
    return (await scanContent(file, { signal, onProgress })).sha256;
  } finally {
    await file.close();
  }
}
