import { invalidArgument } from "../errors.js";

/** What a join token tells the joiner. */
export interface JoinToken {
  /** Addresses ("ip:port") of the hub's join listener, tried in order. */
  readonly addresses: readonly string[];
  /** SHA-256 of the hub's CA certificate (DER): the joiner checks the hub with it before it sends anything. */
  readonly caSha256: Buffer;
  /** Proves the right to join; 32 bytes. */
  readonly secret: Buffer;
}

const prefix = "zor1.";
const maxLength = 4096;

/** A token as one word to copy and paste. */
export function formatToken(token: JoinToken): string {
  const body = [token.addresses, token.caSha256.toString("base64url"), token.secret.toString("base64url")];
  return prefix + Buffer.from(JSON.stringify(body)).toString("base64url");
}

/** Reads a token. @throws {ZorError} INVALID_ARGUMENT that does not repeat it. */
export function parseToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (trimmed.startsWith(prefix) && trimmed.length <= maxLength) {
    const token = decode(trimmed.slice(prefix.length));
    if (token !== undefined) return token;
  }
  throw invalidArgument(
    "token",
    'is not a join token (one word that begins with "zor1."); was it cut when it was copied?',
  );
}

function decode(body: string): JoinToken | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
    if (!Array.isArray(parsed)) return undefined;
    const [addresses, ca, secret] = parsed as unknown[];
    if (!isAddresses(addresses) || typeof ca !== "string" || typeof secret !== "string") return undefined;
    const token = { addresses, caSha256: Buffer.from(ca, "base64url"), secret: Buffer.from(secret, "base64url") };
    return token.caSha256.length === 32 && token.secret.length === 32 ? token : undefined;
  } catch {
    return undefined;
  }
}

function isAddresses(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((address) => typeof address === "string");
}
