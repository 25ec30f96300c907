import { failedPrecondition, messageOf, ZorError } from "../../../lib/errors.js";
import type { Archive } from "./archive.js";
import { bringDebs, type Debs } from "./debs.js";
import type { Deltas, Parcel } from "./delta.js";
import { factsScript, type HostFacts, parseFacts } from "./facts.js";
import type { Remote } from "./remote.js";
import type { Step, Task } from "./step.js";

/** What a host gets beside the archive. */
export interface BringOptions {
  readonly archive: Archive;
  /** Archives for hosts that have another version; undefined: there are none. */
  readonly deltas?: Deltas | undefined;
  /** Debian packages that are brought along; undefined: the host's own apt fetches them. */
  readonly debs: Debs | undefined;
  /** "zor-agent" or "zor-hub". */
  readonly unit: string;
  /** Debian packages that it needs. */
  readonly packages: readonly string[];
}

const cache = "/var/cache/zorhub";
const script = "/opt/zorhub/current/deploy/package/install-version.sh";

/** Looks at a host; changes nothing. */
export async function readFacts(remote: Remote, options: Omit<BringOptions, "debs">): Promise<HostFacts> {
  const begin = Date.now();
  const text = await remote.must("looking at it", factsScript(options, options.unit));
  return parseFacts(text, options.packages, [begin, Date.now()]);
}

/** What a host of any kind is brought first: Debian packages, and the version beside those it has. */
export function bringTasks(remote: Remote, facts: HostFacts, options: BringOptions, step: Step): readonly Task[] {
  const { archive } = options;
  return [
    {
      name: "packages",
      isNeeded: facts.missingPackages.length > 0,
      run: async () => {
        step("packages");
        await bringPackages(remote, facts.missingPackages, options, step);
      },
    },
    {
      name: "version",
      isNeeded: !facts.versions.includes(archive.id),
      run: () => bringVersion(remote, facts, options, step),
    },
  ];
}

/** Installs the Debian packages that are missing. @throws {ZorError} with what apt says, and what to do without a network. */
async function bringPackages(
  remote: Remote,
  missing: readonly string[],
  { debs }: BringOptions,
  step: Step,
): Promise<void> {
  if (debs !== undefined) {
    await bringDebs(remote, missing, debs, step);
    return;
  }
  const apt = `DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=2`;
  const install = `${apt} --no-install-recommends install ${missing.join(" ")}`;
  const onLine = (line: string): void => {
    const [, what] = /^(?:Setting up|Unpacking) (\S+)/.exec(line) ?? [];
    if (what !== undefined) step(`packages: ${what}`);
  };
  try {
    // What is known of packages may be old, or nothing at all.
    await remote.must("apt-get", `${install} 2>&1 || { ${apt} update 2>&1 && ${install} 2>&1; }`, { onLine });
  } catch (error) {
    const remedy =
      "without a way to its archive, bring them along with --debs DIR, made by: npm run package -- --only offline";
    throw failedPrecondition(
      "PACKAGES_MISSING",
      remote.connection.name,
      `${messageOf(error)} (wanted: ${missing.join(", ")}); ${remedy}`,
    );
  }
}

/** Brings the version beside those that are there; nothing is switched. What a version there has already is not sent, where that is known. */
async function bringVersion(
  remote: Remote,
  facts: HostFacts,
  { archive, deltas }: BringOptions,
  step: Step,
): Promise<void> {
  // What was begun is gone on with.
  const delta = facts.current === "" || facts.sentBytes > 0 ? undefined : await deltaFor(remote, facts.current, deltas);
  if (delta !== undefined) {
    try {
      await unpackParcel(remote, delta, step);
      return;
    } catch (error) {
      if (!(error instanceof ZorError) || error.reason !== "REMOTE_FAILED") throw error;
      // What is there is damaged, or cannot be linked to: with all of the archive it is not needed.
    }
  }
  await unpackParcel(remote, archive, step);
}

async function deltaFor(remote: Remote, current: string, deltas: Deltas | undefined): Promise<Parcel | undefined> {
  const read = `cat /opt/zorhub/versions/${current}/SHA256SUMS`;
  return deltas?.from(current, () => remote.must("reading what the version there holds", read)).catch(() => undefined);
}

