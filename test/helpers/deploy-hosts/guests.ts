import { eventually } from "../eventually.js";
import type { InstallRig } from "./install-rig.js";

/** What is known of pings that are counted. */
export interface PingCount {
  readonly sent: number;
  /** Not answered; the last one, which may be under way, left out. */
  readonly lost: number;
}

/** A machine on each of two hosts, with a cable between their lans. */
export class CabledGuests {
  readonly #rig: InstallRig;
  readonly #context: readonly string[];

  private constructor(rig: InstallRig, context: readonly string[]) {
    this.#rig = rig;
    this.#context = context;
  }

  /** Makes "h1/a" and "h2/b" and waits until they reach each other. @param context options of zor that choose a hub. */
  static async make(rig: InstallRig, context: readonly string[] = []): Promise<CabledGuests> {
    const guests = new CabledGuests(rig, context);
    for (const host of ["h1", "h2"]) await guests.must("create", "lan", `${host}/lab`);
    await guests.must("create", "link", "lab", "h1/lab", "h2/lab");
    for (const [at, name] of ["h1/a", "h2/b"].entries())
      await guests.must("create", "instance", name, "--kernel", "micro", "--nic", `lan=lab,addr=10.5.0.${at + 1}/24`);
    await eventually(() => guests.reach(), 300_000);
    return guests;
  }

  /** Runs zor, which must succeed. Resolves to what it printed. */
  async must(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#rig.zor([...this.#context, ...argv]);
    if (code !== 0) throw new Error(`zor ${argv.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** @throws when one of three pings is not answered. */
  async reach(): Promise<void> {
    const said = await this.must("exec", "h1/a", "--", "ping", "-c", "3", "-W", "5", "10.5.0.2");
    if (!said.includes("3 packets received")) throw new Error(said);
  }

  /** Begins ten pings a second. */
  async startPings(): Promise<void> {
    await this.must("exec", "h1/a", "--", "sh", "-c", "ping -i 0.1 10.5.0.2 > /tmp/pings 2>&1 &");
  }

  /** Ends the pings. */
  async countPings(): Promise<PingCount> {
    await this.must("exec", "h1/a", "--", "killall", "-INT", "ping");
    const said = await this.must("exec", "h1/a", "--", "tail", "-n", "3", "/tmp/pings");
    const [, sent, received] = /(\d+) packets transmitted, (\d+) packets received/.exec(said) ?? [];
    if (sent === undefined) throw new Error(`the ping does not tell what came back: ${said}`);
    return { sent: Number(sent), lost: Math.max(0, Number(sent) - Number(received) - 1) };
  }
}
