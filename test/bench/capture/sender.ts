import { openSender } from "../c2c/flood.js";

/** First word of the arguments that make the benchmark's own program a sender of so many frames a second. */
export const sendVerb = "send-frames";

/** What the sender prints, as JSON. */
export interface Sent {
  readonly frames: number;
  readonly seconds: number;
}

/** Sends so many UDP frames of 64 bytes a second out of a device, for some seconds, and prints how many went. */
export function sendFrames(device: string, mac: string, perSecond: number, seconds: number): void {
  const send = openSender(device, mac);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const beganMs = performance.now();
  let frames = 0;
  for (;;) {
    const elapsed = (performance.now() - beganMs) / 1000;
    const due = Math.floor(Math.min(elapsed, seconds) * perSecond) - frames;
    if (due > 0) frames += send(due);
    else if (elapsed >= seconds) break;
    else Atomics.wait(pause, 0, 0, 0.2);
    // One that is far too slow ends all the same: how many went tells.
    if (elapsed > seconds * 1.5) break;
  }
  const sent: Sent = { frames, seconds: (performance.now() - beganMs) / 1000 };
  process.stdout.write(`${JSON.stringify(sent)}\n`);
}
