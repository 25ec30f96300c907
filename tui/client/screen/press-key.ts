import type { KeyPress } from "./keyboard.js";
import type { RfbClient } from "./rfb-client.js";

/** Presses a key and lets it go, with others held meanwhile. */
export function pressKey(client: Pick<RfbClient, "key">, { key, held }: KeyPress): void {
  for (const each of held) client.key(each, true);
  client.key(key, true);
  client.key(key, false);
  for (const each of held.toReversed()) client.key(each, false);
}
