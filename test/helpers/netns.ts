import { readdir } from "node:fs/promises";
import { run } from "../../agent/host/exec.js";
import { runTag } from "./run-tag.js";

/** A net namespace of a test. Disposing of it removes it with everything in it. */
export interface TestNetns extends AsyncDisposable {
  readonly name: string;
  /** Runs `ip` inside. */
  ip(...argv: string[]): Promise<void>;
  /** Makes a persistent tap that is up. */
  addTap(name: string): Promise<void>;
}

let made = 0;

/**
 * Makes a named net namespace "zt-{prefix}-{pid}-{n}" (see {@link runTag}) with its loopback up.
 * @param prefix a few letters that tell which test it belongs to.
 */
export async function makeNetns(prefix: string): Promise<TestNetns> {
  made += 1;
  const name = `${runTag}-${prefix}-${process.pid}-${made}`;
  await run("ip", ["netns", "add", name]);
  const ip = async (...argv: string[]) => {
    await run("ip", ["-n", name, ...argv]);
  };
  await ip("link", "set", "lo", "up");
  return {
    name,
    ip,
    addTap: async (tap) => {
      await ip("tuntap", "add", tap, "mode", "tap", "vnet_hdr");
      await ip("link", "set", tap, "up");
    },
    [Symbol.asyncDispose]: async () => {
      await run("ip", ["netns", "delete", name]);
    },
  };
}

/** Namespaces that this process made and did not remove. */
export async function leftNetns(): Promise<string[]> {
  const names = await readdir("/run/netns").catch(() => []);
  return names.filter((name) => name.startsWith(`${runTag}-`) && name.split("-").includes(String(process.pid)));
}
