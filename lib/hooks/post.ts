import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { version } from "../program.js";
import { type AllowedNetworks, forbidden, guardedLookup, refusalOfHookIp } from "./hook-address.js";

/** What is posted, and where. */
export interface Post {
  readonly url: string;
  readonly secretFile: string | undefined;
  readonly allowed: AllowedNetworks;
  readonly hook: string;
  /** Tells deliveries of one event from those of others: the same at each attempt. */
  readonly delivery: string;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** A server that answers with more is not listened to any longer. */
const mostAnswerBytes = 64 * 1024;

/**
 * Posts a body as JSON. Redirects are not followed: they are answers like other failures. @throws {Error} for any answer but one
 * between 200 and 299, and for an address that webhooks must not go to.
 */
export async function post({ url, secretFile, allowed, hook, delivery, body, signal }: Post): Promise<void> {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, "");
  const refusal = isIP(host) === 0 ? undefined : refusalOfHookIp(host, allowed);
  if (refusal !== undefined) throw forbidden(`${host} is ${refusal}`);
  const time = String(Math.trunc(Date.now() / 1000));
  const secret = secretFile === undefined ? undefined : (await readFile(secretFile, "utf8")).trim();
  if (secret === "") throw new Error("the file of its secret is empty");
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "user-agent": `zorhub/${version}`,
    "x-zor-hook": hook,
    "x-zor-delivery": delivery,
    "x-zor-time": time,
  };
  if (secret !== undefined) headers["x-zor-signature"] = `sha256=${signature(secret, time, body)}`;
  const request = target.protocol === "https:" ? requestHttps : requestHttp;
  await new Promise<void>((resolve, reject) => {
    const options = { method: "POST", headers, signal, agent: false, lookup: guardedLookup(allowed) };
    const sent = request(target, options, (answer) => {
      const { statusCode = 0 } = answer;
      let bytes = 0;
      answer.on("data", (data: Buffer) => {
        bytes += data.length;
        if (bytes > mostAnswerBytes) answer.destroy();
      });
      answer.on("error", reject);
      answer.on("close", () => {
        if (statusCode >= 200 && statusCode < 300) resolve();
        else if (statusCode >= 300 && statusCode < 400)
          reject(new Error(`it answers ${statusCode}: redirects are not followed`));
        else reject(new Error(`it answers ${statusCode}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What proves that a body comes from who knows the secret: HMAC-SHA256 of time, "." and body, in hex. */
export function signature(secret: string, time: string, body: string): string {
  return createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
}
