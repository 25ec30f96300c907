import { expect, type TestContext } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { TwoHosts } from "../c2c/two-hosts.js";
import { type Copy, startCopy } from "./copy.js";

const mebibyte = 1024 * 1024;

/** How much is copied, and how fast. */
export interface CopyPace {
  readonly bytes: number;
  readonly bytesPerSecond?: number;
  readonly timeoutMs?: number;
}

/** Two hosts with a cable and a copy through it that is under way. */
export async function copying(
  context: TestContext,
  options: CopyPace,
  prepare: (hosts: TwoHosts) => Promise<void> = async () => undefined,
): Promise<{ hosts: TwoHosts; copy: Copy }> {
  const hosts = await TwoHosts.make();
  context.onTestFinished(() => hosts[Symbol.asyncDispose]());
  await prepare(hosts);
  await hosts.connect();
  const copy = await startCopy({
    from: { netns: hosts.a.lan.name },
    to: { netns: hosts.b.lan.name, ip: hosts.b.lanIp },
    bytesPerSecond: 4 * mebibyte,
    timeoutMs: 150_000,
    ...options,
  });
  await moving(hosts);
  return { hosts, copy };
}

/** Waits until the copy moves bytes. */
export async function moving({ b }: TwoHosts): Promise<void> {
  const { rxBytes } = b.end();
  await eventually(() => expect(b.end().rxBytes).toBeGreaterThan(rxBytes + 32 * 1024), 60_000);
}
