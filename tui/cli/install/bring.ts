import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, invalidArgument, messageOf } from "../../../lib/errors.js";
import type { Archive } from "./archive.js";
import { factsScript, type HostFacts, parseFacts } from "./facts.js";
import type { Remote } from "./remote.js";

/** What a host gets beside the archive. */
export interface BringOptions {
  readonly archive: Archive;
  /** Directory of Debian packages that are brought along; undefined: the host's own apt fetches them. */
  readonly debs: string | undefined;
  /** "zor-agent" or "zor-hub". */
  readonly unit: string;
  /** Debian packages that it needs. */
  readonly packages: readonly string[];
}

type Step = (text: string) => void;

const cache = "/var/cache/zorhub";
const script = "/opt/zorhub/current/deploy/package/install-version.sh";

/** Looks at a host; changes nothing. */
export async function readFacts(remote: Remote, options: Omit<BringOptions, "debs">): Promise<HostFacts> {
  const begin = Date.now();
  const text = await remote.must("looking at it", factsScript(options, options.unit));
  return parseFacts(text, options.packages, [begin, Date.now()]);
}

/** Installs the Debian packages that are missing. @throws {ZorError} with what apt says, and what to do without a network. */
export async function bringPackages(
  remote: Remote,
  missing: readonly string[],
  { debs }: BringOptions,
  step: Step,
): Promise<void> {
  if (debs !== undefined) {
    await bringDebs(remote, debs, step);
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
    const remedy = "without a way to its archive, bring the packages along with --debs DIR";
    throw failedPrecondition(
      "PACKAGES_MISSING",
      remote.connection.name,
      `${messageOf(error)} (wanted: ${missing.join(", ")}); ${remedy}`,
    );
  }
}

async function bringDebs(remote: Remote, directory: string, step: Step): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".deb")).sort();
  if (names.length === 0) throw invalidArgument("--debs", `there are no .deb files in ${directory}`);
  const bad = names.find((name) => !/^[\w.+~%-]+\.deb$/.test(name));
  if (bad !== undefined) throw invalidArgument("--debs", `${bad} is not named as Debian packages are`);
  await remote.must("making room", `rm -rf ${cache}/debs; mkdir -p ${cache}/debs`);
  for (const [at, name] of names.entries()) {
    step(`packages: ${at + 1} of ${names.length} sent`);
    await remote.send({ path: join(directory, name), start: 0 }, `${cache}/debs/${name}`, () => undefined);
  }
  const install = `DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 --no-download --no-install-recommends install ${cache}/debs/*.deb`;
  await remote.must("installing the packages of --debs", `${install} 2>&1; code=$?; rm -rf ${cache}/debs; exit $code`);
}

/** Sends the archive, or what is missing of it, and unpacks it beside other versions; nothing is switched. */
export async function bringVersion(
  remote: Remote,
  facts: HostFacts,
  { archive }: BringOptions,
  step: Step,
): Promise<void> {
  const part = `${cache}/${archive.sha256}.part`;
  let start = facts.sentBytes;
  if (start > archive.bytes) {
    await remote.must("making room", `rm -f ${part}`);
    start = 0;
  }
  const total = (archive.bytes / 1e6).toFixed(0);
  if (start < archive.bytes) {
    await remote.send({ path: archive.path, start }, part, (count) =>
      step(`sends ${(count / 1e6).toFixed(0)} of ${total} MB`),
    );
  }
  step("unpacks");
  const digest = `printf '%s  %s\\n' ${archive.sha256} ${part} | sha256sum --quiet --strict -c - || { rm -f ${part}; echo 'zor: what was sent is damaged; run it again' >&2; exit 1; }`;
  // One name, and the first: the rest of the archive need not be read for it.
  const unpack = `cd ${cache} && tar -xzOf ${part} --occurrence=1 --wildcards '*/deploy/package/install-version.sh' > install-version.sh && sh install-version.sh install ${part} --no-switch && rm -f ${part} install-version.sh`;
  await remote.must("installing the version", `${digest}\n${unpack}`);
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

/** Makes a version current, starts its program anew and tells its process id. Guests, cables and relays go on. */
export async function switchTo(remote: Remote, id: string, unit: string): Promise<bigint> {
  return start(remote, unit, `sh ${ownScript(id)} switch ${id} >/dev/null && systemctl restart ${unit}`);
}

/** Goes back to the version that was current before. */
export async function rollBack(remote: Remote, unit: string): Promise<bigint> {
  return start(remote, unit, `sh ${script} rollback >/dev/null && systemctl restart ${unit}`);
}

/** Enables and starts the program; tells its process id. */
export async function startUnit(remote: Remote, unit: string): Promise<bigint> {
  const beside = unit === "zor-agent" ? " zor-guests" : "";
  return start(remote, unit, `systemctl --quiet enable ${unit}${beside} && systemctl start ${unit}${beside}`);
}

async function start(remote: Remote, unit: string, command: string): Promise<bigint> {
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

/** Of the version itself: it knows what it needs. */
function ownScript(id: string): string {
  return `/opt/zorhub/versions/${id}/deploy/package/install-version.sh`;
}