/** Sends an archive, or what is missing of it, and unpacks it. */
async function unpackParcel(remote: Remote, { path, bytes, sha256 }: Parcel, step: Step): Promise<void> {
  const part = `${cache}/${sha256}.part`;
  // What is longer than it may be is none of it.
  const find = `n=$(stat -c %s ${part} 2>/dev/null) || n=0; [ "$n" -le ${bytes} ] || { rm -f ${part}; n=0; }; echo "$n"`;
  const start = Number(await remote.must("making room", find));
  const total = (bytes / 1e6).toFixed(0);
  if (start < bytes) {
    await remote.send({ path, start }, part, (count) => step(`sends ${(count / 1e6).toFixed(0)} of ${total} MB`));
  }
  step("unpacks");
  // One name, and the first: the rest of the archive need not be read for it. Every file is checked when it is unpacked; only when something is
  // wrong it matters whether that came about on the way.
  const unpack = `cd ${cache} && tar -xzOf ${part} --occurrence=1 --wildcards '*/deploy/package/install-version.sh' > install-version.sh && sh install-version.sh install ${part} --no-switch && rm -f ${part} install-version.sh`;
  const digest = `printf '%s  %s\\n' ${sha256} ${part} | sha256sum --quiet --strict -c - >/dev/null 2>&1`;
  const damaged = `{ rm -f ${part}; echo 'zor: what was sent is damaged; run it again' >&2; }`;
  await remote.must(
    "installing the version",
    `(${unpack}); code=$?; [ $code = 0 ] || ${digest} || ${damaged}; exit $code`,
  );
}

/** Makes an installed version current; nothing is started anew. */
export async function makeCurrent(remote: Remote, id: string): Promise<void> {
  await remote.must("switching to the version", `sh ${ownScript(id)} switch ${id}`);
}

/** Writes the settings of a program, whole or not at all. @param program "agent" or "hub". */
export async function writeSettings(remote: Remote, program: string, text: string): Promise<void> {
  const file = `/etc/zor/${program}.yaml`;
  const fresh = `/etc/zor/.${program}.yaml.new`;
  const write = `umask 022; mkdir -p /etc/zor && cat > ${fresh} && mv -f ${fresh} ${file}`;
  await remote.must(`writing ${file}`, write, { stdin: [Buffer.from(text)] });
}

/** Whether others can reach an address that a host says of itself: not where it says none, or loopback. */
export function isOpenAddress(ip: string): boolean {
  return ip !== "" && !/^(127\.|::1$|::ffff:127\.)/.test(ip);
}

/** Enables and starts the program; tells its process id. */
export async function startUnit(remote: Remote, unit: string): Promise<bigint> {
  const beside = unit === "zor-agent" ? " zor-guests" : "";
  return startWith(remote, unit, `systemctl --quiet enable ${unit}${beside} && systemctl start ${unit}${beside}`);
}

/** Starts a program by a command; tells its process id. */
export async function startWith(remote: Remote, unit: string, command: string): Promise<bigint> {
  const out = await remote.must(
    `starting ${unit}`,
    `{ ${command}; } 2>&1 && systemctl show -p MainPID --value ${unit}`,
  );
  return BigInt(/^(\d+)$/m.exec(out.trim().split("\n").at(-1) ?? "")?.[1] ?? "0");
}

/** The last lines that a program logged, for people; "" when there are none. */
export async function lastWords(remote: Remote, unit: string): Promise<string> {
  // Its own words; those of systemd, that it starts it again and again, when it has said nothing.
  const own = `journalctl -q -n 30 -o cat _SYSTEMD_UNIT=${unit}.service 2>/dev/null`;
  const { stdout } = await remote.root(
    `w=$(${own}); [ -n "$w" ] || w=$(journalctl -q -n 3 -o cat -u ${unit} 2>/dev/null); printf '%s\\n' "$w"`,
  );
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s+at |^Node\.js v|^\s*\^+$|^file:\/\//.test(line))
    .slice(-3)
    .join(" | ")
    .slice(0, 600);
}

/** Removes versions that nothing runs from, but for the current and the one before. */
export async function prune(remote: Remote): Promise<void> {
  await remote.must("removing old versions", `sh ${script} prune >/dev/null`);
}

/** Script of the version itself: it knows what it needs. */
export function ownScript(id: string): string {
  return `/opt/zorhub/versions/${id}/deploy/package/install-version.sh`;
}
