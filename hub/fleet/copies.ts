/** One agent process, as it was met. */
export interface MetAgent {
  /** What tells this process from every other of the same host: its event log's epoch. */
  readonly boot: string;
  /** "ip:port" at which it was met. */
  readonly address: string;
}

/** Told of copies. */
export interface CopyNews {
  /** A copy was refused that was not known. */
  readonly onFound: (host: string, why: string) => void;
  /** A copy has not come again for a while. */
  readonly onGone: (host: string) => void;
}

/** A refused agent comes again every few seconds, at most every five. */
const holdsMs = 20_000;

interface Copy {
  readonly pair: string;
  readonly why: string;
  timer: NodeJS.Timeout;
}

/** Second live agents of hosts, each as long as it keeps coming: at most one of each host. */
export class Copies {
  readonly #news: CopyNews;
  readonly #byHost = new Map<string, Copy>();

  constructor(news: CopyNews) {
    this.#news = news;
  }

  /** An agent is refused because another one lives. Gives the words for it, the same ones each time the same agent comes. */
  refused(host: string, incumbent: MetAgent, newcomer: MetAgent): string {
    const pair = `${incumbent.boot} ${newcomer.boot}`;
    const known = this.#byHost.get(host);
    clearTimeout(known?.timer);
    const timer = setTimeout(() => {
      this.#byHost.delete(host);
      this.#news.onGone(host);
    }, holdsMs).unref();
    if (known?.pair === pair) {
      known.timer = timer;
      return known.why;
    }
    const why = wordsOf(host, incumbent, newcomer);
    this.#byHost.set(host, { pair, why, timer });
    this.#news.onFound(host, why);
    return why;
  }

  /** Why a second agent of a host is refused; "" when there is none. */
  whyOf(host: string): string {
    return this.#byHost.get(host)?.why ?? "";
  }

  forget(host: string): void {
    clearTimeout(this.#byHost.get(host)?.timer);
    this.#byHost.delete(host);
  }
}

function wordsOf(host: string, incumbent: MetAgent, newcomer: MetAgent): string {
  return (
    `two live agents have the identity of hosts/${host}: the one at ${incumbent.address} is used, the one at ${newcomer.address} is refused; ` +
    `stop the agent that is the copy, empty its state directory, and join its machine as a host of its own ("zor host add")`
  );
}
