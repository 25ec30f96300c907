import type { Connection } from "../../../lib/grpc/connection.js";
import { ZorError } from "../../../lib/errors.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService, ListInstancesRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { hostId } from "./agents.js";
import type { FleetSize } from "./plan.js";

/** Largest page that a list gives. */
const pageSize = 5000;
/** What takes longer is as bad as no answer, and counts so. */
const options = { timeoutMs: 60_000 };

/** Gets in a steady stream: a late answer does not hold back the next question, and counts as late as it is. */
export class SteadyGets {
  readonly latenciesMs: number[] = [];
  readonly #connection: Connection;
  readonly #size: FleetSize;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  #turn = 0;

  /** Begins to ask: a host and an instance in turn, all over the fleet. */
  constructor(connection: Connection, size: FleetSize, perSecond: number) {
    this.#connection = connection;
    this.#size = size;
    this.#timer = setInterval(() => this.#ask(), 1000 / perSecond);
  }

  /** Ends asking, and waits for the answers. */
  async end(): Promise<readonly number[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    return this.latenciesMs;
  }

  #ask(): void {
    this.#turn += 1;
    const host = `hosts/${hostId((this.#turn * 7919) % this.#size.hosts)}`;
    const began = performance.now();
    const instance = `${host}/instances/vm${this.#turn % this.#size.instances}`;
    const call: Promise<unknown> =
      this.#turn % 2 === 0
        ? this.#connection.unary(HostServiceService.getHost, { name: host }, options)
        : this.#connection.unary(InstanceServiceService.getInstance, { name: instance }, options);
    const answered = call
      .then(
        () => undefined,
        (error: unknown) => {
          // A host that is not back yet is answered for as well: it is not known, or not ready.
          if (!(error instanceof ZorError) || !["HOST_NOT_READY", "DEADLINE_EXCEEDED"].includes(error.reason))
            throw error;
        },
      )
      .then(() => {
        this.latenciesMs.push(performance.now() - began);
        this.#open.delete(answered);
      });
    this.#open.add(answered);
  }
}

/** Reads all instances, page by page. @returns how many, and the time. */
export async function listAll(connection: Connection): Promise<{ readonly count: number; readonly ms: number }> {
  const began = performance.now();
  let [count, pageToken] = [0, ""];
  do {
    const request = ListInstancesRequest.fromPartial({ parent: "hosts/-", pageSize, pageToken });
    const page = await connection.unary(InstanceServiceService.listInstances, request, options);
    count += page.instances.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return { count, ms: performance.now() - began };
}
