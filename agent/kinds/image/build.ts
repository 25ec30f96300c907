import { randomUUID } from "node:crypto";
import { readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { arrivalKey } from "../../images/incoming.js";
import { prepareImage } from "../../images/import/prepare.js";
import { ArchiveError } from "../../images/import/zip.js";
import { runRecipe } from "../../images/run-recipe.js";
import { asFailure } from "../../kit/failure.js";
import type { ImportOptions } from "./import-service.js";
import { newImage } from "./new-image.js";

/** A recipe that is there. */
export interface Recipe {
  readonly name: string;
  /** Its program. */
  readonly program: string;
}

/** What a build is told. */
export interface BuildOptions {
  readonly id: string;
  readonly caller: string;
  readonly signal: AbortSignal;
  readonly progress: (step: string, percent: number) => void;
}

/**
 * Makes images by the recipes of this host: directories with a program "build", which is run as root with a directory in which it leaves the
 * file "image". Only what lies in the agent's own recipe directories is run, which nobody but its configuration names.
 */
export class ImageBuilder {
  readonly #options: ImportOptions;
  readonly #directories: readonly string[];

  constructor(options: ImportOptions, directories: readonly string[]) {
    this.#options = options;
    this.#directories = directories;
  }

  /** @throws {ZorError} INVALID_ARGUMENT when there is none of that name, with those that there are. */
  async find(name: string): Promise<Recipe> {
    if (!isId(name)) throw invalidArgument("recipe", `${quote(name)} is not the name of a recipe`);
    for (const directory of this.#directories) {
      const root = await realpath(directory).catch(() => undefined);
      const program = await realpath(join(directory, name, "build")).catch(() => undefined);
      if (root === undefined || program === undefined || !program.startsWith(root + sep)) continue;
      const found = await stat(program);
      // Whoever may write to it could have anything run as root.
      const isOwn = found.isFile() && found.uid === (process.getuid?.() ?? 0) && (found.mode & 0o022) === 0;
      if (!isOwn) {
        throw failedPrecondition(
          "RECIPE_UNSAFE",
          `hosts/${this.#options.scope.host}`,
          `the recipe ${name} of hosts/${this.#options.scope.host} is not run: its program must be the agent's own user's and writable for nobody else`,
        );
      }
      if ((found.mode & 0o100) === 0) {
        throw failedPrecondition(
          "RECIPE_UNSAFE",
          `hosts/${this.#options.scope.host}`,
          `the recipe ${name} of hosts/${this.#options.scope.host} is not run: its program is not executable; make it so with chmod`,
        );
      }
      return { name, program };
    }
    const there = await this.#list();
    const what =
      there.length === 0
        ? "there is none; put one into a directory of recipeDirs in the agent's settings"
        : `there are ${listed(there, 20)}`;
    throw invalidArgument("recipe", `${quote(name)} is not a recipe of the host: ${what}`);
  }

  /** Carries a recipe out and takes its image in. On error or abort nothing of it is left. */
  async build(recipe: Recipe, { id, caller, signal, progress }: BuildOptions): Promise<Image> {
    const { images, incoming, room, now } = this.#options;
    const name = images.nameOf(id);
    const arrival = await incoming.take(arrivalKey("build", randomUUID()), { sizeBytes: 0, resumable: false }, name);
    try {
      progress("running the recipe", 1);
      const spareBytes = await room.spareBytes();
      let lines = 0;
      const { path, content, scanned } = await room.guard(name, signal, async (whole) => {
        await runRecipe({
          ...{ program: recipe.program, directory: arrival.directory, maxFileBytes: spareBytes, signal: whole },
          onStep: (line) => {
            lines += 1;
            progress(line, 1 + (80 * lines) / (lines + 10));
          },
        });
        return await prepareImage({
          ...{ directory: arrival.directory, file: "image", room, spareBytes, signal: whole },
          progress: (step, percent) => progress(step, 80 + percent / 5),
        });
      });
      const said = {
        id,
        description: "",
        tags: [],
        labels: {},
        architecture: hostArchitecture(),
        caller,
        uploadKey: "",
      };
      const image = newImage({ ...said, origin: `build ${recipe.name}` }, content, scanned, now());
      return await images.add(image, scanned, images.store.isWhole(scanned.sha256) ? undefined : path);
    } catch (error) {
      if (error instanceof ArchiveError) {
        throw failedPrecondition("RECIPE_FAILED", name, `the recipe ${recipe.name} made a file that ${error.message}`);
      }
      if (isMissing(error)) {
        throw failedPrecondition("RECIPE_FAILED", name, `the recipe ${recipe.name} left no file "image"`);
      }
      throw asFailure(error, name, "build");
    } finally {
      await arrival.drop();
    }
  }

  async #list(): Promise<string[]> {
    const all = await Promise.all(this.#directories.map((directory) => readdir(directory).catch(() => [])));
    return [...new Set(all.flat().filter(isId))].sort();
  }
}

function hostArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
