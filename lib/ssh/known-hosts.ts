import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { readIfExists } from "../files.js";
import { anyMatches, globMatches } from "./patterns.js";

/** What known_hosts files say of a server's key. */
export type HostKeyVerdict =
  | { readonly kind: "known" }
  /** No key is known for this server. `why` says what else was found, or is "". */
  | { readonly kind: "unknown"; readonly why: string }
  /** Another key is known. `places` are "file:line" of those. */
  | { readonly kind: "changed"; readonly places: readonly string[] }
  | { readonly kind: "revoked"; readonly place: string };

/** A server and the key it shows. */
export interface ShownKey {
  /** As it was dialled, or its HostKeyAlias. */
  readonly host: string;
  readonly port: number;
  /** The public key as ssh sends it. */
  readonly key: Buffer;
}

interface Line {
  readonly marker: "" | "@cert-authority" | "@revoked";
  readonly patterns: readonly string[];
  readonly type: string;
  readonly key: Buffer;
  /** "file:line" */
  readonly place: string;
}

/** Keys of servers, from files in the format of sshd(8). */
export class KnownHosts {
  readonly #lines: readonly Line[];

  private constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  /** Reads the files that are there. Lines that cannot be read are passed over, as ssh does. */
  static async read(files: readonly string[]): Promise<KnownHosts> {
    const texts = await Promise.all(files.map(async (file) => ({ file, text: (await readIfExists(file)) ?? "" })));
    return new KnownHosts(texts.flatMap(({ file, text }) => parse(file, text)));
  }

  /** Types of the keys that are known for a server, for it to show one of them. */
  typesOf(place: Omit<ShownKey, "key">): readonly string[] {
    return [...new Set(this.#of(place).flatMap(({ marker, type }) => (marker === "" ? [type] : [])))];
  }

  judge(shown: ShownKey): HostKeyVerdict {
    const lines = this.#of(shown);
    const revoked = lines.find((line) => line.marker === "@revoked" && line.key.equals(shown.key));
    if (revoked !== undefined) return { kind: "revoked", place: revoked.place };
    const plain = lines.filter(({ marker }) => marker === "");
    if (plain.some(({ key }) => key.equals(shown.key))) return { kind: "known" };
    // One of another type counts as well: whoever stands between could show that type alone.
    if (plain.length > 0) return { kind: "changed", places: plain.map(({ place }) => place) };
    const authority = lines.find(({ marker }) => marker === "@cert-authority");
    if (authority === undefined) return { kind: "unknown", why: "" };
    return {
      kind: "unknown",
      why: `${authority.place} names an authority for it, but certificates of servers cannot be checked here`,
    };
  }

  #of({ host, port }: Omit<ShownKey, "key">): readonly Line[] {
    const name = nameOf(host, port);
    return this.#lines.filter(({ patterns }) => anyMatches(patterns, (pattern) => matchesOne(pattern, name)));
  }
}

/** How a server is named in known_hosts: "host", or "[host]:port" beside port 22. */
export function nameOf(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** "SHA256:…" as ssh shows it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** Type of a public key as ssh sends it: "ssh-ed25519". */
export function keyType(key: Buffer): string {
  if (key.length < 4) return "";
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString("latin1");
}

/** Adds a key that was accepted to the end of a file, its server's name hashed when `hashed`. */
export async function appendKnownHost(file: string, { host, port, key }: ShownKey, hashed: boolean): Promise<void> {
  const name = nameOf(host, port);
  const line = `${hashed ? hashOf(name, randomBytes(20)) : name} ${keyType(key)} ${key.toString("base64")}\n`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const before = await readFile(file, "utf8").catch(() => "");
  await appendFile(file, before === "" || before.endsWith("\n") ? line : `\n${line}`, { mode: 0o600 });
}

function parse(file: string, text: string): readonly Line[] {
  return text.split("\n").flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/);
    const marker = words[0] === "@cert-authority" || words[0] === "@revoked" ? words[0] : "";
    const [names = "", type = "", key = ""] = marker === "" ? words : words.slice(1);
    if (names === "" || names.startsWith("#") || key === "") return [];
    const bytes = Buffer.from(key, "base64");
    if (keyType(bytes) !== type) return [];
    return [{ marker, patterns: names.split(","), type, key: bytes, place: `${file}:${index + 1}` }];
  });
}

function matchesOne(pattern: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(pattern);
  if (hashed === null) return globMatches(pattern.toLowerCase(), name);
  const [, salt = "", hash = ""] = hashed;
  const wanted = Buffer.from(hash, "base64");
  const made = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return wanted.length === made.length && timingSafeEqual(wanted, made);
}

function hashOf(name: string, salt: Buffer): string {
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}
