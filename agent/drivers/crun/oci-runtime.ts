import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { unavailable } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";
import type { HostCgroups } from "../containers/host-cgroups.js";
import { inMountNamespace, type MoreMounts, type RootMount } from "./mount-namespace.js";

/** What a runtime says of a container. */
export interface ContainerState {
  readonly status: "creating" | "created" | "running" | "paused" | "stopped";
  /** 0 when stopped. */
  readonly pid: number;
}

const freezeTimeoutMs = 5000;
const noMount: RootMount = { kind: "none" };

/** crun, or runc, as a command line (OCI runtime command line interface). */
export class OciRuntime {
  readonly name: "crun" | "runc";
  readonly cgroups: HostCgroups;
  /** Absolute path of its program. */
  readonly path: string;
  readonly #root: string;

  /** @param options.root directory for the runtime's own state of all containers. */
  constructor(options: {
    readonly name: "crun" | "runc";
    readonly path: string;
    readonly root: string;
    readonly cgroups: HostCgroups;
  }) {
    this.name = options.name;
    this.path = options.path;
    this.cgroups = options.cgroups;
    this.#root = options.root;
  }

  /** Arguments before the runtime's verb. */
  get globalArguments(): readonly string[] {
    return ["--root", this.#root, ...(this.name === "crun" ? ["--cgroup-manager=cgroupfs"] : [])];
  }

  /** A whole command line for a verb, as it must be run on this host. */
  command(argv: readonly string[]): readonly [string, ...string[]] {
    // runc copes with every layout of control groups.
    return this.wrap([this.path, ...this.globalArguments, ...argv], noMount);
  }

  /** Wraps a command that will itself call the runtime. */
  wrap(command: readonly [string, ...string[]], root: RootMount, more?: MoreMounts): readonly [string, ...string[]] {
    return inMountNamespace(command, {
      cgroups: this.name === "crun" ? this.cgroups : { ...this.cgroups, hybrid: false },
      root,
      more,
    });
  }

  /** State of a container; undefined when the runtime knows none of that id. @throws {ToolError} */
  async findState(id: string, signal?: AbortSignal): Promise<ContainerState | undefined> {
    try {
      const state: unknown = JSON.parse(await this.#run(["state", id], signal));
      return parseState(state);
    } catch (error) {
      if (error instanceof ToolError && /does not exist|No such file or directory/i.test(error.stderrTail))
        return undefined;
      throw error;
    }
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    await this.#run(["start", id], signal);
  }

  /** Changes what a running container may use at most. @param file with resources of the runtime specification. */
  async update(id: string, file: string, signal: AbortSignal): Promise<void> {
    await this.#run(["update", "--resources", file, id], signal);
  }

  /** Freezes a container. Resolves when it is frozen. */
  async pause(id: string, signal: AbortSignal): Promise<void> {
    await this.#run(["pause", id], signal);
    await this.#until(id, "paused", signal);
  }

  /** Thaws a container. Resolves when it runs. */
  async resume(id: string, signal: AbortSignal): Promise<void> {
    await this.#run(["resume", id], signal);
    await this.#until(id, "running", signal);
  }

  /** Ends and forgets a container. Idempotent. */
  async delete(id: string): Promise<void> {
    if ((await this.findState(id)) !== undefined) await this.#run(["delete", "--force", id]);
    // A creation that failed may leave a directory without state, which only forbids the next one.
    else await rm(join(this.#root, id), { recursive: true, force: true });
  }

  /** The kernel freezes a group's processes one after the other, after the runtime has returned. */
  async #until(id: string, status: ContainerState["status"], signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + freezeTimeoutMs;
    for (;;) {
      const state = await this.findState(id, signal);
      if (state === undefined || state.status === "stopped" || state.status === status) return;
      if (performance.now() > deadline) {
        throw unavailable("FREEZE_SLOW", "", `the container is not ${status} after ${freezeTimeoutMs / 1000} s`);
      }
      await delay(10, undefined, { signal });
    }
  }

  async #run(argv: readonly string[], signal?: AbortSignal): Promise<string> {
    const [tool, ...args] = this.command(argv);
    try {
      return (await run(tool, args, { signal })).stdout;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ToolError) || !error.tookTooLong) throw error;
      const what = `${this.name} did not answer when it was told to "${argv[0] ?? ""}", and was ended`;
      throw unavailable(
        "RUNTIME_HUNG",
        "",
        `${what}; look at the load and the kernel's log of the host, and try again`,
      );
    }
  }
}

function parseState(value: unknown): ContainerState {
  if (typeof value === "object" && value !== null && "status" in value) {
    const pid = "pid" in value && typeof value.pid === "number" ? value.pid : 0;
    switch (value.status) {
      case "creating":
      case "created":
      case "running":
      case "paused":
      case "stopped":
        return { status: value.status, pid: value.status === "stopped" ? 0 : pid };
    }
  }
  throw new Error("the runtime printed an unknown state");
}
