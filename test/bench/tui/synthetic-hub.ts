import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { hostId } from "../../fakes/fleet-data.js";
import { addFigures } from "./made-up-figures.js";
import { FakeHub } from "../../fakes/fleet-hub.js";

/** Verb with which the process with the hub is started: DIRECTORY HOSTS INSTANCES_PER_HOST. */
export const hubVerb = "hub";

/** What the hub is told, as a line of JSON on its standard input. */
export type HubOrder =
  /** Changes of instances all over the fleet from now on, never of the one that marks are on. */
  | { readonly changesPerSecond: number }
  /** Gives the first instance this reason for its state: it is told at once when that was. */
  | { readonly mark: string };

/** What the hub says, as lines of JSON: where it is, and the nanosecond of the machine's clock at which a mark was made. */
export type HubWord = { readonly configDirectory: string } | { readonly marked: string; readonly atNs: string };

/** The instance that marks are on: the first of the fleet by name. */
const markedInstance = "hosts/alpha/instances/vm0";

const tickMs = 5;

/** A hub whose fleet is made up and whose API is real, in this process until its input ends. */
export async function serveHub([directory = "", hosts = "", instances = ""]: readonly string[]): Promise<never> {
  const shape = { hosts: Number(hosts), instancesPerHost: Number(instances), nowMs: Date.now() };
  mkdirSync(directory, { recursive: true });
  const hub = new FakeHub(directory, shape);
  let tellFigures: (names: Iterable<string>) => void = () => undefined;
  hub.addServices = (server) => {
    tellFigures = addFigures(server, hub.log);
  };
  await hub.start();
  say({ configDirectory: hub.configDirectory });
  const churn = new Churn(hub, shape, (name) => tellFigures([name]));
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as HubOrder;
    if ("changesPerSecond" in order) churn.setRate(order.changesPerSecond);
    else mark(hub, order.mark);
  }
  process.exit(0);
}

function mark(hub: FakeHub, reason: string): void {
  hub.setState(markedInstance, InstanceState.INSTANCE_STATE_RUNNING, reason);
  say({ marked: reason, atNs: `${process.hrtime.bigint()}` });
}

function say(word: HubWord): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}

/** Changes at a steady rate. */
class Churn {
  readonly #hub: FakeHub;
  readonly #shape: { readonly hosts: number; readonly instancesPerHost: number };
  readonly #measured: (name: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  /** @param measured told of each instance of which a figure is another one: as many as change. */
  constructor(
    hub: FakeHub,
    shape: { readonly hosts: number; readonly instancesPerHost: number },
    measured: (name: string) => void,
  ) {
    this.#hub = hub;
    this.#shape = shape;
    this.#measured = measured;
  }

  setRate(perSecond: number): void {
    clearInterval(this.#timer);
    if (perSecond === 0) return;
    const began = performance.now();
    let made = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
      for (; made < due; made += 1) this.#change();
    }, tickMs);
  }

  #change(): void {
    this.#turn += 1;
    // Primes, so that all instances of all hosts have their turn.
    const host = hostId((this.#turn * 7919) % this.#shape.hosts);
    const name = `hosts/${host}/instances/vm${(this.#turn * 31) % this.#shape.instancesPerHost}`;
    if (name === markedInstance) return;
    this.#measured(name);
    const { INSTANCE_STATE_RUNNING: running, INSTANCE_STATE_STOPPED: stopped } = InstanceState;
    this.#hub.setState(name, this.#turn % 2 === 0 ? running : stopped);
  }
}
