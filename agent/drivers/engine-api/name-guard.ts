import { z } from "zod";
import type { EngineClient } from "./engine-client.js";
import { isConflict, isNotThere } from "./engine-error.js";

const listSchema = z.array(z.object({ Id: z.string().max(256), RepoTags: z.array(z.string()).nullish() }));

/**
 * The names that an engine has given its images, from before it is given an archive. What an archive does to them is known for certain only
 * afterwards: engines read what is in it in their own ways.
 */
export class NameGuard {
  readonly #client: EngineClient;
  /** Ids by name. */
  readonly #before: ReadonlyMap<string, string>;

  private constructor(client: EngineClient, before: ReadonlyMap<string, string>) {
    this.#client = client;
    this.#before = before;
  }

  /** Takes note of what there is. */
  static async begin(client: EngineClient, signal: AbortSignal): Promise<NameGuard> {
    return new NameGuard(client, await namesOf(client, signal));
  }

  /** Whether an image had this name. */
  had(name: string): boolean {
    return this.#before.has(name);
  }

  /** Gives names back to the images that had them, and takes away images that came for them. Resolves to those names. */
  async restore(signal: AbortSignal): Promise<readonly string[]> {
    const now = await namesOf(this.#client, signal);
    const known = new Set(this.#before.values());
    // What is another image of before was renamed by somebody on the host.
    const taken = [...this.#before].filter(([name, id]) => {
      const other = now.get(name);
      return other !== id && other !== undefined && !known.has(other);
    });
    for (const [name, id] of taken) {
      const colon = name.lastIndexOf(":");
      const query = { repo: name.slice(0, colon), tag: name.slice(colon + 1) };
      await this.#client.call({ method: "POST", path: `/images/${encodeURIComponent(id)}/tag`, query, signal });
    }
    for (const id of new Set(taken.map(([name]) => now.get(name) ?? ""))) await removeImage(this.#client, id, signal);
    return taken.map(([name]) => name);
  }
}

/** Removes an image or a name of one, unless something needs it. */
export async function removeImage(client: EngineClient, name: string, signal: AbortSignal): Promise<void> {
  const path = `/images/${name.split("/").map(encodeURIComponent).join("/")}`;
  await client.call({ method: "DELETE", path, signal }).catch((error: unknown) => {
    if (!isNotThere(error) && !isConflict(error)) throw error;
  });
}

async function namesOf(client: EngineClient, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const images = await client.json({ method: "GET", path: "/images/json", signal }, listSchema);
  return new Map(images.flatMap(({ Id: id, RepoTags: names }) => (names ?? []).map((name) => [name, id] as const)));
}
