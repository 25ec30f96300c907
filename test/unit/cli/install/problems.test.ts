import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { run } from "../../../../agent/host/exec.js";
import { loadIdentity } from "../../../../lib/tls/identity.js";
import { factsScript, type HostFacts, parseFacts } from "../../../../tui/cli/install/facts.js";
import { type Expectation, findProblems } from "../../../../tui/cli/install/problems.js";
import { TestPki } from "../../../helpers/pki.js";

const archive = { arch: "x64", bytes: 71_000_000, id: "0.1.0-aaaaaaaaaaaaaaaa" };
const now = Date.UTC(2026, 0, 1);

/** A host on which nothing is wrong. */
const printed = `
clock ${now / 1000}
machine x86_64
osId debian
osVersion 12
osName Debian GNU/Linux 12 (bookworm)
systemd yes
free 20000
has crun installed
has qemu-utils config-files
port 0016
port 1D13
current 0.1.0-bbbbbbbbbbbbbbbb
previous
version 0.1.0-bbbbbbbbbbbbbbbb
sent 1000
`;
const facts = (more = ""): HostFacts =>
  parseFacts(`${printed}${more}`, ["crun", "qemu-utils", "zstd"], [now - 50, now + 50]);

let pki: { readonly mine: string; readonly caPem: string; readonly otherCa: string };
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), "zor-problems-"));
  const ours = await TestPki.create(join(directory, "ours"));
  const others = await TestPki.create(join(directory, "others"));
  await ours.host("alpha", join(directory, "alpha"));
  await others.host("beta", join(directory, "beta"));
  const [alpha, beta] = [await loadIdentity(join(directory, "alpha")), await loadIdentity(join(directory, "beta"))];
  pki = { mine: alpha.certificatePem, caPem: alpha.caPem, otherCa: beta.caPem };
  await rm(directory, { recursive: true });
});

const wanted = (more: Partial<Expectation> = {}): Expectation => ({
  ...{ archive, host: "hosts/alpha", caPem: pki.caPem, hubAheadMs: 0, clockOf: "the hub's", ports: [7444] },
  debs: undefined,
  ...more,
});

test("what a host says of itself is read", () => {
  expect(facts()).toMatchObject({
    machine: "x86_64",
    missingPackages: ["qemu-utils", "zstd"],
    ports: new Set([22, 7443]),
    current: "0.1.0-bbbbbbbbbbbbbbbb",
    previous: "",
    versions: ["0.1.0-bbbbbbbbbbbbbbbb"],
    sentBytes: 1000,
    units: { isActive: false, isEnabled: false },
    certificate: "",
  });
});

test("a host that is fit has no problems, and one that is not has all of them at once", () => {
  expect(findProblems(facts(), wanted())).toEqual([]);
  const bad = parseFacts(
    `clock ${now / 1000 + 3600}\nmachine aarch64\nosId fedora\nosName Fedora 40\nfree 100\nmissingTool flock\nport 1D14\ncheckout yes\n`,
    [],
    [now, now],
  );
  expect(findProblems(bad, wanted())).toEqual([
    expect.stringContaining(
      'it is aarch64, and the archive is for x64: make one with "npm run package -- --arch arm64"',
    ),
    expect.stringContaining("it runs Fedora 40"),
    expect.stringContaining("systemd does not run there"),
    expect.stringContaining("without flock"),
    expect.stringContaining("its clock says 2026-01-01T01:00:00Z and the hub's 2026-01-01T00:00:00Z"),
    expect.stringContaining("/opt/zorhub is a checkout"),
    expect.stringMatching(/\d+ MiB are needed below \/opt, 100 MiB are free/),
    expect.stringContaining("something else listens on port 7444"),
  ]);
});

test("clocks are compared with the hub's, not with the one here", () => {
  const hourAhead = 3_600_000;
  expect(findProblems(facts(), wanted({ hubAheadMs: hourAhead }))).toEqual([
    expect.stringContaining("the hub's 2026-01-01T01:00:00Z"),
  ]);
  const late = parseFacts(printed.replace(/clock .*/, `clock ${(now + hourAhead) / 1000}`), ["crun"], [now, now]);
  expect(findProblems(late, wanted({ hubAheadMs: hourAhead }))).toEqual([]);
});

test("an agent that runs is no stranger on its own ports, and an installed version needs no room", () => {
  const running = facts(`active yes\nport 1D14\n`);
  expect(findProblems(running, wanted())).toEqual([]);
  const full = parseFacts(printed.replace("free 20000", "free 1"), ["crun"], [now, now]);
  expect(findProblems(full, wanted())).toHaveLength(1);
  expect(findProblems(full, wanted({ archive: { ...archive, id: "0.1.0-bbbbbbbbbbbbbbbb" } }))).toEqual([]);
});

test("a host of another fleet, and one of another name, are told apart", () => {
  const certificate = `certificate ${Buffer.from(pki.mine).toString("base64")}\n`;
  expect(findProblems(facts(certificate), wanted())).toEqual([]);
  expect(findProblems(facts(certificate), wanted({ host: "hosts/gamma" }))).toEqual([
    expect.stringContaining("it is hosts/alpha of this fleet already: name it alpha=USER@HOST"),
  ]);
  expect(findProblems(facts(certificate), wanted({ caPem: pki.otherCa }))).toEqual([
    expect.stringContaining("an agent of another fleet is there (hosts/alpha)"),
  ]);
  const broken = `certificate ${Buffer.from("none").toString("base64")}\n`;
  expect(findProblems(facts(broken), wanted())).toEqual([expect.stringContaining("zor host rejoin")]);
});

test("the script that looks is one that a POSIX shell takes", async () => {
  const script = factsScript({ archive: { sha256: "0".repeat(64) }, packages: ["crun"] }, "zor-agent");
  await expect(run("sh", ["-n", "-c", script])).resolves.toMatchObject({ exitCode: 0 });
});

test("packages that are brought along must be of the system that runs there, where any are missing", () => {
  const debs = { directory: "/srv/debs", files: [], index: "", system: { id: "debian", version: "13" } };
  expect(findProblems(facts(), wanted({ debs }))).toEqual([
    "the packages of --debs are of debian 13, and it runs debian 12",
  ]);
  expect(findProblems(facts(), wanted({ debs: { ...debs, system: undefined } }))).toEqual([]);
  const whole = { ...facts(), missingPackages: [] };
  expect(findProblems(whole, wanted({ debs }))).toEqual([]);
});
