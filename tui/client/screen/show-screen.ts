import { once } from "node:events";
import type { Connection } from "../../../lib/grpc/connection.js";
import { shortName } from "../../kit/resource-name.js";
import { enterRawMode, type Terminal, terminalSize } from "../raw-terminal.js";
import { type Colours, HalfBlocks } from "./half-blocks.js";
import { Keyboard } from "./keyboard.js";
import { pressKey } from "./press-key.js";
import type { RfbClient } from "./rfb-client.js";
import { withScreen } from "./with-screen.js";

/** How a screen is shown. */
export interface ShowScreenOptions {
  readonly signal: AbortSignal;
  readonly colours: Colours;
}

/**
 * Shows the screen of "hosts/{host}/instances/{instance}" in a terminal, with its keyboard, until Ctrl-] is pressed or the signal aborts.
 * @throws {ZorError} when the screen cannot be connected, or is lost.
 */
export async function showScreen(
  connection: Connection,
  name: string,
  terminal: Terminal,
  { signal, colours }: ShowScreenOptions,
): Promise<void> {
  const leaving = new AbortController();
  const either = AbortSignal.any([signal, leaving.signal]);
  await withScreen(connection, name, {
    signal: either,
    use: (client) => draw(client, name, terminal, { signal: either, colours, leave: () => leaving.abort() }),
  });
}

async function draw(
  client: RfbClient,
  name: string,
  terminal: Terminal,
  { signal, colours, leave }: ShowScreenOptions & { readonly leave: () => void },
): Promise<void> {
  const { input, output } = terminal;
  using restore = new DisposableStack();
  restore.use(enterRawMode(terminal));
  output.write("\x1b[?1049h\x1b[?25l");
  restore.defer(() => output.write("\x1b[0m\x1b[?1049l\x1b[?25h"));
  const keyboard = new Keyboard();
  const onData = (typed: Buffer): void => {
    const { keys, left } = keyboard.read(typed);
    for (const key of keys) pressKey(client, key);
    if (left) leave();
  };
  let blocks: HalfBlocks | undefined;
  const onResize = (): void => {
    blocks = undefined;
    client.request(false);
  };
  input.on("data", onData);
  output.on("resize", onResize);
  restore.defer(() => {
    input.off("data", onData);
    output.off("resize", onResize);
    input.pause();
  });
  input.resume();
  client.request(false);
  while (!signal.aborted) {
    await client.update();
    // Asked for before it is drawn: what has changed meanwhile is on its way.
    client.request(true);
    const { columns = 80, rows = 24 } = terminalSize(output) ?? {};
    const { width, height } = client.screen;
    const isNew = blocks === undefined;
    blocks ??= new HalfBlocks({ columns, rows: Math.max(1, rows - 1) }, colours);
    const changed = client.screen.takeChanged();
    if (changed === undefined && !isNew) continue;
    const picture = blocks.draw(client.screen, changed ?? { x: 0, y: 0, width, height });
    const words = ` ${shortName(name)} ${width}x${height}, Ctrl-] leaves `.slice(0, columns);
    const status = `\x1b[${rows};1H\x1b[7m${words}\x1b[0m`;
    if (picture !== "" && !output.write(picture + status)) await once(output, "drain", { signal });
  }
}
