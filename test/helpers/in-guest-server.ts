import type { Connectable } from "../../agent/drivers/abilities/connect.js";
import type { DriverInstance, RecoveryHandle } from "../../agent/drivers/driver.js";
import type { FromServer } from "../../agent/network/socket-stream.js";
import { AsyncQueue } from "../../lib/async-queue.js";

/** What a dialogue with a server inside gave. */
export interface Dialogue {
  readonly text: string;
  readonly ended: boolean;
}

/** Says words to a server inside, ends its own side, and hears the server out. */
export async function converse(
  driver: { readonly can: { readonly connect: Connectable } },
  { instance, handle }: { readonly instance: DriverInstance; readonly handle: RecoveryHandle },
  { port, words, address = "127.0.0.1" }: { readonly port: number; readonly words: string; readonly address?: string },
): Promise<Dialogue> {
  const input = new AsyncQueue<Uint8Array>(4);
  input.push(Buffer.from(words));
  const seen: FromServer[] = [];
  const signal = AbortSignal.timeout(60_000);
  for await (const output of driver.can.connect.connect(instance, handle, { address, port, input }, { signal })) {
    seen.push(output);
    // The server has heard the words, and waits for their end.
    if (output.type === "data") input.end();
  }
  const text = Buffer.concat(seen.flatMap((each) => (each.type === "data" ? [each.data] : []))).toString();
  return { text, ended: seen.at(-1)?.type === "end" };
}
