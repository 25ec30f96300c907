import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { failedPrecondition, invalidArgument, messageOf } from "../../../lib/errors.js";
import { exists } from "../../../lib/files.js";
import { installationRoot, version } from "../../../lib/program.js";

/** What hosts are installed from, made by `npm run package`. */
export interface Archive {
  readonly path: string;
  readonly bytes: number;
  /** Of the whole file, in hexadecimal. */
  readonly sha256: string;
  /** Id of the version in it. */
  readonly id: string;
  /** "x64" or "arm64". */
  readonly arch: string;
  /** What its agent and hub say of themselves in GetVersion. */
  readonly builds: { readonly agent: string; readonly hub: string };
  /** Debian packages that a host needs. */
  readonly packages: readonly string[];
}

/** For what needs none. */
export const noArchive: Archive = {
  ...{ path: "", bytes: 0, sha256: "0", id: "", arch: "", packages: [] },
  builds: { agent: "", hub: "" },
};

const summarySchema = z.object({
  id: z.string(),
  arch: z.string(),
  bytes: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  builds: z.object({ agent: z.string(), hub: z.string() }),
});

/** Finds the archive. @throws {ZorError} when there is none, or it is not the one that its summary tells of. */
export async function findArchive(given: string | undefined): Promise<Archive> {
  const usual = join(installationRoot, ".zor/package", `zorhub-${version}-x64.tar.gz`);
  const path = given ?? usual;
  if (!(await exists(path))) {
    const message = `there is no archive ${path}; make it with "npm run package" in a clone, or name one with --archive`;
    throw failedPrecondition("NO_ARCHIVE", basename(path), message);
  }
  const summary = await readSummary(path);
  const { size } = await stat(path);
  if (size !== summary.bytes || (await digestOf(path)) !== summary.sha256) {
    throw invalidArgument("--archive", `${path} is not what ${path}.json says; make it again with: npm run package`);
  }
  return { path, ...summary, packages: await readPackages() };
}

async function readSummary(path: string) {
  try {
    return summarySchema.parse(JSON.parse(await readFile(`${path}.json`, "utf8")));
  } catch (error) {
    throw invalidArgument(
      "--archive",
      `${path}.json, which lies beside every archive, cannot be read: ${messageOf(error)}`,
    );
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** Debian packages without those that only tests need. */
async function readPackages(): Promise<readonly string[]> {
  const text = await readFile(join(installationRoot, "deploy/packages.txt"), "utf8");
  return text.split("\n").flatMap((line) => {
    const [name = ""] = line.replace(/#.*/, "").trim().split(/\s+/);
    return name === "" || /# test:/.test(line) ? [] : [name];
  });
}
