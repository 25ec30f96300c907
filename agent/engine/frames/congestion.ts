import { readFileSync } from "node:fs";
import { SystemCallError } from "../../../lib/libc.js";
import { readTcpPath, setCongestionControl } from "../native.js";
import { unpaced } from "./unpaced.js";

/** A shorter round trip is that of near hosts, a longer one that of far hosts; between the two nothing changes. */
const [nearMs, farMs] = [2, 25];
/** What the administrator of the host chose, for the net namespace of the thread. */
const usualFile = "/proc/sys/net/ipv4/tcp_congestion_control";

/**
 * Keeps the kernel from pacing a connection while the hosts are near each other. A host may have BBR as its congestion control, which
 * suits long lossy paths, but sends every few segments from a timer of their own: on a short fast path that costs more than all the
 * rest. Between far hosts what their administrator chose is used, also when the path becomes a long one later. Connections begin
 * without pacing, see {@link unpaced}.
 */
export class Congestion {
  readonly #fd: number;
  #near: boolean | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    this.#attempt(() => this.#follow(readTcpPath(fd).minRttMs));
  }

  /** Looks at the path again. Returns the bytes per second that its window allows between far hosts; undefined between near ones. */
  look(): number | undefined {
    let rate: number | undefined;
    this.#attempt(() => {
      const { rttMs, windowBytes } = readTcpPath(this.#fd);
      this.#follow(rttMs);
      if (this.#near === false) rate = (windowBytes * 1_000) / rttMs;
    });
    return rate;
  }

  #follow(rttMs: number): void {
    const near = this.#near === true ? rttMs < farMs : rttMs < nearMs;
    if (near === this.#near) return;
    setCongestionControl(this.#fd, near ? unpaced : usual());
    this.#near = near;
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      // The kernel lacks it, or the socket just broke, which the next read tells: the connection works as it is.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }
}

function usual(): string {
  try {
    return readFileSync(usualFile, "ascii").trim();
  } catch {
    // Without /proc nobody can have changed it.
    return unpaced;
  }
}
