import { X509Certificate } from "node:crypto";
import { urisOf } from "../../../lib/auth/caller.js";
import { listed } from "../../../lib/words.js";
import type { Archive } from "./archive.js";
import { type Debs, debsProblems } from "./debs.js";
import type { HostFacts } from "./facts.js";

/** What a host is looked at for. */
export interface Expectation {
  readonly archive: Pick<Archive, "arch" | "bytes" | "id">;
  /** "hosts/alpha"; undefined: it is to be a hub, not a host. */
  readonly host: string | undefined;
  /** Certificate of the fleet's authority. */
  readonly caPem: string;
  /** The hub's clock minus the one here, in milliseconds; undefined: not known. */
  readonly hubAheadMs: number | undefined;
  /** Whose clock that is, in words: "the hub's". */
  readonly clockOf: string;
  /** Debian packages that are brought along; undefined: none. */
  readonly debs: Debs | undefined;
  /** Ports that its program will listen on. */
  readonly ports: readonly number[];
}

const machines: Readonly<Record<string, string>> = { x86_64: "x64", aarch64: "arm64" };
/** Certificates are valid from five minutes before they are made. */
const mostSkewMs = 60_000;
const unpacksTo = 3;
const spareMib = 300;

/** All that keeps a host from being installed, each with what to do; empty: nothing does. */
export function findProblems(facts: HostFacts, wanted: Expectation): readonly string[] {
  return [
    ...systemProblems(facts, wanted),
    ...debsProblems(facts, wanted.debs),
    ...clockProblems(facts, wanted),
    ...placeProblems(facts, wanted),
    ...identityProblems(facts, wanted),
  ];
}

function systemProblems(
  { machine, os, hasSystemd, missingTools }: HostFacts,
  { archive }: Expectation,
): readonly string[] {
  const isDebian = os.id === "debian" || os.id === "ubuntu" || os.like.split(" ").includes("debian");
  return [
    ...(machines[machine] === archive.arch
      ? []
      : [
          `it is ${machine}, and the archive is for ${archive.arch}: make one with "npm run package -- --arch ${machines[machine] ?? machine}"`,
        ]),
    ...(isDebian
      ? []
      : [`it runs ${os.name || "no system that says its name"}: Debian 12 or one made of it is needed`]),
    ...(hasSystemd ? [] : ["systemd does not run there: it starts and keeps the agent"]),
    ...(missingTools.length === 0 ? [] : [`without ${listed(missingTools)}, which every Debian has`]),
  ];
}

function clockProblems(
  { clock, readAtMs, readErrorMs }: HostFacts,
  { hubAheadMs, clockOf }: Expectation,
): readonly string[] {
  if (hubAheadMs === undefined || !Number.isFinite(clock)) return [];
  const [host, hub] = [clock * 1000, readAtMs + hubAheadMs];
  if (Math.abs(host - hub) <= mostSkewMs + readErrorMs) return [];
  const text = (ms: number): string => new Date(ms).toISOString().slice(0, 19);
  return [
    `its clock says ${text(host)}Z and ${clockOf} ${text(hub)}Z: certificates need them alike; set it, or let systemd-timesyncd do so`,
  ];
}

function placeProblems(facts: HostFacts, { archive, ports }: Expectation): readonly string[] {
  const { hasCheckout, hasDebs, versions, freeMib, units } = facts;
  const needed = versions.includes(archive.id) ? 0 : Math.ceil((archive.bytes * (unpacksTo + 1)) / 2 ** 20) + spareMib;
  const taken = units.isActive ? [] : ports.filter((port) => facts.ports.has(port));
  return [
    ...(hasCheckout
      ? [
          "/opt/zorhub is a checkout of the sources: move it away (mv /opt/zorhub /opt/zorhub-checkout); what runs from it goes on",
        ]
      : []),
    ...(hasDebs
      ? [
          "Zorhub is installed there from Debian packages: upgrade those, or remove them first (apt-get remove zorhub-common)",
        ]
      : []),
    ...(freeMib >= needed ? [] : [`${needed} MiB are needed below /opt, ${freeMib} MiB are free`]),
    ...(taken.length === 0
      ? []
      : [
          `something else listens on port ${listed(taken.map(String))}: end it, or choose another address with "listen" in a file of hosts (-f)`,
        ]),
  ];
}

function identityProblems({ certificate }: HostFacts, { host, caPem }: Expectation): readonly string[] {
  if (certificate === "" || host === undefined) return [];
  const mine = readIdentity(certificate);
  if (mine === undefined)
    return [
      "the certificate in /var/lib/zor/agent/identity cannot be read: give the host a new one with zor host rejoin",
    ];
  if (!isOf(mine.certificate, caPem)) {
    return [
      `an agent of another fleet is there (${mine.name}): take it away first, with zor host uninstall in a context of that fleet`,
    ];
  }
  if (mine.certificate.validToDate < new Date()) {
    const end = mine.certificate.validToDate.toISOString();
    return [`its certificate expired at ${end}: give it a new one with zor host rejoin`];
  }
  return mine.name === host
    ? []
    : [
        `it is ${mine.name} of this fleet already: name it ${mine.name.replace("hosts/", "")}=USER@HOST, or take it away first with zor host uninstall`,
      ];
}

/** Which host a certificate is of. */
function readIdentity(pem: string): { readonly name: string; readonly certificate: X509Certificate } | undefined {
  try {
    const certificate = new X509Certificate(pem);
    const uri = urisOf({ subjectaltname: certificate.subjectAltName ?? "" }).find((each) =>
      each.startsWith("zor://host/"),
    );
    return uri === undefined ? undefined : { name: uri.replace("zor://host/", "hosts/"), certificate };
  } catch {
    return undefined;
  }
}

function isOf(certificate: X509Certificate, caPem: string): boolean {
  const authorities = caPem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return authorities.some((pem) => certificate.verify(new X509Certificate(pem).publicKey));
}
