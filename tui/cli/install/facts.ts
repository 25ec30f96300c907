import type { Archive } from "./archive.js";

/** What a host is like before anything is done to it. */
export interface HostFacts {
  /** "x86_64" */
  readonly machine: string;
  readonly os: { readonly id: string; readonly like: string; readonly version: string; readonly name: string };
  readonly hasSystemd: boolean;
  /** Seconds since 1970 by its clock. */
  readonly clock: number;
  /** Milliseconds since 1970 here, when its clock was read, and how wrong that may be. */
  readonly readAtMs: number;
  readonly readErrorMs: number;
  /** MiB that are free where versions lie. */
  readonly freeMib: number;
  /** Tools of a bare Debian that are not there. */
  readonly missingTools: readonly string[];
  /** Wanted Debian packages that are not installed. */
  readonly missingPackages: readonly string[];
  readonly hasKvm: boolean;
  /** TCP ports that something listens on. */
  readonly ports: ReadonlySet<number>;
  /** Id of the current version; "": none. */
  readonly current: string;
  /** Id of the version before; "": none. */
  readonly previous: string;
  /** Ids of all installed versions. */
  readonly versions: readonly string[];
  /** A checkout of the sources lies where versions go. */
  readonly hasCheckout: boolean;
  /** Installed from Debian packages. */
  readonly hasDebs: boolean;
  /** The agent's certificate; "": it has not joined. */
  readonly certificate: string;
  readonly hasConfig: boolean;
  /** A hub is there as well, or alone. */
  readonly hasHub: boolean;
  readonly units: { readonly isActive: boolean; readonly isEnabled: boolean };
  /** Bytes of the archive that are there from a run that was cut off. */
  readonly sentBytes: number;
}

const tools = [
  "tar",
  "gzip",
  "sha256sum",
  "flock",
  "awk",
  "df",
  "find",
  "readlink",
  "sed",
  "dpkg-query",
  "apt-get",
  "systemctl",
];

/** The script that reads the facts, as root. What it prints is "key value" lines; nothing of it changes anything. */
export function factsScript(
  { archive, packages }: { readonly archive: Pick<Archive, "sha256">; readonly packages: readonly string[] },
  unit: string,
): string {
  return `
p() { printf '%s %s\\n' "$1" "$2"; }
p clock "$(date +%s.%N)"
p machine "$(uname -m)"
(. /etc/os-release 2>/dev/null; p osId "\${ID-}"; p osLike "\${ID_LIKE-}"; p osVersion "\${VERSION_ID-}"; p osName "\${PRETTY_NAME-}")
[ ! -d /run/systemd/system ] || p systemd yes
for d in /opt/zorhub /opt /; do [ ! -d $d ] || { p free "$(df -Pk $d | awk 'NR == 2 { print int($4 / 1024) }')"; break; }; done
for t in ${tools.join(" ")}; do command -v $t >/dev/null 2>&1 || p missingTool $t; done
${packages.length === 0 ? "" : listPackages(packages)}
[ ! -w /dev/kvm ] || p kvm yes
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { n = split($2, a, ":"); print "port", a[n] }' | sort -u
p current "$(basename "$(readlink /opt/zorhub/current 2>/dev/null)")"
p previous "$(basename "$(readlink /opt/zorhub/previous 2>/dev/null)")"
for v in /opt/zorhub/versions/*/SHA256SUMS; do [ ! -e "$v" ] || p version "$(basename "$(dirname "$v")")"; done
[ ! -e /opt/zorhub/package.json ] || p checkout yes
[ ! -e /var/lib/dpkg/info/zorhub-common.list ] || p debs yes
[ ! -e /var/lib/zor/agent/identity/cert.pem ] || p certificate "$(base64 -w0 /var/lib/zor/agent/identity/cert.pem)"
[ ! -e /etc/zor/${unit.replace("zor-", "")}.yaml ] || p config yes
! systemctl --quiet is-active ${unit} 2>/dev/null || p active yes
! systemctl --quiet is-enabled ${unit} 2>/dev/null || p enabled yes
! systemctl --quiet is-enabled zor-hub 2>/dev/null && ! systemctl --quiet is-active zor-hub 2>/dev/null || p hub yes
p sent "$(stat -c %s /var/cache/zorhub/${archive.sha256}.part 2>/dev/null || echo 0)"
`;
}

/** Reads what {@link factsScript} printed. @param read when it ran, in milliseconds here: begin and end. */
export function parseFacts(
  text: string,
  packages: readonly string[],
  read: readonly [begin: number, end: number],
): HostFacts {
  const all = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [key = "", ...rest] = line.split(" ");
    if (key !== "") all.set(key, [...(all.get(key) ?? []), rest.join(" ")]);
  }
  const one = (key: string): string => all.get(key)?.[0] ?? "";
  const many = (key: string): readonly string[] => all.get(key) ?? [];
  const installed = new Set(
    many("has").flatMap((each) => (each.endsWith(" installed") ? [each.split(" ")[0] ?? ""] : [])),
  );
  const [begin, end] = read;
  return {
    machine: one("machine"),
    os: { id: one("osId"), like: one("osLike"), version: one("osVersion"), name: one("osName") },
    hasSystemd: one("systemd") === "yes",
    clock: Number(one("clock")),
    readAtMs: (begin + end) / 2,
    readErrorMs: (end - begin) / 2,
    freeMib: Number(one("free")),
    missingTools: many("missingTool"),
    missingPackages: packages.filter((name) => !installed.has(name)),
    hasKvm: one("kvm") === "yes",
    ports: new Set(many("port").map((port) => Number.parseInt(port, 16))),
    current: one("current"),
    previous: one("previous"),
    versions: many("version"),
    hasCheckout: one("checkout") === "yes",
    hasDebs: one("debs") === "yes",
    certificate: Buffer.from(one("certificate"), "base64").toString("utf8"),
    hasConfig: one("config") === "yes",
    hasHub: one("hub") === "yes",
    units: { isActive: one("active") === "yes", isEnabled: one("enabled") === "yes" },
    sentBytes: Number(one("sent")),
  };
}

function listPackages(names: readonly string[]): string {
  return `dpkg-query -W -f='has \${Package} \${db:Status-Status}\\n' ${names.join(" ")} 2>/dev/null | sed 's/:[a-z0-9]* / /'`;
}
