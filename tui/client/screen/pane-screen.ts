import { setTimeout as delay } from "node:timers/promises";
import { Backoff } from "../../../lib/backoff.js";
import { messageOf } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import type { Picture, PictureArea } from "../../kit/cells/picture-cells.js";
import { Keyboard } from "./keyboard.js";
import { parseKeys } from "./named-keys.js";
import { pressKey } from "./press-key.js";
import type { RfbClient } from "./rfb-client.js";
import { withScreen } from "./with-screen.js";

/** What is told of a screen. */
export interface ScreenListener {
  /** It shows something else. */
  readonly onChanged: () => void;
  /** It is not there, and is tried again. */
  readonly onLost: (why: string) => void;
}

/** The screen of a machine, with its keyboard. */
export interface PaneScreen {
  /** What it shows; undefined: it is not there yet. */
  readonly picture: Picture | undefined;
  /** What of it has changed since that was last asked. */
  takeChanged(): PictureArea | undefined;
  /** Presses the keys that a terminal sends so. */
  type(data: string): void;
  /** Presses keys together: "ctrl-alt-delete". @throws {ZorError} when there are no such keys. */
  press(keys: string): void;
}

/** Waits between attempts to have a lost screen back. */
const retry = { minMs: 500, maxMs: 5000 };
/** From one look at the screen to the next: a terminal shows no films. */
const leastMs = 100;

/** Looks at the screen of "hosts/{host}/instances/{instance}" until the signal aborts. A connection that is lost is made again. */
export function openPaneScreen(
  connection: Connection,
  name: string,
  { signal, listener }: { readonly signal: AbortSignal; readonly listener: ScreenListener },
): PaneScreen {
  const keyboard = new Keyboard();
  let client: RfbClient | undefined;
  const look = async (opened: RfbClient, onSeen: () => void): Promise<void> => {
    opened.request(false);
    while (!signal.aborted) {
      await opened.update();
      client = opened;
      onSeen();
      listener.onChanged();
      // Asked for only now: what changes meanwhile comes in one piece.
      await delay(leastMs, undefined, { signal });
      opened.request(true);
    }
  };
  const follow = async (): Promise<void> => {
    const backoff = new Backoff(retry);
    while (!signal.aborted) {
      try {
        await withScreen(connection, name, { signal, use: (opened) => look(opened, () => backoff.reset()) });
      } catch (error) {
        if (signal.aborted) return;
        client = undefined;
        listener.onLost(messageOf(error));
        await backoff.wait(signal);
      }
    }
  };
  void follow();
  return {
    get picture() {
      return client?.screen;
    },
    takeChanged: () => client?.screen.takeChanged(),
    type: (data) => {
      const { keys } = keyboard.read(Buffer.from(data));
      for (const key of keys) if (client !== undefined) pressKey(client, key);
    },
    press: (keys) => {
      const pressed = parseKeys(keys);
      if (client !== undefined) pressKey(client, pressed);
    },
  };
}
