import { createHmac } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { appendKnownHost, fingerprint, keyType, KnownHosts } from "../../../../lib/ssh/known-hosts.js";
import { globMatches } from "../../../../lib/ssh/patterns.js";

/** A public key as ssh sends it, its bytes made of a word. */
function keyOf(word: string, type = "ssh-ed25519"): Buffer {
  const part = (data: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, data.length]), data]);
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.alloc(32, word))]);
}

function lineOf(names: string, key: Buffer): string {
  return `${names} ${keyType(key)} ${key.toString("base64")} comment\n`;
}

async function known(text: string) {
  const directory = await mkdtemp(join(tmpdir(), "zor-known-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "known_hosts");
  await writeFile(file, text);
  return { file, hosts: await KnownHosts.read([file, join(directory, "missing")]) };
}

const [mine, other] = [keyOf("mine"), keyOf("other")];

test("keys are known by name, by pattern and by port", async () => {
  const { hosts } = await known(
    `# c\n\n${lineOf("rack7,10.0.0.7", mine)}${lineOf("[rack8]:2222", mine)}${lineOf("*.lab,!bad.lab", mine)}`,
  );
  expect(hosts.judge({ host: "Rack7", port: 22, key: mine })).toEqual({ kind: "known" });
  expect(hosts.judge({ host: "10.0.0.7", port: 22, key: mine })).toEqual({ kind: "known" });
  expect(hosts.judge({ host: "rack8", port: 2222, key: mine })).toEqual({ kind: "known" });
  expect(hosts.judge({ host: "rack8", port: 22, key: mine })).toMatchObject({ kind: "unknown" });
  expect(hosts.judge({ host: "a.lab", port: 22, key: mine })).toEqual({ kind: "known" });
  expect(hosts.judge({ host: "bad.lab", port: 22, key: mine })).toMatchObject({ kind: "unknown" });
});

test("another key is told with the lines that have the right one, one of another type as well", async () => {
  const { file, hosts } = await known(`${lineOf("rack6", other)}${lineOf("rack7", mine)}`);
  expect(hosts.judge({ host: "rack7", port: 22, key: other })).toEqual({ kind: "changed", places: [`${file}:2`] });
  expect(hosts.judge({ host: "rack7", port: 22, key: keyOf("mine", "ssh-rsa") })).toEqual({
    kind: "changed",
    places: [`${file}:2`],
  });
  expect(hosts.typesOf({ host: "rack7", port: 22 })).toEqual(["ssh-ed25519"]);
});

test("a revoked key is never known, whatever else is there", async () => {
  const { file, hosts } = await known(`${lineOf("rack7", mine)}@revoked ${lineOf("*", mine)}`);
  expect(hosts.judge({ host: "rack7", port: 22, key: mine })).toEqual({ kind: "revoked", place: `${file}:2` });
});

test("a certificate authority is told, and makes no key known", async () => {
  const { hosts } = await known(`@cert-authority ${lineOf("*.lab", mine)}`);
  expect(hosts.judge({ host: "a.lab", port: 22, key: mine })).toMatchObject({
    kind: "unknown",
    why: expect.stringContaining("certificates of servers cannot be checked here"),
  });
});

test.each([false, true])("a key that was accepted is known from then on (hashed: %s)", async (hashed) => {
  const { file } = await known("unended line");
  await appendKnownHost(file, { host: "Rack7", port: 2222, key: mine }, hashed);
  const text = await readFile(file, "utf8");
  expect(text.includes("rack7")).toBe(!hashed);
  const hosts = await KnownHosts.read([file]);
  expect(hosts.judge({ host: "rack7", port: 2222, key: mine })).toEqual({ kind: "known" });
  expect(hosts.judge({ host: "rack8", port: 2222, key: mine })).toMatchObject({ kind: "unknown" });
});

test("a hashed name is found", async () => {
  const salt = Buffer.alloc(20, 7);
  const hash = createHmac("sha1", salt).update("rack7").digest("base64");
  const { hosts } = await known(lineOf(`|1|${salt.toString("base64")}|${hash}`, mine));
  expect(hosts.judge({ host: "rack7", port: 22, key: mine })).toEqual({ kind: "known" });
});

test("fingerprints are those that ssh shows", () => {
  const key = Buffer.from("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "base64");
  // GitHub's published one.
  expect(fingerprint(key)).toBe("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
});

test("patterns take no time that grows with their stars", () => {
  expect(globMatches(`${"*a".repeat(40)}b`, "a".repeat(4000))).toBe(false);
  expect(globMatches("r?ck*", "rack7")).toBe(true);
  expect(globMatches("", "")).toBe(true);
});
