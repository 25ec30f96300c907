import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { failedPrecondition, invalidArgument, messageOf } from "../../../lib/errors.js";
import { exists } from "../../../lib/files.js";
import { writeTar } from "../../../lib/tree/tar-writer.js";
import type { TreeItem } from "../../../lib/tree/tree.js";
import type { HostFacts } from "./facts.js";
import type { Remote } from "./remote.js";
import type { Step } from "./step.js";

/** A Debian package that is brought along. */
interface Deb {
  /** Its file there, whose name says no epoch: apt takes a quoted one for another name. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** Debian packages for hosts that reach no archive of Debian's. */
export interface Debs {
  readonly directory: string;
  readonly files: readonly Deb[];
  /** What apt reads, as `npm run package -- --only offline` writes it; undefined: it is made on the host. */
  readonly index: string | undefined;
  /** What they are for: "debian", "12"; undefined: nobody has said. */
  readonly system: { readonly id: string; readonly version: string } | undefined;
}

const cache = "/var/cache/zorhub/debs";
const aboutSchema = z.object({ system: z.object({ id: z.string(), version: z.string() }) });

/** Reads what is brought along; undefined where no directory was named. @throws {ZorError} INVALID_ARGUMENT. */
export async function findDebs(directory: string | undefined): Promise<Debs | undefined> {
  if (directory === undefined) return undefined;
  const names = await readdir(directory).catch((error: unknown) => {
    throw invalidArgument("--debs", `${directory} cannot be read: ${messageOf(error)}`);
  });
  const files = await Promise.all(
    names.filter((name) => name.endsWith(".deb")).map((name) => readDeb(directory, name)),
  );
  if (files.length === 0) {
    const remedy = "make them with: npm run package -- --only offline";
    throw invalidArgument("--debs", `there are no .deb files in ${directory}; ${remedy}`);
  }
  const index = join(directory, "Packages");
  return {
    directory,
    files,
    index: (await exists(index)) ? await readFile(index, "utf8") : undefined,
    system: await readSystem(join(directory, "offline.json")),
  };
}

async function readDeb(directory: string, file: string): Promise<Deb> {
  if (!/^[\w.+~%-]+\.deb$/.test(file)) throw invalidArgument("--debs", `${file} is not named as Debian packages are`);
  const path = join(directory, file);
  return { name: file.replace(/_\d+%3a/, "_"), path, bytes: (await stat(path)).size };
}

async function readSystem(path: string): Promise<Debs["system"]> {
  if (!(await exists(path))) return undefined;
  try {
    return aboutSchema.parse(JSON.parse(await readFile(path, "utf8"))).system;
  } catch (error) {
    throw invalidArgument("--debs", `${path} cannot be read: ${messageOf(error)}`);
  }
}

/** What keeps a host from being brought them; empty: nothing does. */
export function debsProblems({ os, missingPackages }: HostFacts, debs: Debs | undefined): readonly string[] {
  const system = debs?.system;
  if (system === undefined || missingPackages.length === 0) return [];
  if (system.id === os.id && system.version === os.version) return [];
  return [`the packages of --debs are of ${system.id} ${system.version}, and it runs ${os.id} ${os.version}`];
}

/**
 * Installs packages on a host from those brought along, which apt takes for an archive beside which there is no other: it is sent what apt wants
 * of them, without what is there from a run that was cut off.
 * @throws {ZorError} FAILED_PRECONDITION with what apt misses.
 */
export async function bringDebs(remote: Remote, missing: readonly string[], debs: Debs, step: Step): Promise<void> {
  const { files, index } = debs;
  await remote.must("making room", `umask 077; mkdir -p ${cache} && rm -rf ${cache}/apt ${cache}/Packages`);
  if (index === undefined) {
    await send(remote, files, step);
    await remote.must("reading the packages of --debs", makeIndex);
  } else {
    await remote.must("sending the list of packages", `cat > ${cache}/Packages`, { stdin: [Buffer.from(index)] });
  }
  const wanted = missing.join(" ");
  try {
    const plan = await remote.must(
      "apt-get",
      `${prepareApt} && ${apt} -q update 2>&1 && ${apt} -q -s install ${wanted} 2>&1`,
    );
    if (index !== undefined) await send(remote, chosenOf(plan, index, debs), step);
    const onLine = (line: string): void => {
      const [, what] = /^(?:Setting up|Unpacking) (\S+)/.exec(line) ?? [];
      if (what !== undefined) step(`packages: ${what}`);
    };
    const install = `DEBIAN_FRONTEND=noninteractive ${apt} -q -y -o DPkg::Lock::Timeout=600 install ${wanted} 2>&1`;
    await remote.must("apt-get", `${install}; code=$?; [ $code != 0 ] || rm -rf ${cache}; exit $code`, { onLine });
  } catch (error) {
    throw failedPrecondition(
      "PACKAGES_MISSING",
      remote.connection.name,
      `${messageOf(error)} (wanted: ${missing.join(", ")}); ${debs.directory} must have them with all that they need, for the release that runs there: npm run package -- --only offline`,
    );
  }
}

const prepareApt = `mkdir -p ${cache}/apt/lists/partial ${cache}/apt/archives/partial ${cache}/apt/parts && echo 'deb [trusted=yes] copy:${cache} ./' > ${cache}/apt/sources.list`;
/** Knows these packages alone, whatever the host's own lists say; what is installed it takes from the host. */
const apt = [
  "LC_ALL=C apt-get --no-install-recommends",
  ...[
    `Dir::Etc::SourceList=${cache}/apt/sources.list`,
    `Dir::Etc::SourceParts=${cache}/apt/parts`,
    `Dir::State::Lists=${cache}/apt/lists`,
    `Dir::Cache=${cache}/apt`,
    "APT::Sandbox::User=root",
  ].map((setting) => `-o ${setting}`),
].join(" ");
const makeIndex = `cd ${cache} && for f in *.deb; do dpkg-deb -f "$f" && printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$f" "$(stat -c %s "$f")" "$(sha256sum < "$f" | cut -d ' ' -f 1)" || exit 1; done > Packages`;

/** Files of the packages that apt would install, by what it says when it only simulates. */
export function chosenOf(plan: string, index: string, { files }: Pick<Debs, "files">): readonly Deb[] {
  const paths = new Map<string, string>();
  for (const stanza of index.split("\n\n")) {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(stanza)?.[1] ?? "";
    paths.set(`${field("Package")} ${field("Version")}`, field("Filename").replace("./", ""));
  }
  // "Inst swtpm [0.7.0] (0.7.1-1.3 localhost [amd64])"
  const lines = plan.matchAll(/^Inst (\S+?)(?::\S+)? (?:\[\S+\] )?\((\S+) /gm);
  const names = new Set([...lines].map(([, name = "", version = ""]) => paths.get(`${name} ${version}`)));
  return files.filter(({ name }) => names.has(name));
}

async function send(remote: Remote, wanted: readonly Deb[], step: Step): Promise<void> {
  const listing = await remote.must("making room", `cd ${cache} && find . -name '*.deb' -printf '%f %s\\n'`);
  const there = new Set(listing.split("\n"));
  const files = wanted.filter(({ name, bytes }) => !there.has(`${name} ${bytes}`));
  if (files.length === 0) return;
  const total = (files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(0);
  let sent = 0;
  async function* counted(): AsyncIterable<Buffer> {
    for await (const piece of writeTar(itemsOf(files), "debs")) {
      yield piece;
      sent += piece.length;
      step(`packages: sends ${(sent / 1e6).toFixed(0)} of ${total} MB`);
    }
  }
  const unpack = `umask 077; tar -x -C ${cache} --strip-components=1 --no-same-owner`;
  await remote.must("sending the packages of --debs", unpack, { stdin: counted() });
}

async function* itemsOf(files: readonly Deb[]): AsyncGenerator<TreeItem> {
  for (const { name, path, bytes } of files) {
    const own = { path: [name], mode: 0o644, uid: 0, gid: 0, mtime: 0, target: "" };
    yield { type: "entry", entry: { ...own, type: "file", size: bytes } };
    for await (const data of createReadStream(path, { highWaterMark: 256 * 1024, end: bytes - 1 })) {
      yield { type: "data", data: data as Buffer };
    }
  }
}
